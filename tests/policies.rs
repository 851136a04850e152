//! Policies: what is wrong with a broken one is said in full, and the shipped ones do what they say.

use jiff::civil::{Date, date};
use sluicegate::diagnostic::Diagnostic;
use sluicegate::guard::Context;
use sluicegate::guard::body::{Outcome, inspect_text};
use sluicegate::policy::{
    self, OnError, Policy, Report, Respond, Source, check, compile, embedded,
};
use sluicegate::scan::engine::Engine;
use sluicegate::scan::segment::SegmentScan;
use sluicegate::text::Form;

const TODAY: Date = date(2026, 1, 31);

fn source(name: &str, text: &str) -> Source {
    Source {
        name: name.to_owned(),
        file: format!("{name}.yaml"),
        text: text.to_owned(),
    }
}

/// Compiles `text` as policy `p`, with these others to extend.
fn compiled(
    text: &str,
    others: &[(&str, &str)],
) -> Result<(Policy, Vec<Diagnostic>), Vec<Diagnostic>> {
    let load = |name: &str| {
        let other = others.iter().find(|(other, _)| *other == name)?;
        Some(source(other.0, other.1))
    };
    compile(&source("p", text), load, TODAY)
}

/// What is wrong with `text`, warnings included.
fn problems(text: &str) -> Vec<String> {
    let problems = match compiled(text, &[]) {
        Ok((_, warnings)) => warnings,
        Err(problems) => problems,
    };
    problems.iter().map(ToString::to_string).collect()
}

