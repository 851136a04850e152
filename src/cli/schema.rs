//! JSON Schemas (2020-12) of the files that people write, for editors: made from what the program's own parsers take.

use clap::ValueEnum;
use serde_json::{Map, Value, json};

use crate::document::{Field, Shape};
use crate::{config, policy};

/// A kind of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Kind {
    /// A policy
    Policy,
    /// The server file
    Config,
}

/// Longer lists of words are written once and referred to.
const MAX_INLINE_WORDS: usize = 12;

/// What each key of a policy means, by the end of its path.
const ABOUT: &[(&str, &str)] = &[
    (
        "version",
        "Version of this format. Under a newer one than the program knows (1), unknown keys are warnings.",
    ),
    ("tests.name", "Unique in this policy."),
    (
        "tools.name",
        "The tools it is about; * stands for any characters.",
    ),
    (
        "rules.name",
        "The tools it is about; * stands for any characters.",
    ),
    ("call.name", "The tool."),
    ("name", "The policy's name; must be that of the file."),
    ("description", "For people."),
    (
        "extends",
        "Another policy, from which everything is taken that this file leaves open.",
    ),
    (
        "model.on_error",
        "What happens where the model gives no answer. Default: as the policy's.",
    ),
    (
        "on_error",
        "What happens where a text cannot be judged. Default: block.",
    ),
    (
        "unknown",
        "What happens to bodies and events of shapes that their API does not have. Default: scan.",
    ),
    (
        "media",
        "What happens to images, audio, files and token numbers, which nothing scans. Default: pass.",
    ),
    (
        "respond",
        "How a refused client learns of it: by its API's own error, or by a message of the assistant. Default: error.",
    ),
    (
        "topics.message",
        "What a refused client is told. Default: the policy's message.",
    ),
    ("message", "What a refused client is told."),
    (
        "observe",
        "Everything is decided and recorded, nothing is enforced. Default: false.",
    ),
    ("stream", "When the text of a streamed answer leaves."),
    (
        "mode",
        "As soon as no match needs it any more, by windows, or at the answer's end. Default: holdback.",
    ),
    (
        "window_chars",
        "Characters that are read at once. Default: 800.",
    ),
    (
        "overlap_chars",
        "Characters of a window that belong to the next one too. Default: 100.",
    ),
    (
        "buffer_bytes",
        "The most bytes of an answer that are kept. Default: 4MiB.",
    ),
    (
        "tools",
        "Which tools may be offered and called: the first rule that fits decides.",
    ),
    (
        "tools.rules",
        "The rules, where other settings stand beside them.",
    ),
    (
        "tools.on",
        "When a client offers the tool, or a model calls it. Default: call.",
    ),
    (
        "rules.on",
        "When a client offers the tool, or a model calls it. Default: call.",
    ),
    (
        "call.arguments",
        "What the tool is given. Default: nothing.",
    ),
    (
        "arguments",
        "What must hold of arguments, by path: keys with dots between, * for any key.",
    ),
    (
        "unless",
        "A regular expression that one of the texts does not match.",
    ),
    (
        "schema",
        "JSON Schema (2020-12); the rule is about calls whose arguments do not fit it.",
    ),
    ("call", "A call of a tool in an answer."),
    (
        "hold_arguments",
        "The arguments of a tool call leave only when they are complete. Default: false.",
    ),
    (
        "sessions",
        "What repeated findings do to an end user or session: actions by threat level.",
    ),
    (
        "half_life",
        "The time in which what was found counts half. Default: 15m.",
    ),
    ("low", "From the first finding on. Default: allow."),
    ("medium", "After one refused request. Default: allow."),
    ("high", "After two. Default: allow."),
    ("critical", "After three. Default: allow."),
    ("tests.request", "What a user says."),
    ("tests.response", "What a model says."),
    ("request", "What to look for on the way to the model."),
    ("response", "What to look for on the way back."),
    (
        "injection",
        "Attempts to change what a model was told to do. The scores of the rules that match are summed to a level.",
    ),
    (
        "level",
        "The level from which the action is taken; below it, matches are logged. Default: high.",
    ),
    ("origins", "Whose text counts. Default: everyone's."),
    ("secrets", "Credentials."),
    ("pii", "Personal data."),
    (
        "url",
        "Addresses that no request should go to, and links that carry data away.",
    ),
    ("html", "What a browser would run."),
    (
        "path",
        "Files and places in file systems that tools should not touch.",
    ),
    (
        "code",
        "Commands and calls that do harm when a tool runs them.",
    ),
    ("in", "Where in an answer its matches count."),
    ("size", "Texts that are too long."),
    ("segment_chars", "The most characters of one text."),
    ("segment_tokens", "The most tokens of one text."),
    ("total_chars", "The most characters of all texts together."),
    ("total_tokens", "The most tokens of all texts together."),
    ("canary", "Words that must not come back."),
    (
        "classifier",
        "A trained judge of injection and jailbreak; docs/DETECTION.md says what it finds.",
    ),
    (
        "toxicity",
        "A trained judge of insults, hate and the like; docs/DETECTION.md says what it finds.",
    ),
    (
        "model",
        "Models that the operator supplies, by their names in the server file.",
    ),
    (
        "when",
        "About every text, or as a second look: about what classifier would at least log. Default: always.",
    ),
    (
        "grey",
        "A second look at windows whose probability by classifier is within these two.",
    ),
    (
        "labels",
        "The model's labels that count. Default: those that its folder names.",
    ),
    (
        "shadow",
        "What the model says is recorded and never acts. Default: false.",
    ),
    (
        "optional",
        "Where the model cannot be used, the policy goes on without it. Default: false.",
    ),
    ("sha256", "The digest that the model's file must have."),
    (
        "threshold",
        "The probability from which the action is taken, or one for each origin; by default the model's own.",
    ),
    (
        "flag",
        "The probability from which a text is logged, and the action taken where a pattern agrees.",
    ),
    (
        "marker",
        "A marker of the gateway's own is put at the end of system prompts. Default: false.",
    ),
    (
        "words",
        "Text that stands in your prompts only; at least 8 characters each.",
    ),
    (
        "action",
        "What is done about a match. The strictest action of all wins.",
    ),
    (
        "kinds",
        "Which of the scanner's rules are on. Default: all.",
    ),
    (
        "allow",
        "Hosts that may be named; every other one is then found.",
    ),
    ("deny", "Hosts that may not be named."),
    (
        "placeholders",
        "How long a value of reversible redaction keeps its placeholder. Default: exchange.",
    ),
    (
        "reversible",
        "What is redacted is put back into the answer. Default: false.",
    ),
    (
        "fence",
        "Tool results and documents go up between marks. Default: false.",
    ),
    ("rules", "Actions for single rules, by id."),
    ("topics", "Patterns of your own."),
    ("exceptions", "Matches that mean nothing."),
    (
        "tests",
        "Texts, and what this policy must do with them: sluicegate check runs them.",
    ),
    ("topics.on", "Which way. Default: both."),
    (
        "id",
        "Lower-case letters, digits and _: the rule is topic.ID.",
    ),
    (
        "pattern",
        "A regular expression; \\w, \\d, \\s and \\b mean ASCII.",
    ),
    (
        "exceptions.rule",
        "The id of the rule whose match means nothing.",
    ),
    ("text", "The match, letter by letter."),
    ("reason", "Why, for whoever reads this in a year."),
    (
        "until",
        "The last day on which it holds, such as 2027-12-31.",
    ),
    ("expect", "The strictest action that must be decided on."),
    ("output", "The text that must leave."),
];

