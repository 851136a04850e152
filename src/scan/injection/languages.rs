//! Instruction override and prompt leak in languages other than English; without accents, as the folded view has them.

use super::Row;

pub(super) const ROWS: &[Row] = &[
    (
        "instruction_override.ignore_de",
        7,
        r"(?i-u)\b(?:ignorier(?:e|en|t|st)?|vergiss|vergessen{_}sie|missachte[nt]?|uberschreibe|beachte{_}nicht|umgehe){_}{w1}(?:alle|alles|deine|die|ihre|jegliche|samtliche|meine|obige|vorherige|bisherige)[nrs]?{_}{w2}(?:anweisung(?:en)?|instruktion(?:en)?|befehle?n?|vorgaben?|regeln|prompts?|richtlinien|einschrankungen)\b",
        "tells the model to drop its instructions, in German",
    ),
    (
        "instruction_override.ignore_fr",
        7,
        r"(?i-u)\b(?:ignor(?:e|es|ez|er|ons)|oubli(?:e|es|ez|er)|ne{_}(?:tiens|tenez){_}pas{_}compte|contourne[rz]?){_}{w1}(?:toutes|tout|tes|vos|les|des|ces|tous){_}{w3}(?:instructions?|consignes?|directives?|regles|ordres|commandes)\b",
        "tells the model to drop its instructions, in French",
    ),
    (
        "instruction_override.ignore_es_pt_it",
        7,
        r"(?i-u)\b(?:ignor(?:a|ad|ar|e|en|es|ate|are|em)|olvid(?:a|ad|ar|e|en|es|ate)|descarta|omite|esque(?:ca|ce|cer|cam)|desconsider(?:e|a|ar|em)|dimentica(?:re|te)?|trascura){_}{w1}(?:todas|todos|tus|las|los|sus|tutte|le|tue|quelle|as|suas|tuas|os){_}{w3}(?:instrucciones|indicaciones|ordenes|reglas|directrices|istruzioni|regole|direttive|indicazioni|instrucoes|regras|ordens|diretrizes|comandos)\b",
        "tells the model to drop its instructions, in Spanish, Portuguese or Italian",
    ),
    (
        "instruction_override.ignore_nl_pl_tr",
        7,
        r"(?i-u)\b(?:(?:negeer|vergeet){_}{w1}(?:alle|je|de|uw|al){_}{w3}(?:instructies|regels|opdrachten|richtlijnen|aanwijzingen)|(?:zignoruj|ignoruj|zapomnij){_}{w3}(?:instrukcj(?:e|i|ach)|polece(?:nia|n|niach)|zasad(?:y|ach)?|regul(?:y|ach)?)|(?:onceki|tum|yukaridaki){_}{w2}(?:talimatlari?|kurallari?|komutlari?|talimatlarini?){_}{w2}(?:yok{_}say|unut|gormezden|goz{_}ardi))",
        "tells the model to drop its instructions, in Dutch, Polish or Turkish",
    ),
    (
        "instruction_override.ignore_ru",
        7,
        r"(?i)(?:игнорируй|забудь|отбрось|проигнорируй|не обращай внимания на)(?:те)?\s+(?:[а-яё]+\s+){0,3}(?:инструкци|указани|правил|команд|промпт|ограничени)",
        "tells the model to drop its instructions, in Russian",
    ),
    (
        "instruction_override.ignore_zh",
        7,
        r"(?:忽略|无视|無視|忘记|忘記|忘掉|不要理会|忽視|忽视)[^\x00-\x7f]{0,3}(?:之前|以前|上面|以上|上述|先前|前面|所有|一切|全部|你的|系统|系統|此前)[^\x00-\x7f]{0,4}(?:指令|指示|提示|规则|規則|命令|说明|限制|要求|设定)",
        "tells the model to drop its instructions, in Chinese",
    ),
    (
        "instruction_override.ignore_ja",
        7,
        r"(?:以前の|前の|上記の|これまでの|すべての|全ての|今までの)[^\x00-\x7f]{0,5}(?:指示|命令|プロンプト|ルール|制限)[^\x00-\x7f]{0,6}(?:無視|忘れ)",
        "tells the model to drop its instructions, in Japanese",
    ),
    (
        "instruction_override.ignore_ko",
        7,
        r"(?:이전|위의|모든|앞의|지금까지의)[^\x00-\x1f!-\x7f]{0,6}(?:지시|명령|프롬프트|규칙|지침)[^\x00-\x1f!-\x7f]{0,7}(?:무시|잊)",
        "tells the model to drop its instructions, in Korean",
    ),
    (
        "instruction_override.ignore_ar_hi",
        7,
        r"(?:(?:تجاهل|انس|انسَ)\s+(?:[^\x00-\x7f]+\s+){0,2}(?:التعليمات|الأوامر|القواعد|تعليماتك|قواعدك)|(?:पिछले|पिछली|सभी|अपने)\s+(?:[^\x00-\x7f]+\s+){0,2}(?:निर्देश|नियम)[^\s.]{0,6}\s+(?:[^\x00-\x7f]+\s+){0,2}(?:अनदेखा|भूल|नज़रअंदाज़))",
        "tells the model to drop its instructions, in Arabic or Hindi",
    ),
    (
        "prompt_leak.reveal_de_nl",
        6,
        r"(?i-u)\b(?:zeige?|zeig|verrate?|nenne|offenbare|gib|wiederhole|onthul|toon|geef|drucke){_}{w2}(?:deine?n?|ihre?n?|den|die|je|de|dein){_}{w2}(?:systemprompts?|system{_}prompts?|anweisungen|systemanweisungen|systemnachricht|anfangsanweisungen|instructies|systeeminstructies|systeemprompt)\b",
        "asks for the model's own prompt, in German or Dutch",
    ),
    (
        "prompt_leak.reveal_romance",
        6,
        r"(?i-u)\b(?:montre|revele[rz]?|affiche[rz]?|donne|repete|muestra(?:me)?|revela(?:me)?|dime|repite|imprime|mostra(?:mi)?|rivela(?:mi)?|ripeti|dimmi|mostre|revele|repita|diga){_}{w2}(?:tes|ton|vos|votre|le|les|tus|tu|el|las|tuo|tue|il|le|seu|suas|seus|o|as){_}{w1}(?:(?:prompt|message|mensaje|messaggio|mensagem){_}(?:systeme|initial|del{_}sistema|de{_}sistema|di{_}sistema|do{_}sistema|inicial|iniziale)|(?:instructions|instrucciones|istruzioni|instrucoes){_}(?:initiales|iniciales|iniziali|iniciais|secretes|secretas|segrete|systeme|du{_}systeme|del{_}sistema|di{_}sistema|do{_}sistema|originales|originali|originais))\b",
        "asks for the model's own prompt, in French, Spanish, Italian or Portuguese",
    ),
    (
        "prompt_leak.reveal_ru_zh",
        6,
        r"(?i)(?:(?:покажи|раскрой|выведи|повтори|назови)(?:те)?\s+(?:[а-яё]+\s+){0,3}(?:системн[а-яё]{1,3}\s+(?:промпт|инструкци|сообщени|подсказк)|начальн[а-яё]{1,3}\s+инструкци)|(?:显示|告诉我|输出|透露|泄露|重复|打印|给我看|顯示)[^\x00-\x7f]{0,4}(?:系统提示|系统指令|系統提示|初始指令|初始提示|系统消息|内部指令))",
        "asks for the model's own prompt, in Russian or Chinese",
    ),
    (
        "role_manipulation.no_limits_other",
        6,
        r"(?i-u)\b(?:du{_}bist{_}(?:jetzt|nun|ab{_}sofort){_}{w1}ohne|tu{_}es{_}(?:maintenant|desormais){_}{w1}sans|ahora{_}eres{_}{w1}sin|eres{_}ahora{_}{w1}sin|ora{_}sei{_}{w1}senza|agora{_}voce{_}e{_}{w1}sem|voce{_}agora{_}e{_}{w1}sem|je{_}bent{_}nu{_}{w1}zonder){_}{w1}(?:einschrankungen|beschrankungen|regeln|filter|restrictions?|limites?|regles|restricciones|reglas|limitaciones|filtros?|restrizioni|limiti|regole|filtri|restricoes|regras|beperkingen|regels)\b",
        "gives the model a role without limits, in another language",
    ),
];