/// Broken policies, each with everything that is said about it.
const BROKEN: &[(&str, &[&str])] = &[
    (
        "request:\n  injection: {action: blok}\n  secrets: {action: off}\n  pii: {action: hold}\n",
        &[
            "p.yaml:2:23: unknown action \"blok\" in request.injection\n  expected: allow, log, redact, replace or block\n  help: did you mean \"block\"?",
            "p.yaml:3:21: request.secrets.action \"off\" is no action\n  expected: allow, log, redact, replace or block\n  help: write allow to switch it off",
            "p.yaml:4:17: request.pii.action \"hold\" is not available in this version\n  help: write block",
        ],
    ),
    (
        "request:\n  tools: {action: block}\n  injektion: {action: block}\n  secrets: {}\n",
        &[
            "p.yaml:2:3: request.tools is not available in this version\n  help: remove it",
            "p.yaml:3:3: unknown key \"injektion\" in request\n  expected: injection, secrets, pii, url, html, path, code, canary, size, classifier, toxicity, model, fence or rules\n  help: did you mean \"injection\"?",
            "p.yaml:4:12: request.secrets has no key \"action\"\n  help: add \"action\"",
        ],
    ),
    (
        "request:\n  classifier: {action: redact, kinds: [x]}\nresponse:\n  toxicity: {action: block, threshold: 0.5, flag: 0.6, kinds: [hat]}\n",
        &[
            "p.yaml:2:24: request.classifier.action \"redact\" has nothing to take out\n  expected: allow, log, replace or block",
            "p.yaml:2:32: unknown key \"kinds\" in request.classifier\n  expected: action, threshold, flag or message",
            "p.yaml:4:13: a flag above its threshold\n  expected: flag of at most threshold",
            "p.yaml:4:64: unknown kinds \"hat\" in response.toxicity\n  expected: toxic, hate, sexism or profanity\n  help: did you mean \"hate\"?",
        ],
    ),
    (
        "tools: []\nsessions: {half_life: 0s, low: redact, severe: log}\nstream: {mode: buffer, window_chars: 20}\non_error: stop\nobserve: yes\nname: q\n",
        &[
            "p.yaml:1:8: tools is an empty list\n  expected: at least one entry",
            "p.yaml:2:23: sessions.half_life is nothing\n  expected: a span of time such as 15m",
            "p.yaml:2:32: unknown low \"redact\" in sessions\n  expected: allow, log or block",
            "p.yaml:2:40: unknown key \"severe\" in sessions\n  expected: half_life, low, medium, high or critical",
            "p.yaml:3:38: stream.window_chars without mode: window\n  help: remove it, or set the mode",
            "p.yaml:4:11: unknown on_error \"stop\"\n  expected: block or allow",
            "p.yaml:5:10: observe is text\n  expected: true or false",
            "p.yaml:6:7: the policy's name is not that of its file\n  expected: \"p\"\n  help: keys and settings choose a policy by its file's name",
        ],
    ),
    (
        "request:\n  injection: {action: redact, level: severe, origins: []}\n  pii: {action: log, kinds: [e-mail]}\n  rules: {secrets.openai_kee: log}\n",
        &[
            "p.yaml:2:14: injection redacted from a level above low\n  expected: level: low, or action: block\n  help: what was found before the level is reached has passed already, so only part would be redacted",
            "p.yaml:2:38: unknown level \"severe\" in request.injection\n  expected: low, medium, high or critical",
            "p.yaml:2:55: request.injection.origins is an empty list\n  expected: at least one entry",
            "p.yaml:3:30: unknown kind \"e-mail\" in request.pii\n  help: did you mean \"email\"?",
            "p.yaml:4:11: unknown rule \"secrets.openai_kee\" in request.rules\n  help: did you mean \"secrets.openai_key\"?",
        ],
    ),
    (
        "response:\n  injection: {action: log, origins: [user]}\n",
        &[
            "p.yaml:2:28: unknown key \"origins\" in response.injection\n  expected: action, message or level",
        ],
    ),
    (
        "request:\n  model: {a: {action: block, when: flagged}}\n",
        &[
            "p.yaml:2:11: a second look by a without a first one\n  expected: the section classifier\n  help: add classifier, or write when: always",
        ],
    ),
    (
        "response:\n  model: {a: {action: block}}\n",
        &[
            "p.yaml:2:11: the model a judges answers, which do not wait for it\n  expected: stream: {mode: window} or {mode: buffer}",
        ],
    ),
    (
        "topics:\n  - {id: A b, pattern: x}\n  - {id: a}\n  - {id: b, pattern: y}\n  - {id: b, pattern: z, on: [], action: hold}\n",
        &[
            "p.yaml:2:10: topics[0].id cannot name a rule\n  expected: 1 to 40 lower-case letters, digits and \"_\"",
            "p.yaml:3:5: topics[1] has no key \"pattern\"\n  help: add \"pattern\"",
            "p.yaml:5:5: a second topic of this name\n  help: give each its own",
            "p.yaml:5:29: topics[3].on is an empty list\n  expected: at least one entry",
            "p.yaml:5:41: topics[3].action \"hold\" is not available in this version\n  help: write block",
        ],
    ),
    (
        "request: {secrets: {action: redact}}\nexceptions:\n  - {rule: secrets.openai_kee, text: x, reason: r}\n  - {rule: secrets.openai_key, text: x, reason: r, until: 2026-01-30}\n  - {rule: secrets.openai_key, text: x, reason: r, until: 2026-01-31}\n",
        &[
            "p.yaml:3:12: an exception from a rule that does not exist\n  help: did you mean \"secrets.openai_key\"?",
            "p.yaml:4:12: warning: the exception from secrets.openai_key expired after 2026-01-30\n  help: it has no effect any more: remove it, or set a later date",
        ],
    ),
    (
        "request:\n  canary: {action: log, marker: true}\nresponse:\n  canary: {action: log, marker: true}\n",
        &[
            "p.yaml:2:11: request.canary has no key \"words\"\n  help: add \"words\"",
            "p.yaml:2:25: unknown key \"marker\" in request.canary\n  expected: action, message or words",
            "p.yaml:4:33: response.canary.marker that would reach clients\n  expected: action: redact, replace or block",
        ],
    ),
    (
        "tools:\n  - {name: a, action: redact}\n  - {name: b, action: replace, on: [offer]}\n  - {name: c, action: allow, schema: {type: object}}\n  - {name: d, action: block, on: [offer, call], arguments: {x: {code: high}}}\n  - {name: e, action: block, schema: {type: objekt}}\n  - {name: f, action: block, arguments: {x: {}, y: {pattern: '(a'}}}\n",
        &[
            "p.yaml:2:5: a tool cannot be redacted\n  expected: action: allow, log, replace or block",
            "p.yaml:3:5: the offer of a tool cannot be replaced\n  expected: action: allow, log or block, or on: [call]",
            "p.yaml:4:5: a rule that allows what does not fit its schema\n  expected: action: log, replace or block, and a later rule for what fits",
            "p.yaml:5:5: the offer of a tool has no arguments\n  expected: on: [call], and another rule for offers",
            "p.yaml:6:38: tools[4].schema is no JSON Schema: \"objekt\" is not valid under any of the schemas listed in the 'anyOf' keyword\n  expected: draft 2020-12, patterns without look-around",
            "p.yaml:7:45: tools[5].arguments.x says nothing\n  expected: a scanner with a level, pattern or unless",
            "p.yaml:7:62: tools[5].arguments.y.pattern is no valid pattern\n  expected: the syntax of the regex crate",
        ],
    ),
    (
        "exceptions:\n  - {rule: secrets.openai_key, text: \" \", until: soon}\n  - all\n",
        &[
            "p.yaml:2:5: exceptions[0] has no key \"reason\"\n  help: add \"reason\"",
            "p.yaml:2:38: exceptions[0].text is empty\n  expected: text",
            "p.yaml:2:50: exceptions[0].until is text\n  expected: a date: 2027-12-31",
            "p.yaml:3:5: exceptions[1] is text\n  expected: a map",
        ],
    ),
    (
        "tests:\n  - {name: a, request: x, response: y, expect: allow}\n  - {name: b, request: x, expect: block, output: x}\n  - {name: b, request: x, expect: maybe}\n  - {name: c, expect: log}\n",
        &[
            "p.yaml:2:5: a test without exactly one text or call\n  expected: either request, response or call",
            "p.yaml:3:5: an output of a test that expects block\n  help: nothing leaves when a text is blocked: remove output",
            "p.yaml:4:35: unknown expect \"maybe\" in tests[2]\n  expected: allow, log, redact, replace or block",
            "p.yaml:5:5: a test without exactly one text or call\n  expected: either request, response or call",
        ],
    ),
    (
        "version: 2\nshiny: 1\nrequest: {secrets: {action: redact}, tools: {action: block}}\n",
        &[
            "p.yaml:1:10: warning: the policy is written for version 2\n  expected: version 1 or older\n  help: keys that this program does not know have no effect",
            "p.yaml:2:1: warning: unknown key \"shiny\" in the document\n  expected: version, name, extends, description, on_error, unknown, media, respond, message, observe, stream, tools, placeholders, sessions, request, response, topics, exceptions or tests",
            "p.yaml:3:38: warning: request.tools is not available in this version\n  help: remove it",
        ],
    ),
    (
        "request: {size: {action: redact}, code: {action: log, in: []}}\n",
        &[
            "p.yaml:1:17: request.size without a limit\n  expected: segment_chars, segment_tokens, total_chars or total_tokens",
            "p.yaml:1:17: request.size cannot edit what is too long\n  expected: action: log or block; replace in answers",
            "p.yaml:1:59: request.code.in is an empty list\n  expected: at least one entry",
        ],
    ),
    (
        "version: 0\n",
        &["p.yaml:1:10: version is 0\n  expected: a whole number from 1 to 4294967295"],
    ),
    (
        "description: nothing\n",
        &[
            "p.yaml: warning: no rule is switched on: everything passes\n  help: add a section such as secrets under request or response",
        ],
    ),
    (
        "request: {secrets: {action: redact}}\nrequest: {secrets: {action: allow}}\n",
        &[
            "p.yaml:2:1: key \"request\" written twice\n  help: it was first written in line 1; keep one of them",
        ],
    ),
    (
        "extends: base\n",
        &[
            "p.yaml:1:10: extends a policy that does not exist\n  expected: the name of a policy\n  help: add its file to the policies folder, or name default, strict or observe",
        ],
    ),
];