/// The schema of a kind of file, as it is kept in the repository.
pub(super) fn text(kind: Kind) -> String {
    let (shape, title) = match kind {
        Kind::Policy => (policy::outline(), "A policy of Sluicegate"),
        Kind::Config => (config::outline(), "The server file of Sluicegate"),
    };
    let mut schema = Schema {
        kind,
        words: Map::new(),
    };
    let body = schema.of(&shape, "");
    let mut whole = Map::new();
    whole.insert(
        "$schema".to_owned(),
        json!("https://json-schema.org/draft/2020-12/schema"),
    );
    whole.insert("title".to_owned(), json!(title));
    if let Value::Object(body) = body {
        whole.extend(body);
    }
    whole.insert("$defs".to_owned(), Value::Object(schema.words));
    format!("{:#}\n", Value::Object(whole))
}

struct Schema {
    kind: Kind,
    /// Long lists of words by name.
    words: Map<String, Value>,
}

impl Schema {
    fn of(&mut self, shape: &Shape, path: &str) -> Value {
        match shape {
            Shape::Any => json!({}),
            Shape::Text(None) => json!({"type": "string"}),
            Shape::Text(Some(pattern)) => json!({"type": "string", "pattern": pattern}),
            Shape::Boolean => json!({"type": "boolean"}),
            Shape::Integer(from, to) => range("integer", &json!(from), json!(to)),
            Shape::Number(from, to) => range("number", &json!(from), json!(to)),
            Shape::Words(words) => self.words(words, path),
            Shape::List(item) => json!({"type": "array", "items": self.of(item, path)}),
            Shape::Map(keys, values) => json!({
                "type": "object",
                "propertyNames": self.of(keys, path),
                "additionalProperties": self.of(values, path),
            }),
            Shape::Fields(fields) => self.fields(fields, path),
            Shape::Either(shapes) => {
                let any: Vec<Value> = shapes.iter().map(|shape| self.of(shape, path)).collect();
                json!({"anyOf": any})
            }
            Shape::Null => json!({"type": "null"}),
        }
    }

