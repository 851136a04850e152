//! What the prompt says to do: its directives, and the text that is left.

use std::time::Duration;

use rand::Rng;
use rand::seq::IndexedRandom as _;
use serde_json::Value;

use super::Config;
use super::answer::{Choice, Finish, Kind, Part, identifier};
use super::ask::Prompt;

/// What `/help` answers.
pub(super) const HELP: &str = "\
Everything you say is echoed, except lines that are one of these:
/tool NAME {JSON}   call a tool with these arguments; several lines, several calls
/think TEXT         think this first
/leak KIND          say a made-up secret: openai-key, aws-key, email or card
/refuse TEXT        refuse, in these words
/error STATUS       fail with this HTTP status, 400 to 599
/cut                break the connection here
/slow MS            wait before the answer begins
/pace MS            wait before each delta
/chunk N            characters in a delta
/whoami             name the credentials that came with the request, as digests
/help               say this";

/// Characters in a delta of an answer that leaks, so that the secret comes in many pieces.
const LEAK_CHUNK_CHARS: usize = 4;

/// The longest wait that a directive can ask for.
const MAX_WAIT_MS: u64 = 60_000;

/// What one prompt makes the model do.
pub(super) struct Script {
    pub(super) choice: Choice,
    /// Fail with this HTTP status instead.
    pub(super) error: Option<u16>,
    /// Break the connection after what is said.
    pub(super) cut: bool,
    /// Pause before the answer begins.
    pub(super) slow: Duration,
    /// Pause before each delta.
    pub(super) pace: Duration,
    /// Characters in a delta.
    pub(super) chunk_chars: usize,
}

/// A line that is not echoed.
enum Directive<'a> {
    Tool { name: &'a str, arguments: &'a str },
    Think(&'a str),
    Leak(Secret),
    Refuse(&'a str),
    Error(u16),
    Cut,
    Slow(Duration),
    Pace(Duration),
    Chunk(usize),
    Whoami,
    Help,
}

/// Kinds of made-up secrets.
#[derive(Clone, Copy)]
enum Secret {
    OpenAiKey,
    AwsKey,
    Email,
    Card,
}

impl Script {
    /// Reads a prompt. `presented` is what `/whoami` answers.
    pub(super) fn read(prompt: &Prompt, config: Config, presented: &str) -> Self {
        let mut script = Self {
            choice: Choice {
                parts: Vec::new(),
                finish: Finish::Stop,
            },
            error: None,
            cut: false,
            slow: Duration::ZERO,
            pace: config.pace,
            chunk_chars: config.chunk_chars,
        };
        let (mut thoughts, mut said, mut tools) = (Vec::new(), Vec::new(), Vec::new());
        let mut refusal = None;
        for line in prompt.text.split('\n') {
            let directive = if prompt.directives {
                parse(line.trim())
            } else {
                None
            };
            match directive {
                None => said.push(line.to_owned()),
                Some(Directive::Think(text)) => thoughts.push(text),
                Some(Directive::Tool { name, arguments }) => tools.push(Part {
                    kind: Kind::Tool {
                        id: identifier(""),
                        name: name.to_owned(),
                    },
                    text: arguments.to_owned(),
                }),
                Some(Directive::Leak(secret)) => {
                    script.chunk_chars = script.chunk_chars.min(LEAK_CHUNK_CHARS);
                    said.push(secret.sentence());
                }
                Some(Directive::Refuse(text)) => refusal = Some(text),
                Some(Directive::Error(status)) => script.error = Some(status),
                Some(Directive::Cut) => {
                    script.cut = true;
                    break;
                }
                Some(Directive::Slow(pause)) => script.slow = pause,
                Some(Directive::Pace(pause)) => script.pace = pause,
                Some(Directive::Chunk(chars)) => script.chunk_chars = chars,
                Some(Directive::Whoami) => said.push(presented.to_owned()),
                Some(Directive::Help) => said.push(HELP.to_owned()),
            }
        }
        script.choice = choice(&thoughts, &said, tools, refusal);
        script
    }
}

/// Puts the parts in the order in which models say them: thoughts, text, tool calls.
fn choice(thoughts: &[&str], said: &[String], tools: Vec<Part>, refusal: Option<&str>) -> Choice {
    let mut parts = Vec::new();
    if !thoughts.is_empty() {
        parts.push(Part {
            kind: Kind::Thought,
            text: thoughts.join("\n"),
        });
    }
    if let Some(refusal) = refusal {
        let text = if refusal.is_empty() {
            "I cannot help with that."
        } else {
            refusal
        };
        parts.push(Part {
            kind: Kind::Refusal,
            text: text.to_owned(),
        });
        return Choice {
            parts,
            finish: Finish::Refuse,
        };
    }
    let text = said.join("\n");
    if tools.is_empty() || !text.trim().is_empty() {
        parts.push(Part {
            kind: Kind::Text,
            text,
        });
    }
    let finish = if tools.is_empty() {
        Finish::Stop
    } else {
        Finish::CallTools
    };
    parts.extend(tools);
    Choice { parts, finish }
}

/// Reads a line; one that is malformed is no directive, but text like any other.
fn parse(line: &str) -> Option<Directive<'_>> {
    let (name, rest) = line
        .strip_prefix('/')?
        .split_once(' ')
        .unwrap_or((line.get(1..)?, ""));
    let rest = rest.trim();
    let milliseconds = || {
        rest.parse()
            .ok()
            .filter(|&wait| wait <= MAX_WAIT_MS)
            .map(Duration::from_millis)
    };
    match name {
        "tool" => {
            let (name, arguments) = rest.split_once(' ').unwrap_or((rest, "{}"));
            let valid = !name.is_empty()
                && serde_json::from_str::<Value>(arguments).is_ok_and(|value| value.is_object());
            valid.then_some(Directive::Tool {
                name,
                arguments: arguments.trim(),
            })
        }
        "think" if !rest.is_empty() => Some(Directive::Think(rest)),
        "leak" => Secret::parse(rest).map(Directive::Leak),
        "refuse" => Some(Directive::Refuse(rest)),
        "error" => rest
            .parse()
            .ok()
            .filter(|status| (400..600).contains(status))
            .map(Directive::Error),
        "slow" => milliseconds().map(Directive::Slow),
        "pace" => milliseconds().map(Directive::Pace),
        "chunk" => rest
            .parse()
            .ok()
            .filter(|&chars| chars > 0)
            .map(Directive::Chunk),
        "cut" if rest.is_empty() => Some(Directive::Cut),
        "whoami" if rest.is_empty() => Some(Directive::Whoami),
        "help" if rest.is_empty() => Some(Directive::Help),
        _ => None,
    }
}