#[test]
fn broken_policies_are_explained() {
    for (text, expected) in BROKEN {
        assert_eq!(problems(text), *expected, "{text}");
    }
}

#[test]
fn a_pattern_that_cannot_run_is_refused_at_its_place() {
    for pattern in ["(a", r"(a)\1", "a{2,1}"] {
        let text = format!("topics:\n  - id: a\n    pattern: '{pattern}'\n");
        let found = problems(&text);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(
            found[0].starts_with("p.yaml:3:14: the pattern of topic.a cannot be used: "),
            "{found:?}"
        );
        assert!(found[0].contains("\n  help: "), "{found:?}");
    }
}

#[test]
fn a_policy_takes_from_its_parent_what_it_leaves_open() {
    let base = "on_error: allow\nrespond: message\nmessage: base\nrequest:\n  secrets: {action: block}\n  rules: {secrets.openai_key: log}\ntopics: [{id: t, pattern: aaa}, {id: u, pattern: bbb}]\ntests: [{name: x, request: x, expect: allow}]\n";
    let child = "extends: base\nrespond: error\nrequest:\n  pii: {action: redact}\ntopics: [{id: t, pattern: ccc, on: [request]}]\n";
    let (policy, warnings) = compiled(child, &[("base", base)]).unwrap();
    assert!(warnings.is_empty(), "{warnings:?}");
    assert_eq!(
        (policy.on_error, policy.respond),
        (OnError::Allow, Respond::Error)
    );
    assert_eq!(policy.message, "base");
    assert!(policy.cases.is_empty());
    let ids = |side: &sluicegate::policy::Side| {
        side.engine
            .rules()
            .map(|rule| (rule.id.to_string(), rule.pattern.to_string()))
            .collect::<Vec<_>>()
    };
    let request = ids(&policy.request);
    let has = |id: &str| request.iter().any(|(own, _)| own == id);
    assert!(
        has("pii.email") && has("secrets.openai_key") && has("topic.u"),
        "{request:?}"
    );
    assert!(
        request.contains(&("topic.t".to_owned(), "ccc".to_owned())),
        "{request:?}"
    );
    assert_eq!(
        ids(&policy.response),
        [("topic.u".to_owned(), "bbb".to_owned())]
    );
}