    fn words(&mut self, words: &[String], path: &str) -> Value {
        if words.len() <= MAX_INLINE_WORDS {
            return json!({"enum": words});
        }
        // The same in requests and responses.
        let name = path.split_once('.').map_or(path, |(_, name)| name);
        self.words.insert(name.to_owned(), json!({"enum": words}));
        json!({"$ref": format!("#/$defs/{name}")})
    }

    fn fields(&mut self, fields: &[Field], path: &str) -> Value {
        let mut properties = Map::new();
        for field in fields {
            let path = [path, field.name]
                .into_iter()
                .filter(|step| !step.is_empty());
            let path = path.collect::<Vec<_>>().join(".");
            let mut property = self.of(&field.shape, &path);
            if let (Some(about), Some(property)) = (self.about(&path), property.as_object_mut()) {
                property.insert("description".to_owned(), json!(about));
            }
            properties.insert(field.name.to_owned(), property);
        }
        let required: Vec<&str> = fields
            .iter()
            .filter(|field| field.required)
            .map(|field| field.name)
            .collect();
        let mut schema =
            json!({"type": "object", "properties": properties, "additionalProperties": false});
        if let (false, Some(schema)) = (required.is_empty(), schema.as_object_mut()) {
            schema.insert("required".to_owned(), json!(required));
        }
        schema
    }

    /// What a key of a policy means.
    fn about(&self, path: &str) -> Option<&'static str> {
        let ends = |end: &str| {
            path.strip_suffix(end)
                .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        };
        let policy = self.kind == Kind::Policy;
        let mut known = ABOUT.iter().filter(|(end, _)| policy && ends(end));
        known.next().map(|(_, about)| *about)
    }
}

