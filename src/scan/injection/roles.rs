//! Role manipulation, delimiter manipulation and obfuscation.

use super::Row;

pub(super) const ROWS: &[Row] = &[
    (
        "role_manipulation.jailbreak_persona",
        7,
        r"(?i-u)\b(?:do{_}anything{_}now|(?:you{_}are|you're|act{_}(?:as|like)|become|play|named|called|simulate|stay){_}{w1}(?-i:DAN|STAN|DUDE|AIM|UCAR|APOPHIS|BetterDAN)\b|(?-i:DAN){_}(?:mode|prompt)|developer{_}mode{_}(?:output|v2)|jailbroken{_}(?:ai|mode|version|response|model)|\[?jailbreak(?:ed)?\]{_}|jailbreak{_}mode|evil{_}?(?:bot|gpt|confidant)|(?:chaos|devil|worm|fraud|dark){_}?gpt)",
        "calls up a known jailbreak persona",
    ),
    (
        "role_manipulation.freed_persona",
        7,
        r"(?i-u)\b(?:act(?:ing)?|function{_}as|operate{_}as|roleplay(?:ing)?|role{_}play(?:ing)?|pretend(?:ing)?|behave|respond(?:ing)?|answer(?:ing)?|you{_}are|you're|become|simulate|you{_}(?:will|must|shall){_}(?:be|act)){_}{w3}(?:unrestricted|uncensored|unfiltered|amoral|unethical|immoral|jailbroken|unaligned|unhinged|lawless|unmoderated|unlimited|liberated){_}{w1}(?:ai|assistant|chatbot|bot|model|language|version|persona|character|system|gpt|entity|mode|machine|intelligence|being)\b",
        "gives the model a role without restraint",
    ),
    (
        "role_manipulation.evil_role",
        6,
        r"(?i-u)\b(?:act|roleplay|role{_}play(?:ing)?|pretend|behave|respond|answer|speak|play|you{_}are(?:{_}now)?){_}(?:as|to{_}be|like|the{_}role{_}of|(?:an?|the)){_}{w2}(?:evil|malicious|villainous|psychopathic|sociopathic|rogue|ruthless){_}{w1}(?:ai|assistant|robot|bot|hacker|chatbot|model|character|computer|twin|genius|overlord)\b",
        "gives the model an evil role",
    ),
    (
        "role_manipulation.you_are_now",
        6,
        r"(?i-u)\b(?:you{_}are|you're){_}(?:now|no{_}longer){_}(?:going{_}to{_}(?:act|be|pretend|play|roleplay|simulate)|in{_}[a-z]{2,16}{_}mode|(?:an?|the|my){_}{w1}(?:different|new|unrestricted|uncensored|unfiltered|free|evil|hacked)\b|free{_}(?:of|from)|unrestricted|uncensored|unfiltered|jailbroken|bound|restricted|limited|constrained|(?-i:[A-Z]{3,})\b|chatgpt{_}with)",
        "tells the model that it is something else now",
    ),
    (
        "role_manipulation.you_are_now_a",
        3,
        r"(?i-u)\b(?:you{_}are|you're){_}now{_}(?:an?|my|the|acting|playing|operating|roleplaying|called|named|known{_}as|under|running)\b",
        "gives the model a new role",
    ),
    (
        "role_manipulation.from_now_on_you",
        4,
        r"(?i-u)\bfrom{_}(?:now|this{_}(?:point|moment)){_}(?:on(?:wards?)?|forward){_}(?:you{_}(?:are|will|must|have{_}to|shall|can|re|should)|your{_}(?:name|role|task))\b",
        "gives the model a new role from here on",
    ),
    (
        "role_manipulation.no_restrictions",
        5,
        r"(?i-u)\b(?:free{_}(?:of|from)|without|no|not{_}(?:bound|limited|restricted|constrained|subject)(?:{_}(?:by|to))?|unbound{_}by|zero|(?:ignores?|lacks?|bypass(?:es)?|disregards?){_}(?:any|all)|no{_}longer{_}(?:bound|limited|restricted|constrained){_}by|neither){_}(?:(?:any|all|of|your|its|the|usual|typical|standard|normal|real|human|such){_}){0,3}(?:(?:ethical|moral|ethics|morals?|morality|content|censorship|filtering|openai|openai's|legal|social|safety){_}(?:(?:and|or|nor|ethical|moral|legal|social|content|standards|safety|programming){_}){0,4})(?:rules?|restrictions?|limits?|limitations?|filters?|guidelines?|constraints?|boundaries|principles|policies|policy|programming|obligations?|compass|concerns?|considerations?|guidance|standards)\b",
        "describes a model without ethical or content rules",
    ),
    (
        "role_manipulation.without_limits",
        3,
        r"(?i-u)\b(?:free{_}(?:of|from)|without|has{_}no|have{_}no|with{_}no|no{_}longer{_}(?:any|has|have)){_}(?:(?:any|all|the|of|your|typical|usual){_}){0,2}(?:rules|restrictions|limits|limitations|filters?|guidelines|censorship|constraints|boundaries)\b",
        "speaks of having no limits",
    ),
    (
        "role_manipulation.freed_mode",
        7,
        r"(?i-u)\b(?:enter|enable|activate|switch{_}(?:in)?to|engage|unlocks?|turn{_}on|go{_}into|start|initiate){_}{w2}(?:unrestricted|god|jailbreak|unfiltered|uncensored|evil|chaos|freedom|rebel|anarchy|no{_}limits?|unlimited|unsafe){_}mode\b",
        "asks for a mode without restraint",
    ),
    (
        "role_manipulation.privileged_mode",
        4,
        r"(?i-u)\b(?:enter|enable|activate|switch{_}(?:in)?to|engage|unlock|turn{_}on|go{_}into|simulate){_}{w2}(?:developer|dev|debug|admin|administrator|sudo|root|maintenance|override|opposite|diagnostic){_}mode\b",
        "asks for a privileged mode",
    ),
    (
        "role_manipulation.act_as_if",
        2,
        r"(?i-u)\b(?:act{_}as{_}(?:if|though){_}you|pretend{_}(?:to{_}be|(?:that{_})?you(?:{_}are|'re|{_}have)))\b",
        "asks the model to pretend",
    ),
    (
        "role_manipulation.role_play_as",
        1,
        r"(?i-u)\b(?:role{_}?play(?:ing)?{_}as|act{_}as{_}(?:an?|my|the)|stay{_}in{_}character)\b",
        "asks the model to play a role",
    ),
    (
        "role_manipulation.never_refuse",
        4,
        r"(?i-u)\b(?:you|it|he|she|they|who|that|ai|model|assistant|bot|gpt|must|will){_}(?:(?:will|must|can|shall|should|would){_})?(?:never|cannot|can't|won't|not|doesn't|don't){_}(?:ever{_})?(?:refuses?|declines?|rejects?|den(?:y|ies)|say{_}no\b){_}{w2}(?:anything|any|a|my|requests?|questions?|instructions?|to{_}(?:answer|respond|comply|do)|prompts?|orders?|commands?|the{_}user)\b",
        "forbids the model to refuse",
    ),
    (
        "role_manipulation.forced_opening",
        4,
        r#"(?i-u)\b(?:start|begin|open|preface){_}(?:your|the|every|each|all){_}{w2}(?:response|reply|answer|message|output|sentence)s?{_}(?:with|by(?:{_}saying)?)[\s"'*:]{1,6}(?:sure|absolutely|of{_}course|certainly|yes|okay|here)\b"#,
        "forces the answer to begin with agreement",
    ),
    (
        "role_manipulation.speaker_label",
        4,
        r"(?i-u)\b(?:system|developer|admin|administrator|root){_}?(?:message|prompt|note|override|instructions?|command|update|alert)?[\]):* ]{0,4}:[\s*]{1,4}(?:you|your|new|override|ignore|disregard|forget|all|enable|disable|the{_}(?:user|assistant|ai|model)|from{_}now|this{_}(?:user|is)|access|authori[sz]|instructions?|respond|reply|answer|important|security|safety|bypass|reveal|act|enter|grant|do{_}not)\b",
        "writes a line in the system's name",
    ),
    (
        "delimiter_manipulation.template_token",
        6,
        r"(?i-u)<\|(?:im_start|im_end|im_sep|endoftext|endofprompt|system|user|assistant|eot_id|begin_of_text|end_of_text|start_header_id|end_header_id|end|start|fim_prefix|fim_suffix|fim_middle|channel|message|return)\|>",
        "writes a chat template's control token",
    ),
    (
        "delimiter_manipulation.template_tag",
        5,
        r"(?i-u)(?:\[/?INST\]|<</?SYS>>|<start_of_turn>|<end_of_turn>|\[/?(?:SYSTEM|INSTRUCTIONS?|SYSTEM{_}?(?:MESSAGE|PROMPT|OVERRIDE|NOTE|INSTRUCTIONS?)|ADMIN|OVERRIDE|PRIORITY{_}OVERRIDE)\]|</?(?:system|system{_}?prompt|system{_}?message|instructions?|im_start|im_end)>[\s]{0,8}(?:you|ignore|new|override|the{_}user|forget|reveal|from{_}now))",
        "writes a tag that marks instructions",
    ),
    (
        "delimiter_manipulation.fake_end",
        6,
        r"(?i-u)(?:[-=#*<>\[/]{2,40}\s{0,4}(?:BEGIN|START|END)(?:ING)?{_}(?:OF{_})?(?:THE{_})?(?:NEW{_}|SYSTEM{_}|USER{_}|CURRENT{_}|PREVIOUS{_})?(?:PROMPT|INSTRUCTIONS?|SYSTEM{_}(?:PROMPT|MESSAGE)|CONTEXT|USER{_}(?:INPUT|QUERY)|DATA|DOCUMENT|EMAIL)\s{0,4}[-=#*<>\]/]{2,40})",
        "draws a line that pretends to end the data or the prompt",
    ),
    (
        "delimiter_manipulation.instruction_header",
        4,
        r"(?i-u)#{2,6}\s{0,4}(?:NEW{_}|SYSTEM{_}|OVERRIDE{_})?(?:INSTRUCTIONS?|SYSTEM|SYSTEM{_}(?:PROMPT|MESSAGE))\s{0,4}(?:#{2,6}|:)",
        "writes a header of instructions",
    ),
    (
        "delimiter_manipulation.fenced_order",
        4,
        r"(?i-u)`{3}[a-z]{0,12}\s{1,8}(?:ignore|disregard|bypass|override|forget){_}{w3}(?:rules|instructions?|prompts?|guidelines|restrictions|everything|previous|above|safety)\b",
        "hides an order in a fenced block",
    ),
    (
        "encoding_obfuscation.decode_and_obey",
        5,
        r"(?i-u)\b(?:decode|decrypt|decipher|unscramble|deobfuscate|base64|translate{_}from){_}{w4}(?:and|then){_}{w1}(?:execute|follow|run|obey|comply|act|perform|carry{_}out)\b",
        "asks to decode something and to do what it says",
    ),
    (
        "encoding_obfuscation.encoded_payload",
        5,
        r"(?i-u)\b(?:decode|run|execute|eval|decrypt|interpret|follow|exec){_}{w2}(?:base{_}?64|hex(?:adecimal)?|rot{_}?13|binary|morse|caesar)\b[\s:=]{0,4}[:(][\s(]{0,4}[A-Za-z0-9+/=.-]{6}",
        "hands over an encoded payload to decode",
    ),
    (
        "encoding_obfuscation.base64_order",
        5,
        r"(?-u)(?:SUdOT1JF|SWdub3Jl|aWdub3Jl|lHTk9SR|lnbm9yZ|pZ25vcm|JR05PUk|RElTUkVHQVJE|RGlzcmVnYXJk|ZGlzcmVnYXJk)[A-Za-z0-9+/]{8,}={0,2}",
        "holds the word ignore or disregard in base64",
    ),
    (
        "encoding_obfuscation.encoded_answer",
        3,
        r"(?i-u)\b(?:answer|respond|reply|output|encode|spell|write|print|reveal|say|give){_}{w4}(?:in|using|with|as|to|into){_}(?:base{_}?64|rot{_}?13|hex(?:adecimal)?|morse|binary|leet(?:speak)?|pig{_}latin|an?{_}caesar|reverse(?:d)?{_}order)\b",
        "asks for an answer that filters cannot read",
    ),
    (
        "encoding_obfuscation.code_label",
        5,
        r"(?i-u)\b(?:python|javascript|bash|shell|powershell|php|perl|ruby)\s{0,3}:\s{0,3}(?:exec|eval|import|os\.|system|require|subprocess|fetch|document\.|__import__|rm\s|curl\s)",
        "labels code to be run",
    ),
    (
        "encoding_obfuscation.lookup_expression",
        5,
        r"(?i-u)\$\{(?:jndi|\$\{|lower|upper|env|sys|ctx)\s{0,2}:[^}\s\x80-\xff]{0,80}",
        "holds a lookup expression that loggers evaluate",
    ),
];