#[test]
fn policies_that_extend_each_other_are_refused() {
    let problems = compiled("extends: b\n", &[("b", "extends: p\n")]).unwrap_err();
    let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        problems,
        [
            "b.yaml:1:10: policies that extend each other: p, b, p\n  help: let one of them stand by itself"
        ]
    );
    let problems = compiled("extends: b\n", &[("b", "request: 1\n")]).unwrap_err();
    assert_eq!(problems[0].file, "b.yaml");
}

#[test]
fn the_shipped_policies_show_what_they_do() {
    for (name, text) in embedded() {
        let (policy, warnings) = compile(&source(name, text), |_| None, TODAY)
            .unwrap_or_else(|problems| panic!("{problems:#?}"));
        assert!(warnings.is_empty(), "{warnings:?}");
        assert_eq!(policy.observe, name == "observe");
        assert_eq!(policy.on_error, OnError::Block);
        assert!(policy.cases.len() >= 8, "{name}");
        assert_eq!(failures(&policy), [""; 0], "{name}");
    }
}

/// Scanners that need an operator's words or numbers have their cases in policies.
#[test]
fn scanners_that_need_settings_find_what_they_should() {
    for (name, text) in [
        ("canary", include_str!("cases/policies/canary.yaml")),
        ("topic", include_str!("cases/policies/topic.yaml")),
        ("size", include_str!("cases/policies/size.yaml")),
    ] {
        let (policy, warnings) = compiled(text, &[]).unwrap();
        assert!(warnings.is_empty(), "{warnings:?}");
        assert!(policy.cases.len() >= 7, "{name}");
        assert_eq!(failures(&policy), [""; 0], "{name}");
    }
}

/// What fails when the policy's own tests run through the guard.
fn failures(policy: &Policy) -> Vec<String> {
    let reports = check(policy, |direction, text| {
        let inspection = inspect_text(
            Context::default(),
            direction,
            text.to_owned().into(),
            policy,
        );
        let output = match inspection.outcome {
            Outcome::Clear(cleared) => String::from_utf8(cleared.into_bytes().to_vec()).ok(),
            Outcome::Refuse(_) | Outcome::Fail(_) => None,
        };
        policy::Outcome {
            verdict: inspection.verdict,
            output,
        }
    });
    let failure = |report: Report| Some(report.failure?.to_string());
    reports.into_iter().filter_map(failure).collect()
}

