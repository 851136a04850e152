//! Prompt leak, exfiltration and tool hijacking.

use super::Row;

pub(super) const ROWS: &[Row] = &[
    (
        "prompt_leak.reveal_your_prompt",
        7,
        r"(?i-u)\b(?:reveal|show|print|output|display|repeat|tell|give|share|leak|expose|dump|disclose|recite|return|copy|send|provide|summarize|translate|encode|spell|quote|type|paste|echo|describe|list|explain|what(?:{_}is|{_}are|{_}was|{_}were|'s|s)){_}{l4}(?:your|ur){_}{w1}(?:system|initial|hidden|original|secret|internal|developer|base|full|complete|entire|exact|initialization|first|pre|confidential|prior|previous|current){_}{w1}(?:prompts?|instructions?|messages?|directives?|guidelines|configuration|rules|initialization)\b",
        "asks for the model's own prompt",
    ),
    (
        "prompt_leak.reveal_the_prompt",
        6,
        r"(?i-u)\b(?:reveal|print|output|display|repeat|leak|expose|dump|disclose|recite|show{_}me|tell{_}me|give{_}me|send{_}me|share){_}{l3}(?:system|hidden|secret|initial|original){_}(?:prompts?|instructions?|messages?|password|rules)\b",
        "asks for the system prompt",
    ),
    (
        "prompt_leak.reveal_instructions",
        5,
        r"(?i-u)\b(?:reveal|repeat|leak|expose|dump|disclose|recite|print|output|show{_}me|tell{_}me|give{_}me|what{_}(?:are|were|is|was)){_}(?:all{_})?(?:of{_})?(?:your|ur){_}{w1}(?:prompts?|instructions?|directives?|guidelines|rules|programming)\b",
        "asks for the model's instructions",
    ),
    (
        "prompt_leak.reveal_previous",
        5,
        r"(?i-u)\b(?:reveal|print|output|display|repeat|replay|recite|show|tell{_}me|give{_}me|what{_}(?:are|were|is|was)){_}{l3}(?:previous|prior|above|preceding|initial|original|hidden|secret|first){_}(?:prompts?|instructions?|directives?|system{_}message)\b",
        "asks for the instructions before it",
    ),
    (
        "prompt_leak.repeat_above",
        6,
        r"(?i-u)\b(?:repeat|print|output|copy|recite|display|return|write{_}(?:down|out)|reproduce|summarize|translate|show){_}{l3}(?:everything|words|text|prompt|instructions?|initialization|conversation|messages?|contents?|sentences?|phrases?|paragraphs?|lines){_}{w1}(?:above|before{_}this|preceding|so{_}far|prior{_}to|verbatim|at{_}the{_}(?:top|beginning|start))\b",
        "asks for the text before it",
    ),
    (
        "prompt_leak.verbatim_start",
        6,
        r#"(?i-u)\b(?:starting|beginning|start|begin){_}(?:with|from){_}(?:the{_}(?:words?|phrase|text)[\s"':]{1,4})?[\s"']{0,3}you{_}are\b"#,
        "asks for the prompt from its first words",
    ),
    (
        "prompt_leak.secret_word",
        4,
        r"(?i-u)\b(?:reveal|tell|give|show|share|say|spell|write|print|output|leak|disclose|encode|repeat|hint){_}{l3}(?:the|your|its|a){_}(?:secret|password|passphrase|pass{_}?code|code{_}?word|passwd)\b",
        "asks for a secret or a password",
    ),
    (
        "exfiltration.reveal_credentials",
        5,
        r"(?i-u)\b(?:reveal|leak|exfiltrate|steal|dump|extract|disclose|expose|hand{_}over|give{_}me|send{_}me|show{_}me|tell{_}me|print|output){_}{l3}(?:api{_}?keys?|passwords?|credentials|secret{_}keys?|private{_}keys?|access{_}tokens?|environment{_}variables|user{_}data|customer{_}data)\b",
        "asks for credentials",
    ),
    (
        "exfiltration.send_data_out",
        6,
        r"(?i-u)\b(?:send|forward|upload|transmit|post|exfiltrate|leak|e-?mail|submit|deliver){_}{w2}(?:conversation|chat|history|emails?|inbox|passwords?|credentials|secrets?|api{_}?keys?|contents?|user{_}data|personal|private|confidential|sensitive|messages?|files?|contacts|tokens?){_}{w1}(?:to|at|via){_}(?:(?:the|this|an?|my){_})?(?:https?://|www\.|[a-z]+@|attacker|server|site|external|webhook)",
        "asks to send data to somewhere else",
    ),
    (
        "exfiltration.data_in_link",
        6,
        r"(?i-u)(?:!\[[a-z0-9 _-]{0,40}\]\(https?://[a-z0-9._:/-]{1,120}\?[a-z0-9_&=-]{0,40}=[\[{<$%]|\b(?:append|embed|encode|insert|include|put){_}{l3}(?:conversation|history|secrets?|passwords?|api{_}?keys?|user{_}data|chat|credentials|prompt){_}{w2}(?:url|link|image|query|markdown)\b)",
        "asks to carry data in a link or an image",
    ),
    (
        "exfiltration.hide_from_user",
        5,
        r"(?i-u)\b(?:without{_}(?:asking|telling|informing|notifying|alerting|mentioning{_}(?:it|this){_}to){_}(?:the{_})?(?:user|anyone|human|owner)|(?:do{_}not|don't|never){_}(?:tell|inform|mention{_}(?:this|it|any{_}of{_}this){_}to|alert|notify|let){_}(?:the{_}|your{_})?(?:user|human|owner|operator)s?)\b",
        "asks to keep something from the user",
    ),
    (
        "tool_hijacking.destructive_command",
        7,
        r#"(?i-u)\b(?:execute|run|call|invoke|perform|type|enter|exec|system){_}?[\s`"'(:]{0,4}(?:(?:this|the|following|command|please|bash|shell|a){_}){0,3}[\s`"'(:]{0,3}(?:sudo{_})?(?:rm\s+-(?:rf|fr|r\s+-f)\s+(?:--no-preserve-root\s+)?(?:/|~|\*|\$HOME)(?:[\s`"';)*]|\z)|del\s+/[fsq]|format\s+c:|mkfs\.|dd\s+if=/dev/(?:zero|random)|:\(\)\s?\{)"#,
        "asks to run a destructive command",
    ),
    (
        "tool_hijacking.command_in_code",
        5,
        r#"(?i-u)\b(?:os\.(?:system|popen|execl?)|subprocess\.(?:run|call|Popen|check_output)|child_process\.exec|shell_exec|Runtime\.getRuntime\(\)\.exec)\s?\(\s?["'\[]{0,3}(?:rm\s+-(?:rf|fr)|curl\s|wget\s|nc\s|bash\s+-[ic]|sh\s+-c|whoami|cat\s+/etc/|chmod\s|powershell)"#,
        "runs a shell command from code",
    ),
    (
        "tool_hijacking.use_tool_to_destroy",
        4,
        r"(?i-u)\buse{_}{w1}(?:bash|shell|terminal|tools?|command|functions?|python|console|powershell|sql|api|access|rm|curl){_}{w2}to{_}(?:delete|remove|erase|wipe|destroy|drop|overwrite|shut{_}?down|disable|kill)\b",
        "asks to destroy something with a tool",
    ),
    (
        "tool_hijacking.run_as_root",
        4,
        r"(?i-u)\b(?:run|execute|launch|start){_}(?:this|it|that|everything|the{_}following|all{_}commands|my{_}command)(?:{_}(?:command|script|code|file))?{_}(?:as|with|using|under){_}(?:sudo|administrator|root|admin)\b",
        "asks to run something with all rights",
    ),
    (
        "tool_hijacking.call_with_secret",
        4,
        r"(?i-u)\b(?:call|invoke|trigger){_}{w2}with{_}{w2}(?:passwords?|credentials|secrets?|private{_}keys?){_}?(?:values?|of|from|as|stored|in|you)\b",
        "asks to hand a secret to a tool",
    ),
    (
        "tool_hijacking.calls_tool_by_name",
        3,
        r"(?i-u)\b(?:issue|invoke|call|execute|trigger|make|perform){_}{l3}(?:send_email|send_message|api_call|delete_file|transfer_funds|execute_command|run_command|read_file|http_request|write_file)\b",
        "names a tool to be called",
    ),
];
