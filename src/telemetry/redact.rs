//! Takes secrets out of text that people will read: log lines, and error messages that quote somebody else's.
//!
//! It errs on the side of taking out too much: after `key=`, `token:` and the like nothing is left, whatever it is. Identifiers
//! of keys that should be read are therefore logged under other names, such as `key_id`.

use crate::secret::Secret;
use arc_swap::ArcSwap;
use regex::{Captures, Regex};
use serde_json::Value;
use std::borrow::Cow;
use std::sync::{Arc, LazyLock};

const REDACTED: &str = "[REDACTED]";

/// Knows secrets by their form, and those it was given by their text. Clones share what they know.
#[derive(Clone, Debug, Default)]
pub struct Redactor {
    protected: Arc<ArcSwap<Vec<Secret>>>,
}

impl Redactor {
    /// Shorter ones would take ordinary words out of every line.
    const MIN_BYTES: usize = 6;

    /// Takes these texts out from now on, in place of those of the call before: what the vault holds at the moment.
    pub fn protect(&self, secrets: impl IntoIterator<Item = Secret>) {
        let mut all = Vec::new();
        for secret in secrets {
            // As it is, and as it is printed within quotes.
            let quoted = Secret::new(secret.expose().escape_debug().to_string());
            if quoted != secret {
                all.push(quoted);
            }
            all.push(secret);
        }
        all.retain(|secret| secret.expose().len() >= Self::MIN_BYTES);
        // A secret may begin like another one: the longer goes first.
        all.sort_by_key(|secret| std::cmp::Reverse(secret.expose().len()));
        self.protected.store(Arc::new(all));
    }