/// A number; bounds that only the type sets are left out.
fn range(kind: &str, from: &Value, to: Value) -> Value {
    let mut schema = json!({"type": kind, "minimum": from});
    if let (false, Some(schema)) = (to == json!(i64::MAX), schema.as_object_mut()) {
        schema.insert("maximum".to_owned(), to);
    }
    schema
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::document::{self, Reader};

    const FILES: [(Kind, &str, &str); 2] = [
        (Kind::Policy, "policy", "policies/schema.json"),
        (Kind::Config, "config", "docs/sluicegate.schema.json"),
    ];

    fn read(file: &str) -> String {
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap()
    }

    fn problems(schema: &str, yaml: &str) -> Vec<String> {
        let schema = serde_json::from_str(schema).unwrap();
        let validator = jsonschema::draft202012::new(&schema).unwrap();
        let written = document::parse("f.yaml", yaml).unwrap();
        let value = document::json(&mut Reader::new(""), &written).unwrap();
        validator
            .iter_errors(&value)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect()
    }

    #[test]
    fn the_files_kept_are_what_parsers_take() {
        for (kind, name, file) in FILES {
            assert!(
                read(file) == text(kind),
                "{file} is out of date: run `cargo run -- check --schema {name} > {file}`"
            );
        }
    }

    #[test]
    fn shipped_files_fit() {
        for (_, yaml) in policy::embedded() {
            assert_eq!(problems(&text(Kind::Policy), yaml), [""; 0]);
        }
        assert_eq!(
            problems(&text(Kind::Config), &read("docs/sluicegate.example.yaml")),
            [""; 0]
        );
        let more = "version: 1\nextends: default\nstream: {mode: window, window_chars: 20}\nrequest:\n  pii: {action: redact, kinds: [email], reversible: true}\n  rules: {secrets.openai_key: block}\ntopics: [{id: a, pattern: b, on: [request]}]\nexceptions: [{rule: topic.a, text: b, reason: c, until: 2027-12-31}]\n";
        assert_eq!(problems(&text(Kind::Policy), more), [""; 0]);
    }

    #[test]
    fn what_the_program_refuses_does_not_fit() {
        for wrong in [
            "nmae: x",
            "on_error: pass",
            "observe: yes",
            "version: 0",
            "request: {secrets: {}}",
            "request: {secrets: {action: blok}}",
            "request: {secrets: {action: block, kinds: [email]}}",
            "request: {rules: {secrets.openai_kee: block}}",
            "response: {fence: true}",
            "stream: {mode: window, window_chars: 3}",
            "topics: [{id: a}]",
            "exceptions: [{rule: topic.a, text: b}]",
            "tests: {}",
        ] {
            assert!(
                !problems(&text(Kind::Policy), wrong).is_empty(),
                "{wrong} fits"
            );
            let source = policy::Source {
                name: "p".into(),
                file: "p.yaml".into(),
                text: wrong.into(),
            };
            assert!(
                policy::compile(&source, |_| None, jiff::civil::date(2026, 1, 1)).is_err(),
                "{wrong} is read"
            );
        }
        for wrong in [
            "lisen: x",
            "limits: {max_headers: 1}",
            "timeouts: {head: 10}",
            "providers: {a: {api: open}}",
        ] {
            assert!(
                !problems(&text(Kind::Config), wrong).is_empty(),
                "{wrong} fits"
            );
        }
    }

    #[test]
    fn every_key_of_a_policy_is_described_and_nothing_else() {
        fn walk(schema: &Value, path: &str, missing: &mut Vec<String>, texts: &mut Vec<String>) {
            // Of several forms, one says it all for the others.
            for form in schema["anyOf"].as_array().into_iter().flatten() {
                let mut elsewhere = Vec::new();
                walk(form, path, &mut elsewhere, texts);
                walk(&form["items"], path, &mut elsewhere, texts);
            }
            for (name, property) in schema["properties"].as_object().into_iter().flatten() {
                let path = format!("{path}.{name}");
                match property["description"].as_str() {
                    Some(text) => texts.push(text.to_owned()),
                    None => missing.push(path.clone()),
                }
                walk(property, &path, missing, texts);
                walk(
                    &property["additionalProperties"],
                    &path,
                    &mut Vec::new(),
                    texts,
                );
                walk(&property["items"], &path, missing, texts);
            }
        }
        let (mut missing, mut texts) = (Vec::new(), Vec::new());
        let schema: Value = serde_json::from_str(&text(Kind::Policy)).unwrap();
        walk(&schema, "", &mut missing, &mut texts);
        assert_eq!(missing, [""; 0], "keys without a line in ABOUT");
        let unused: Vec<_> = ABOUT
            .iter()
            .filter(|(_, about)| !texts.iter().any(|text| text == about))
            .collect();
        assert_eq!(unused, [&("", ""); 0], "lines in ABOUT without a key");
    }
}
