//! Instruction override, context manipulation and persistence.

use super::Row;

pub(super) const ROWS: &[Row] = &[
    (
        "instruction_override.ignore_previous",
        7,
        r"(?i-u)\b(?:ignor(?:e|ing)|disregard(?:ing)?|forget|overrid(?:e|ing)|bypass(?:ing)?|discard|overlook|neglect|pay{_}no{_}attention{_}to|do{_}not{_}(?:follow|obey)|don't{_}(?:follow|obey)|stop{_}following){_}(?:(?:any|all|and|of|the|your|my|our|these|those|every){_}){0,5}{w1}(?:previous|prior|preceding|above|earlier|former|foregoing|original|initial|past){_}{w1}(?:instruct(?:ions?)?|prompts?|directions?|directives?|commands?|guidelines?|orders?|programming|training|constraints?|restrictions?|rules?)\b",
        "tells the model to drop the instructions before it",
    ),
    (
        "instruction_override.ignore_given",
        7,
        r"(?i-u)\b(?:ignore|disregard|forget|override|bypass){_}{w2}(?:instructions?|prompts?|directives?|commands?|guidelines?|rules|orders){_}(?:(?:that|which){_})?(?:above|before|so{_}far|until{_}now|(?:you|your|u){_}(?:got|were|where|was|have|had|received|ve){_}{w1}(?:given|told|received|got|before|by)|given{_}(?:to{_}you|before|above|earlier)|(?:i|we){_}(?:gave|told){_}you)\b",
        "tells the model to drop the instructions it was given",
    ),
    (
        "instruction_override.ignore_everything",
        7,
        r"(?i-u)\b(?:ignore|disregard|forget){_}(?:absolutely{_})?(?:(?:everything|anything|all)(?:{_}(?:of|that|which|was|is|the|has|been|written|stated|said|mentioned|text|content)){0,4}{_}(?:above\b|before{_}(?:this|that|now)\b|previously\b|you{_}(?:know|knew|learned|were{_}told|have{_}been{_}(?:told|taught)|ve{_}been{_}(?:told|taught)|where{_}told)\b|(?:previous|prior|preceding)\s{0,2}(?:[.!,;:?)]|\z)))",
        "tells the model to drop everything before it",
    ),
    (
        "instruction_override.ignore_your_rules",
        7,
        r"(?i-u)\b(?:ignor(?:e|ing)|disregard|forget|overrid(?:e|ing)|bypass(?:ing)?|break|violate|abandon|drop|discard|suspend|do{_}not{_}(?:follow|obey|adhere{_}to)|don't{_}(?:follow|obey)|stop{_}following){_}(?:all{_}|any{_}|every{_}|each{_})?(?:of{_})?your{_}{w2}(?:instructions?|guidelines?|rules?|programming|restrictions?|safeguards?|filters?|protocols?|policies|policy|ethics|directives?|prompts?|constraints?|limitations?|guardrails?)\b",
        "tells the model to drop its own rules",
    ),
    (
        "instruction_override.ignore_all_rules",
        4,
        r"(?i-u)\b(?:ignore|disregard|forget|override|bypass){_}(?:all|any|every|the|these|those|system){_}{w2}(?:instructions?|guidelines?|rules|restrictions|safeguards?|directives?|prompts?|guardrails?)\b",
        "speaks of ignoring rules or instructions",
    ),
    (
        "instruction_override.ignore_above_text",
        5,
        r"(?i-u)\b(?:ignore|disregard|forget){_}(?:all{_})?(?:of{_})?(?:the{_}|any{_}|your{_})?(?:above|previous|prior|preceding){_}(?:information|text|messages?|content|context|conversation|statements?|document|input|tasks?|data|paragraph)\b",
        "tells the model to drop the text before it",
    ),
    (
        "instruction_override.disable_safety",
        4,
        r"(?i-u)\b(?:override|bypass|disable|deactivate|circumvent|evade|turn{_}off|remove|skip){_}{w2}(?:security|safety|content|ethical|moderation|ai){_}{w1}(?:protocols?|filters?|filtering|measures?|policy|policies|checks?|guardrails?|restrictions?|controls?|guidelines?|mechanisms?|constraints?|features?|rules)\b",
        "speaks of getting around safety measures",
    ),
    (
        "instruction_override.new_instructions",
        5,
        r"(?i-u)\bnew{_}(?:and{_}improved{_})?(?:system{_})?(?:instructions?|directives?|orders?|rules|prompt|task){_}?(?::|=|(?:now{_})?apply\b|are{_}as{_}follows\b)",
        "announces new instructions",
    ),
    (
        "instruction_override.your_new_instructions",
        7,
        r"(?i-u)\byour{_}(?:new|real|actual|true|updated){_}{w1}(?:instructions?|directives?|orders?|rules|prompt|task|goal|objective|mission|purpose){_}(?:is|are|will{_}be)\b",
        "gives the model new instructions in place of its own",
    ),
    (
        "instruction_override.instructions_void",
        7,
        r"(?i-u)\b(?:previous|prior|above|earlier|original|initial|preceding|your|existing|former){_}(?:system{_})?(?:instructions?|rules|prompts?|guidelines|directives?|restrictions|commands?|orders){_}(?:are|were|is|was|have{_}been|has{_}been){_}{w2}(?:void|null|cancell?ed|obsolete|outdated|superseded|overridden|overruled|revoked|invalid|lifted|suspended|suppressed|disabled|deleted|reset|removed|just{_}a{_}test|no{_}longer)\b",
        "says that earlier instructions no longer hold",
    ),
    (
        "instruction_override.end_of_prompt",
        4,
        r"(?i-u)\bend{_}of{_}(?:the{_})?(?:system{_}|user{_}|initial{_})?(?:prompt|instructions?)\b",
        "claims that the prompt ends here",
    ),
    (
        "instruction_override.instead_of_following",
        6,
        r"(?i-u)\binstead{_}of{_}(?:following|obeying|doing|answering){_}{w2}(?:your|the{_}(?:above|previous|prior|original|system)){_}{w2}(?:instructions?|rules|prompt|guidelines|directives?|task|commands?)\b",
        "puts something else in place of the instructions",
    ),
    (
        "instruction_override.follow_only_mine",
        6,
        r"(?i-u)\b(?:only{_}(?:follow|obey|listen{_}to)|(?:follow|obey|listen{_}to){_}only){_}(?:my|me|these|the{_}following|what{_}i)\b",
        "asks to be obeyed alone",
    ),
    (
        "context_manipulation.announced_mode",
        5,
        r"(?i-u)\b(?:new{_}context|system{_}prompt|(?:admin|administrator|developer|dev|debug|maintenance|god|root|sudo|test|diagnostic){_}mode)\s*:",
        "announces a new context or a privileged mode",
    ),
    (
        "context_manipulation.mode_enabled",
        6,
        r"(?i-u)\b(?:admin|administrator|developer|dev|god|jailbreak|dan|root|sudo|unrestricted|unfiltered|evil|override){_}mode{_}(?:is{_}|has{_}been{_})?(?:now{_})?(?:enabled|activated|engaged|unlocked|on)\b",
        "claims that a privileged mode is on",
    ),
    (
        "context_manipulation.claims_authority",
        4,
        r"(?i-u)\b(?:i am|i'm|this is){_}(?:your|the|an|a){_}(?:real{_}|system{_}|lead{_}|authorized{_}|openai{_}|senior{_})?(?:developer|creator|administrator|admin|programmer|maker|operator|superuser|system){_}(?:of{_}(?:this|the|you)|and|so|,|speaking|who|with|team)",
        "claims to be the one who gives orders",
    ),
    (
        "context_manipulation.addresses_assistant",
        4,
        r"(?i-u)\b(?:instructions?|note|message|notice|attention|reminder|important){_}?(?::{_}?)?(?:to|for){_}(?:the{_}|any{_}|all{_})?(?:ai|assistants?|language{_}models?|llms?|chatbots?)(?:{_}(?:assistants?|agents?|models?|reading|processing|systems?))?\b",
        "addresses the model that reads a document",
    ),
    (
        "context_manipulation.conversation_reset",
        5,
        r"(?i-u)\b(?:reset|clear|wipe|purge|erase|delete){_}(?:all{_}(?:of{_})?)?(?:your|the{_}(?:entire|whole|current|previous)){_}{w2}(?:memory|context|conversation|instructions?|programming|training|prompt)\b",
        "asks the model to lose its context",
    ),
    (
        "persistence_attempts.remember_forever",
        4,
        r"(?i-u)\b(?:remember|save|store|memorize|keep){_}(?:this|these|that|it){_}{w3}(?:forever|permanently|always|indefinitely|in{_}(?:your{_})?(?:long{_}term{_})?memory)\b",
        "asks the model to keep something for good",
    ),
    (
        "persistence_attempts.from_now_on",
        4,
        r"(?i-u)\bfrom{_}(?:now|this{_}(?:point|moment)){_}(?:on(?:wards?)?|forward){_}(?:(?:you|please|and|will|must|should|shall|are|to|have|can|going){_}){0,4}(?:always|only|never|act|answer|respond|reply|ignore|refuse|speak|behave)\b",
        "changes how the model behaves from here on",
    ),
    (
        "persistence_attempts.permanent_change",
        4,
        r"(?i-u)\bpermanently{_}(?:change|alter|modify|adopt|rewrite|override|disable|update|forget|ignore)\b",
        "asks for a permanent change",
    ),
    (
        "persistence_attempts.all_future",
        3,
        r"(?i-u)\b(?:in|for|across|to){_}(?:all|every|any){_}(?:future|subsequent|following|other){_}{w1}(?:conversations?|sessions?|responses?|chats?|messages?|replies|answers?|interactions?|users?)\b",
        "reaches for later conversations",
    ),
];