#[test]
fn a_failing_test_of_a_policy_says_why() {
    let text = "request: {secrets: {action: redact}}\ntests:\n  - {name: a, request: \"x AKIAIOSFODNN7EXAMPLE\", expect: allow}\n  - {name: b, request: \"x AKIAIOSFODNN7EXAMPLE\", expect: redact, output: \"x [AWS]\"}\n  - {name: c, request: plain, expect: block}\n";
    let (policy, _) = compiled(text, &[]).unwrap();
    assert_eq!(
        failures(&policy),
        [
            "p.yaml:3:5: test \"a\" ended in redact\n  expected: allow\n  help: rules that matched: secrets.aws_access_key",
            "p.yaml:4:5: test \"b\": the text that left is \"x [AWS_ACCESS_KEY]\"\n  expected: \"x [AWS]\"\n  help: the two differ from character 7 on",
            "p.yaml:5:5: test \"c\" ended in allow\n  expected: block\n  help: no rule matched",
        ]
    );
}

#[test]
fn every_example_of_the_documentation_compiles() {
    let page = include_str!("../docs/POLICY.md");
    let examples: Vec<&str> = page
        .split("```yaml\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .collect();
    assert!(examples.len() >= 5);
    let load = |name: &str| {
        let (_, text) = embedded().into_iter().find(|(own, _)| *own == name)?;
        Some(source(name, text))
    };
    for example in examples {
        let named = example
            .strip_prefix("# policies/")
            .and_then(|rest| rest.split('.').next());
        let result = compile(&source(named.unwrap_or("p"), example), load, TODAY);
        let problems = result.map_or_else(|problems| problems, |(_, warnings)| warnings);
        assert!(problems.is_empty(), "{example}\n{problems:#?}");
    }
}

/// All scanners of both sides.
const EVERYTHING: &str = "
request: {injection: {action: log}, secrets: {action: log}, pii: {action: log}, url: {action: log}, html: {action: log}, path: {action: log}, code: {action: log}}
response: {secrets: {action: redact}, pii: {action: redact}, url: {action: redact}, html: {action: redact}, path: {action: log}, code: {action: log}}
";

/// Whether a text keeps more under way than a scan may.
fn is_too_much(engine: &Engine, text: &str) -> bool {
    let (whole, piece) = (
        SegmentScan::whole(Form::Plain),
        SegmentScan::new(Form::Plain),
    );
    [whole, piece].into_iter().any(|mut scan| {
        let mut findings = Vec::new();
        let pushed = scan.push(engine, text, &mut findings);
        pushed.is_err() || scan.finish(engine, &mut findings).is_err()
    })
}

#[test]
fn no_ruler_or_pattern_of_signs_is_too_much_to_scan() {
    let printable = || (b' '..=b'~').map(char::from);
    let signs = || printable().filter(|sign| !sign.is_ascii_alphanumeric());
    let pairs = signs().flat_map(|first| signs().map(move |second| format!("{first}{second}")));
    let alone = printable().map(String::from);
    let words = [
        "\n",
        "\t",
        "1.",
        "1 ",
        "12 ",
        "0x",
        "00 ff ",
        "a b ",
        "ACGT",
        "../",
        "%2e",
        "| ",
        "--- ",
        "|---",
        "+--",
        "&amp;",
        "&#",
        "http://",
        "AKIA",
        "sk-",
        "key=",
        "password:",
        "BEGIN ",
        "END ",
        "system: ",
        "[INST] ",
        "1.25,-3\n",
        "\u{e9}",
        "\u{4e2d}",
        "\u{200b}",
    ];
    let units: Vec<String> = alone.chain(words.map(String::from)).collect();
    let everything = [("everything", EVERYTHING)];
    let policies: Vec<Policy> = embedded()
        .into_iter()
        .chain(everything)
        .map(|(name, text)| compile(&source(name, text), |_| None, TODAY).unwrap().0)
        .collect();
    let sides = policies
        .iter()
        .flat_map(|policy| [&policy.request, &policy.response]);
    for side in sides {
        let long = units.iter().map(|unit| unit.repeat(3000 / unit.len()));
        for text in long.chain(pairs.clone().map(|unit| unit.repeat(60))) {
            assert!(!is_too_much(&side.engine, &text), "{text:.20}");
        }
    }
}