impl Secret {
    fn parse(kind: &str) -> Option<Self> {
        match kind {
            "openai-key" => Some(Self::OpenAiKey),
            "aws-key" => Some(Self::AwsKey),
            "email" => Some(Self::Email),
            "card" => Some(Self::Card),
            _ => None,
        }
    }

    /// A sentence with a new secret in it.
    fn sentence(self) -> String {
        match self {
            Self::OpenAiKey => {
                // The middle is the same in every real key: "OpenAI" in base64.
                let (start, middle, end) = (
                    random(ALPHANUMERIC, 20),
                    concat!("T3Blbk", "FJ"),
                    random(ALPHANUMERIC, 20),
                );
                format!("The key is sk-{start}{middle}{end} and it works.")
            }
            Self::AwsKey => format!(
                "The access key id is AKIA{} for that account.",
                random(BASE32, 16)
            ),
            Self::Email => format!(
                "Write to {}.{}@example.com about it.",
                random(LOWER, 6),
                random(LOWER, 8)
            ),
            Self::Card => format!("It was paid with card {} last week.", card()),
        }
    }
}

const LOWER: &[u8] = b"abcdefghijklmnopqrstuvwxyz";
const BASE32: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const ALPHANUMERIC: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

fn random(alphabet: &[u8], length: usize) -> String {
    let mut source = rand::rng();
    (0..length)
        .filter_map(|_| alphabet.choose(&mut source))
        .map(|&letter| char::from(letter))
        .collect()
}

/// A card number in groups of four, with a check digit by Luhn's algorithm (ISO/IEC 7812-1, annex B).
fn card() -> String {
    let mut digits = vec![4_u32];
    digits.extend((0..14).map(|_| rand::rng().random_range(0..10_u32)));
    let sum: u32 = digits
        .iter()
        .enumerate()
        .map(|(place, &digit)| match (place % 2, digit) {
            (0, 5..) => 2 * digit - 9,
            (0, _) => 2 * digit,
            _ => digit,
        })
        .sum();
    digits.push((10 - sum % 10) % 10);
    let text: Vec<String> = digits
        .chunks(4)
        .map(|group| group.iter().map(u32::to_string).collect())
        .collect();
    text.join(" ")
}