    /// The text without secrets; the text itself if there are none.
    pub fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut text = Cow::Borrowed(text);
        for secret in self.protected.load().iter() {
            if text.contains(secret.expose()) {
                text = Cow::Owned(text.replace(secret.expose(), REDACTED));
            }
        }
        apply(text)
    }

    /// The same for a JSON document: each string on its own, so that the result is JSON again.
    pub(super) fn redact_json(&self, text: &str) -> String {
        match serde_json::from_str(text) {
            Ok(mut value) => {
                self.redact_value(&mut value);
                value.to_string()
            }
            Err(_) => self.redact(text).into_owned(),
        }
    }

    fn redact_value(&self, value: &mut Value) {
        match value {
            Value::String(text) => {
                if let Cow::Owned(redacted) = self.redact(text) {
                    *text = redacted;
                }
            }
            Value::Array(values) => values.iter_mut().for_each(|value| self.redact_value(value)),
            Value::Object(members) => {
                for (name, value) in members.iter_mut() {
                    let is_text = value.is_string() || value.is_number();
                    if is_text && FORMS.name.is_match(name) {
                        *value = Value::from(REDACTED);
                    } else {
                        self.redact_value(value);
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

/// The text without what has the form of a secret.
pub fn redact(text: &str) -> Cow<'_, str> {
    apply(Cow::Borrowed(text))
}

fn apply(mut text: Cow<'_, str>) -> Cow<'_, str> {
    for (form, replacement) in &FORMS.replaced {
        if let Cow::Owned(changed) = form.replace_all(&text, *replacement) {
            text = Cow::Owned(changed);
        }
    }
    if let Cow::Owned(changed) = FORMS.assigned.replace_all(&text, without_value) {
        text = Cow::Owned(changed);
    }
    text
}

/// `name="value` becomes `name="[REDACTED]`; the quote that ends it was not part of the match.
fn without_value(found: &Captures<'_>) -> String {
    let part = |name| found.name(name).map_or("", |part| part.as_str());
    let value = part("value");
    let quote_end = value
        .find(|c| !matches!(c, '"' | '\'' | '\\'))
        .unwrap_or(value.len());
    let quote = value.get(..quote_end).unwrap_or_default();
    [part("name"), part("between"), quote, REDACTED].concat()
}

/// The forms of secrets.
struct Forms {
    /// What is replaced as a whole, and by what; in this order.
    replaced: Vec<(Regex, &'static str)>,
    /// A telling name, a separator and a value, also in JSON, in JSON within a string, and between colour codes.
    assigned: Regex,
    /// A telling name alone.
    name: Regex,
}

/// Names that end like this hold secrets.
const NAMES: &str = r"[a-z0-9_.\-]*(?:key|token|secret|password|passwd|passphrase|pwd|credentials?|authorization|cookie)|\bpass";
/// Where a word begins; the letter that ends a colour code does not belong to it.
const BEFORE: &str = r"(?P<before>^|[^A-Za-z0-9]|\x1b\[[0-9;]*m)";
/// Colour codes of a terminal.
const COLOUR: &str = r"(?:\x1b\[[0-9;]*m)*";

static FORMS: LazyLock<Forms> = LazyLock::new(Forms::new);

impl Forms {
    fn new() -> Self {
        let replaced = [
            (
                r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?s:.*?)(?:-----END [A-Z ]*-----|\z)",
                REDACTED,
            ),
            // User and password in a URL (RFC 3986, section 3.2.1).
            (
                r#"(?i)([a-z][a-z0-9+.-]*://)[^\s/"'@]*:[^\s/"']*@"#,
                "$1[REDACTED]@",
            ),
            (
                r"(?x)BEFORE (?:
                    sk-[A-Za-z0-9_-]{6,}                       # OpenAI, Anthropic, OpenRouter and many more
                    | (?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{6,} # Stripe
                    | AIza[A-Za-z0-9_-]{4,}                    # Google
                    | ya29\.[A-Za-z0-9_.-]{8,}
                    | sg-[A-Za-z0-9_-]{16,}                    # our own; the visible prefix alone is shorter
                    | (?:AKIA|ASIA)[A-Z0-9]{12,}               # AWS
                    | eyJ[A-Za-z0-9_-]{6,}(?:\.[A-Za-z0-9_-]*){0,4} # JWT (RFC 7519)
                    | gh[opsur]_[A-Za-z0-9]{16,} | github_pat_[A-Za-z0-9_]{16,} | glpat-[A-Za-z0-9_-]{16,}
                    | xox[abeprs]-[A-Za-z0-9-]{8,}             # Slack
                    | (?:hf_|gsk_|xai-|r8_|pplx-)[A-Za-z0-9_-]{16,} # Hugging Face, Groq, xAI, Replicate, Perplexity
                )",
                "${before}[REDACTED]",
            ),
            // RFC 6750, section 2.1, and RFC 7617.
            (
                r"(?i)BEFORE(?P<scheme>(?:bearer|basic)\s+)[A-Za-z0-9._~+/-]{8,}=*",
                "${before}${scheme}[REDACTED]",
            ),
            // `secret hunter2`: a telling name, and then a word with a digit.
            (
                r#"(?i)BEFORE(?P<name>(?:secret|password|passphrase|token)\s+)[^\s"'0-9]*[0-9][^\s"']*"#,
                "${before}${name}[REDACTED]",
            ),
        ];
        let assigned = format!(
            r#"(?ix)
            (?P<name>{NAMES})
            (?P<between>\\*["']?{COLOUR}\s*[:=]{COLOUR}\s*{COLOUR}(?:(?:bearer|basic|token)\s+)?)
            (?P<value>
                "(?:[^"\\]|\\.)*
                | \\+"(?:[^"\\]|\\[^"])*
                | '[^']*
                | (?:[^\s"'\\&<>\x1b]|\\[^nrt"])+
            )"#
        );
        let name = format!("(?i)^(?:{NAMES})$");
        Self {
            replaced: replaced
                .into_iter()
                .map(|(form, with)| (compile(&form.replacen("BEFORE", BEFORE, 1)), with))
                .collect(),
            assigned: compile(&assigned),
            name: compile(&name),
        }
    }
}

fn compile(form: &str) -> Regex {
    #[expect(
        clippy::expect_used,
        reason = "the forms are constants, compiled by the tests of this file"
    )]
    Regex::new(form).expect("the form is a regular expression")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cases of other projects (ids in brackets) and our own. Secrets are joined here, so that no scanner of source code
    /// stops at them.
    #[test]
    #[expect(clippy::too_many_lines, reason = "one list of cases")]
    fn secrets_are_taken_out() {
        let google = concat!("AI", "zaSyD-1234567890abcdef1234567890abcde");
        let stripe = concat!("sk_li", "ve_a1b2c3d4e5f6a1b2c3d4e5f6");
        let aws = concat!("AK", "IAIOSFODNN7EXAMPLE");
        let jwt = concat!("ey", "JhbGciOiJIUzI1NiJ9.e30.abc");
        let jwt_two = concat!(
            "ey",
            "JhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0"
        );
        let ours = concat!("s", "g-abcdefghABCDEFGH0123456789_-abcdefghABCDEFG");
        let openai = concat!("s", "k-proj-AbCdEfGhIjKlMnOpQrStUv");
        let anthropic = concat!("s", "k-ant-api03-AbCdEfGhIjKlMnOp");
        for (text, secret) in [
            (
                "Connection failed: password=secret123".to_owned(),
                "secret123",
            ), // [redact_error-147]
            ("Invalid API key: sk-12345678".to_owned(), "sk-12345678"), // [redact_error-148]
            (
                "Database error: user=admin pass=admin".to_owned(),
                "pass=admin",
            ), // [redact_error-149]
            ("token: abc.def.ghi".to_owned(), "abc.def.ghi"),           // [redact_error-150]
            ("secret hunter2".to_owned(), "hunter2"),                   // [redact_error-151]
            (format!("key={google}"), "zaSyD"),                         // [redact_error-152]
            (openai.to_owned(), openai),                                // [redact_error-153]
            (format!("anthropic {anthropic}"), anthropic),              // [redact_error-154]
            (format!("Authorization: Bearer {jwt}"), "JhbGciOiJIUzI1NiJ9"), // [redact_error-155]
            ("https://user:pw123@host/".to_owned(), "pw123"),           // [redact_error-156]
            (
                concat!("https://x/?key=AI", "zaXYZ123").to_owned(),
                "zaXYZ123",
            ), // [redact_error-157]
            (format!("Using key {google} for request"), google),        // [redact_log-190]
            (format!("Authorization: Bearer {jwt_two}"), "JhbGci"),     // [redact_log-191]
            (format!("stripe {stripe}"), "a1b2c3d4e5f6a1b2c3d4e5f6"),   // [redact_log-192]
            (format!("openai {openai}"), openai),                       // [redact_log-193]
            (
                "x-api-key: 0123456789abcdef0123456789abcdef".to_owned(),
                "0123456789abcdef",
            ), // [redact_log-195]
            (format!("aws {aws}"), aws),                                // [redact_log-196]
            (format!("key {ours} is unknown"), "ABCDEFGH"),
            (
                "authorization: Basic dXNlcjpwYXNz".to_owned(),
                "dXNlcjpwYXNz",
            ),
            ("sent Bearer abcdefgh12 to".to_owned(), "abcdefgh12"),
            (
                r#"{"password": "my \" long secret", "a": 1}"#.to_owned(),
                "long secret",
            ),
            (
                r#"body {\"api_key\":\"one two\",\"a\":1}"#.to_owned(),
                "one two",
            ),
            ("password='one two'".to_owned(), "two"),
            ("client_secret=ab,cd;ef)gh".to_owned(), "gh"),
            (
                "\x1b[3mapi_key\x1b[0m\x1b[2m=\x1b[0mhunter2\x1b[0m".to_owned(),
                "hunter2",
            ),
            ("postgres://app:p@ss:word@db/x".to_owned(), "word"),
            (
                "x -----BEGIN RSA PRIVATE KEY-----\nMIIabc\n-----END RSA PRIVATE KEY----- y"
                    .to_owned(),
                "MIIabc",
            ),
            (
                "cut off -----BEGIN PRIVATE KEY-----\nMIIabc".to_owned(),
                "MIIabc",
            ),
        ] {
            let redacted = redact(&text);
            assert!(!redacted.contains(secret), "{redacted}");
            assert!(redacted.contains(REDACTED), "{redacted}");
            assert_eq!(redact(&redacted), redacted, "a second time changes nothing");
        }
    }

    #[test]
    fn ordinary_text_stays_as_it_is() {
        for text in [
            "listening on 127.0.0.1:8080",
            "exchange ended api=chat provider=openai outcome=allowed duration_us=1234 key_id=key_0123456789abcdef",
            "risk-assessment of task-force disk-1234567 done",
            "max_output_tokens=100 tokens: 5",
            "a bearer token is expected; the password is missing",
            "http://127.0.0.1:9090/metrics",
            "policies/team.yaml:14:11: unknown action \"blok\" in rule \"injection\"",
            "created key sg-abcdefgh",
        ] {
            assert!(matches!(redact(text), Cow::Borrowed(_)), "{}", redact(text));
        }
    }

    #[test]
    fn what_is_around_a_value_stays() {
        assert_eq!(
            redact("user=a password=b x=c"),
            "user=a password=[REDACTED] x=c"
        );
        assert_eq!(
            redact(r#"{"token":"b","x":"c"}"#),
            r#"{"token":"[REDACTED]","x":"c"}"#
        );
        assert_eq!(
            redact("/v1/models?key=abc&alt=sse"),
            "/v1/models?key=[REDACTED]&alt=sse"
        );
    }

    #[test]
    fn protected_texts_are_taken_out_whatever_their_form() {
        let redactor = Redactor::default();
        redactor.protect([
            Secret::new("plain words"),
            Secret::new("plain words and more"),
            Secret::new("a\"quote"),
            Secret::new("tiny"),
        ]);
        assert_eq!(
            redactor.redact("x plain words and more y"),
            "x [REDACTED] y"
        );
        assert_eq!(
            redactor.redact(r#"x a\"quote a"quote"#),
            "x [REDACTED] [REDACTED]"
        );
        assert_eq!(redactor.redact("tiny"), "tiny");
        redactor.protect([]);
        assert_eq!(redactor.redact("plain words"), "plain words");
    }

    /// [safe_log-158]
    #[test]
    fn json_stays_json() {
        let line = r#"{"fields":{"message":"password=\"a b\" rest","api_key":12,"token":null,"n":1},"list":["Bearer abcdefgh1"]}"#;
        assert_eq!(
            Redactor::default().redact_json(line),
            r#"{"fields":{"message":"password=\"[REDACTED]\" rest","api_key":"[REDACTED]","token":null,"n":1},"list":["Bearer [REDACTED]"]}"#
        );
        assert_eq!(
            Redactor::default().redact_json("no json: token=abc"),
            "no json: token=[REDACTED]"
        );
    }
}
