//! The operator's decision about findings: policies as written, as compiled, and what they say about each finding.
//!
//! A policy is compiled once and shared; a [`Tally`] is the running sum of one side of one exchange. Policies know
//! nothing of formats or transport: the guard hands them findings and does what they answer.
#![warn(clippy::wildcard_enum_match_arm)]

mod check;
mod compile;
mod condition;
mod file;
mod judge;
mod media;
mod model;
mod place;
mod section;
mod session;
mod size;
mod spot;
mod stream;
mod tally;
mod tools;
mod verdict;

use std::borrow::Cow;

use self::place::Places;
use crate::scan::Scanner;
use crate::scan::engine::Engine;
use crate::scan::finding::{Finding, RuleIndex, ThreatLevel};
use crate::text::{Form, Origin};
pub use check::{Case, Given, Outcome, Report, check};
pub use compile::{Source, compile, compile_with, embedded};
pub use file::{Scope, VERSION};
pub use judge::Judges;
pub use media::Media;
pub use model::{Answer, Answers, Missing, ModelRule, Models, Pending, Question, Unanswered};
pub use place::Ground;
pub use session::{Escalation, Step};
pub use size::{Limit, Measure};
pub use stream::Mode;
pub use tally::Tally;
pub use tools::{Stage, Tools};
pub use verdict::{Action, Cause, Matched, Verdict};

/// What a policy file may hold.
pub fn outline() -> crate::document::Shape {
    file::File::outline()
}

/// A compiled policy: immutable, shared by all exchanges it applies to.
#[derive(Debug)]
pub struct Policy {
    /// The name that keys and settings choose it by.
    pub name: String,
    /// What it is for, in its author's words; may be empty.
    pub description: String,
    /// What happens where a text cannot be judged.
    pub on_error: OnError,
    /// What happens to bodies and events of shapes that their format does not know.
    pub unknown: Unknown,
    /// What happens to images, audio and files, which nothing scans.
    pub media: Media,
    /// How a client learns of a refusal.
    pub respond: Respond,
    /// What a refused client is told where the rule has no text of its own.
    pub message: String,
    /// Everything is decided and recorded, nothing enforced.
    pub observe: bool,
    /// When the text of a streamed answer leaves.
    pub stream: Mode,
    /// Arguments of tool calls leave only when they are complete.
    pub hold_arguments: bool,
    /// Which tools may be offered and called.
    pub tools: Tools,
    /// Text from outside goes up between marks.
    pub fence: bool,
    /// How long a value keeps its placeholder.
    pub placeholders: Scope,
    /// What repeated findings do to a session.
    pub sessions: Option<Escalation>,
    /// What goes up.
    pub request: Side,
    /// What comes back.
    pub response: Side,
    /// Its own test cases.
    pub cases: Vec<Case>,
}

impl Policy {
    /// Whether a marker goes into system prompts.
    pub const fn plants(&self) -> bool {
        self.response.marker.is_some() && !self.observe
    }

    /// Both sides.
    pub const fn sides_mut(&mut self) -> [&mut Side; 2] {
        [&mut self.request, &mut self.response]
    }

    /// The side for a direction.
    pub const fn side(&self, direction: Direction) -> &Side {
        match direction {
            Direction::Request => &self.request,
            Direction::Response => &self.response,
        }
    }
}

/// Which way a text goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From a client to a model.
    Request,
    /// From a model to a client.
    Response,
}

impl Direction {
    const WORDS: [(&'static str, Self); 2] =
        [("request", Self::Request), ("response", Self::Response)];
}

/// What happens where a text cannot be judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnError {
    /// It is refused.
    #[default]
    Block,
    /// It passes unjudged, which is recorded.
    Allow,
}

impl OnError {
    const WORDS: [(&'static str, Self); 2] = [("block", Self::Block), ("allow", Self::Allow)];
}

/// What happens to bodies and events of shapes that their format does not know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unknown {
    /// Every string in them is scanned.
    #[default]
    Scan,
    /// They are refused.
    Block,
}

impl Unknown {
    const WORDS: [(&'static str, Self); 2] = [("scan", Self::Scan), ("block", Self::Block)];
}

/// How a client learns of a refusal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Respond {
    /// By the error shape of its API.
    #[default]
    Error,
    /// By a message of the assistant.
    Message,
}

impl Respond {
    const WORDS: [(&'static str, Self); 2] = [("error", Self::Error), ("message", Self::Message)];
}

/// What a policy looks for in one direction, and what it does about it.
#[derive(Debug)]
pub struct Side {
    /// Finds the rules that this side has switched on; those that do not interfere hold nothing back.
    pub engine: Engine,
    /// Judge what patterns cannot say.
    pub judges: Judges,
    /// Models of the operator's that judge too, once they were asked.
    pub models: Models,
    /// How much text may pass.
    pub limits: Vec<Limit>,
    /// Whether some rule's matches do not count everywhere in a text.
    pub minds_places: bool,
    /// Whether what some rule takes out is put back into the answer.
    pub is_reversible: bool,
    /// By rule index of the engine; those of rules that nothing looks for in text follow.
    treatments: Vec<Treatment>,
    /// Matches that mean nothing: rule ids and texts.
    exceptions: Vec<(String, String)>,
    observe: bool,
    /// The rule that finds what looks like a placeholder, in answers to requests that may hold some.
    restore: Option<RuleIndex>,
    /// The rule that finds what the gateway put into system prompts.
    marker: Option<RuleIndex>,
    /// A hash of all that was written, parents included, and of the direction.
    generation: u64,
}

/// What is done about one rule's matches.
#[derive(Clone, Debug)]
struct Treatment {
    id: Cow<'static, str>,
    action: Action,
    /// `None`: each match acts by itself.
    scored: Option<Scored>,
    message: Option<String>,
    /// What it takes out is put back into the answer.
    reversible: bool,
    /// Where its matches count.
    places: Places,
}

/// How a scored rule acts: together with all others of its side.
#[derive(Clone, Copy, Debug)]
struct Scored {
    /// What the rule adds to the sum, once.
    score: u32,
    /// The sum's level from which the rule acts; below, its matches are logged.
    level: ThreatLevel,
    /// Whose text counts; matches in others' are logged.
    origins: Origins,
}

/// For a finding of another engine, which no caller has: refused rather than let through.
static FOREIGN: Treatment = Treatment {
    id: Cow::Borrowed("policy.foreign_finding"),
    action: Action::Block,
    scored: None,
    message: None,
    reversible: false,
    places: Places::of(Scanner::Topic),
};

/// A set of origins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Origins(u8);

impl Origins {
    const ALL: Self = Self(u8::MAX);

    const fn bit(origin: Origin) -> u8 {
        match origin {
            Origin::System => 1,
            Origin::User => 2,
            Origin::Assistant => 4,
            Origin::Tool => 8,
        }
    }

    const fn contains(self, origin: Origin) -> bool {
        self.0 & Self::bit(origin) != 0
    }
}

impl FromIterator<Origin> for Origins {
    fn from_iter<I: IntoIterator<Item = Origin>>(origins: I) -> Self {
        Self(
            origins
                .into_iter()
                .fold(0, |set, origin| set | Self::bit(origin)),
        )
    }
}

impl Side {
    /// Adds what is done about a rule that nothing looks for in text.
    fn add(&mut self, treatment: Treatment) -> RuleIndex {
        let rule = compile::next_index(&self.treatments);
        self.treatments.push(treatment);
        rule
    }

    /// A rule's id, also of one that nothing looks for in text.
    pub fn id(&self, rule: RuleIndex) -> &str {
        let treatment = self.treatments.get(usize::from(rule.0));
        treatment.map_or("", |treatment| treatment.id.as_ref())
    }

    /// What a rule tells in place of what it found, if it has a text of its own.
    pub fn message(&self, rule: RuleIndex) -> Option<&str> {
        let treatment = self.treatments.get(usize::from(rule.0))?;
        treatment.message.as_deref()
    }

    /// So many bytes read by patterns alone take about as long as `bytes` read by all that this side has.
    pub fn effort(&self, bytes: usize) -> usize {
        let times = if self.judges.is_empty() { 1 } else { 8 };
        bytes.saturating_mul(times)
    }

    /// Whether anything is looked for in text: else nothing is worth remembering of it.
    pub fn reads_text(&self) -> bool {
        self.engine.rules().next().is_some() || !self.judges.is_empty()
    }

    /// Adds what the judges find in a whole text, of which the patterns' findings are known.
    pub fn judge(&self, text: (&str, Form), origin: Origin, findings: &mut Vec<Finding>) {
        self.judge_by(text, (origin, self.suspects(findings)), findings);
    }

    /// The judges, if there are any and no model has a second look at what they say.
    pub fn judges_alone(&self) -> Option<&Judges> {
        let alone = !self.judges.is_empty() && self.models.second().is_none();
        alone.then_some(&self.judges)
    }

    /// The same where it is known whether patterns found a sign of an attack.
    pub fn judge_by(
        &self,
        text: (&str, Form),
        (origin, agrees): (Origin, bool),
        findings: &mut Vec<Finding>,
    ) {
        match self.models.second() {
            None => self.judges.judge(text, origin, agrees, findings),
            Some(second) => {
                Models::look(second, &self.judges, text, (origin, agrees), findings);
            }
        }
    }

    /// What models are to be asked about a whole text, of which all is found that needs none. Findings that await a second look are
    /// taken out.
    pub fn questions(
        &self,
        text: (&str, Form),
        origin: Origin,
        findings: &mut Vec<Finding>,
    ) -> Vec<Pending> {
        self.questions_by(text, (origin, self.suspects(findings)), findings)
    }

    /// The same where it is known whether patterns found a sign of an attack.
    pub fn questions_by(
        &self,
        text: (&str, Form),
        who: (Origin, bool),
        findings: &mut Vec<Finding>,
    ) -> Vec<Pending> {
        if self.models.is_empty() {
            return Vec::new();
        }
        self.models.questions(&self.judges, text, who, findings)
    }

    /// Whether patterns found a sign of an attack.
    pub fn suspects(&self, findings: &[Finding]) -> bool {
        findings.iter().any(|finding| {
            let rule = self.engine.rule(finding.rule);
            rule.is_some_and(|rule| rule.scanner == Scanner::Injection)
        })
    }

    /// Differs between sides that may find different things.
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// Whether a rule's matches mean something there.
    pub fn minds(&self, rule: RuleIndex, ground: Ground) -> bool {
        let treatment = self.treatments.get(usize::from(rule.0));
        treatment.is_none_or(|treatment| treatment.places.contains(ground))
    }

    /// Whether a rule's matches can be placeholders, and nothing else.
    pub fn restores(&self, rule: RuleIndex) -> bool {
        self.restore == Some(rule)
    }

    /// Whether a rule's matches mean nothing where a client puts a credential that the provider is to use elsewhere.
    pub fn spares(&self, rule: RuleIndex) -> bool {
        let rule = self.engine.rule(rule);
        rule.is_some_and(|rule| matches!(rule.scanner, Scanner::Secrets | Scanner::Pii))
    }

    /// Whether a rule acts together with others, by their sum.
    pub fn sums(&self, rule: RuleIndex) -> bool {
        let treatment = self.treatments.get(usize::from(rule.0));
        treatment.is_some_and(|treatment| treatment.scored.is_some())
    }

    /// Whether a rule finds what the gateway put into system prompts.
    pub fn marks(&self, rule: RuleIndex) -> bool {
        self.marker == Some(rule)
    }

    /// Whether what a rule takes out is put back into the answer.
    pub fn reverses(&self, rule: RuleIndex) -> bool {
        let treatment = self.treatments.get(usize::from(rule.0));
        treatment.is_some_and(|treatment| treatment.reversible)
    }

    fn excepts(&self, rule: &str, matched: &str) -> bool {
        self.exceptions
            .iter()
            .any(|(id, text)| id == rule && text == matched)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::{Encoding, Span};

    fn policy(yaml: &str) -> Policy {
        let source = Source {
            name: "p".to_owned(),
            file: "p.yaml".to_owned(),
            text: yaml.to_owned(),
        };
        let today = jiff::civil::date(2026, 1, 31);
        compile(&source, |_| None, today).unwrap().0
    }

    fn finding(side: &Side, id: &str) -> Finding {
        let index = side.engine.rules().position(|rule| rule.id == id).unwrap();
        Finding {
            rule: RuleIndex(u16::try_from(index).unwrap()),
            span: Span::new(0, 1),
            continues: false,
            encoding: Encoding::None,
            probability: None,
        }
    }

    /// The id and score of some injection rule whose score alone is below critical.
    fn injection(side: &Side) -> (Finding, u32) {
        let scored = |rule: &&crate::scan::Rule| rule.score > 0 && rule.score < 10;
        let rule = side.engine.rules().find(scored).unwrap();
        (finding(side, &rule.id), rule.score)
    }

    #[test]
    fn the_strictest_action_wins_and_names_its_cause() {
        let policy =
            policy("request: {secrets: {action: redact}, rules: {secrets.openai_key: block}}\n");
        let (side, mut tally) = (&policy.request, Tally::new());
        let aws = finding(side, "secrets.aws_access_key");
        let openai = finding(side, "secrets.openai_key");
        assert_eq!(tally.add(side, &aws, "x", Origin::User), Action::Redact);
        assert_eq!(tally.add(side, &openai, "x", Origin::User), Action::Block);
        assert_eq!(tally.add(side, &aws, "x", Origin::User), Action::Redact);
        let verdict = tally.verdict();
        assert_eq!(
            (verdict.action, verdict.would),
            (Action::Block, Action::Block)
        );
        assert_eq!(verdict.cause.as_ref().unwrap().rule, "secrets.openai_key");
        let counts: Vec<u32> = verdict.rules.iter().map(|rule| rule.count).collect();
        assert_eq!(counts, [2, 1]);
    }

    #[test]
    fn host_lists_and_canaries_make_rules_of_their_own() {
        let policy = policy(
            "request:\n  url: {action: block, kinds: [metadata], allow: [api.openai.com, 10.0.0.1]}\nresponse:\n  url: {action: redact, deny: [evil.com]}\n  canary: {action: block, words: [bluebird-4711]}\n",
        );
        let found = |side: &Side, text: &str| {
            let mut findings = Vec::new();
            let mut scan = crate::scan::segment::SegmentScan::new(crate::text::Form::Plain);
            scan.push(&side.engine, text, &mut findings).unwrap();
            scan.finish(&side.engine, &mut findings).unwrap();
            let rule = |finding: &Finding| side.engine.rule(finding.rule).unwrap().id.to_string();
            findings.iter().map(rule).collect::<Vec<_>>()
        };
        for (text, rules) in [
            ("https://api.openai.com/v1 and http://10.0.0.1/", &[][..]),
            ("https://api.openai.com.evil.net/", &["url.unlisted_host"]),
            ("ftp://malicious.server/file", &["url.unlisted_host"]),
            ("https://api.openai.com\u{e4}.net/", &["url.unlisted_host"]),
            ("x://127.0.0.1/", &["url.unlisted_host"]),
            (
                "http://169.254.169.254/",
                &["url.metadata", "url.unlisted_host"],
            ),
        ] {
            assert_eq!(found(&policy.request, text), rules, "{text}");
        }
        for (text, rules) in [
            ("http://www.evil.com:80/x", &["url.denied_host"][..]),
            ("http://notevil.com/, http://evil.com.au/", &[]),
            ("The word is BlueBird-4711.", &["canary.word"]),
            ("bluebird 4711", &[]),
        ] {
            assert_eq!(found(&policy.response, text), rules, "{text}");
        }
    }

    #[test]
    fn scores_of_distinct_rules_reach_the_level() {
        let policy = policy("request: {injection: {action: block, level: critical}}\n");
        let (side, mut tally) = (&policy.request, Tally::new());
        let (first, score) = injection(side);
        for _ in 0..20 {
            // One rule counts once, however often it matches.
            assert_eq!(tally.add(side, &first, "x", Origin::User), Action::Log);
        }
        assert_eq!(tally.verdict().level, ThreatLevel::from_score(score));
        assert_eq!(tally.verdict().cause, None);
    }

    #[test]
    fn a_level_that_one_rule_reaches_acts_at_once() {
        let policy = policy("request: {injection: {action: block, level: low, message: no}}\n");
        let (side, mut tally) = (&policy.request, Tally::new());
        let (first, _) = injection(side);
        assert_eq!(tally.add(side, &first, "x", Origin::Tool), Action::Block);
        let cause = tally.verdict().cause.clone().unwrap();
        assert_eq!(cause.message.as_deref(), Some("no"));
    }

    #[test]
    fn other_origins_are_logged_and_not_summed() {
        let policy =
            policy("request: {injection: {action: block, level: low, origins: [user, tool]}}\n");
        let (side, mut tally) = (&policy.request, Tally::new());
        let (first, _) = injection(side);
        assert_eq!(tally.add(side, &first, "x", Origin::System), Action::Log);
        assert_eq!(tally.verdict().level, ThreatLevel::None);
        assert_eq!(tally.add(side, &first, "x", Origin::User), Action::Block);
    }

    #[test]
    fn observing_records_what_it_would_do() {
        let policy = policy("observe: true\nrequest: {secrets: {action: block}}\n");
        let (side, mut tally) = (&policy.request, Tally::new());
        let key = finding(side, "secrets.openai_key");
        assert_eq!(tally.add(side, &key, "x", Origin::User), Action::Log);
        let verdict = tally.verdict();
        assert_eq!(
            (verdict.action, verdict.would),
            (Action::Log, Action::Block)
        );
    }

    #[test]
    fn exceptions_need_the_rule_and_the_text() {
        let policy = policy(
            "request: {secrets: {action: block}}\nexceptions:\n  - {rule: secrets.aws_access_key, text: AKIAIOSFODNN7EXAMPLE, reason: docs}\n",
        );
        let (side, mut tally) = (&policy.request, Tally::new());
        let aws = finding(side, "secrets.aws_access_key");
        let openai = finding(side, "secrets.openai_key");
        let text = "AKIAIOSFODNN7EXAMPLE";
        assert_eq!(tally.add(side, &aws, text, Origin::User), Action::Allow);
        assert_eq!(tally.verdict(), &Verdict::default());
        assert_eq!(tally.add(side, &openai, text, Origin::User), Action::Block);
        assert_eq!(
            tally.add(side, &aws, "AKIAIOSFODNN7EXAMPLF", Origin::User),
            Action::Block
        );
    }

    #[test]
    fn parts_of_a_long_match_count_once() {
        let policy = policy("request: {secrets: {action: redact}}\n");
        let (side, mut tally) = (&policy.request, Tally::new());
        let first = finding(side, "secrets.openai_key");
        let next = Finding {
            continues: true,
            probability: None,
            ..first
        };
        for part in [&first, &next, &next] {
            assert_eq!(tally.add(side, part, "x", Origin::User), Action::Redact);
        }
        assert_eq!(tally.verdict().rules[0].count, 1);
    }

    #[test]
    fn a_finding_of_another_engine_is_refused() {
        let policy = policy("request: {secrets: {action: log}}\n");
        let finding = Finding {
            rule: RuleIndex(999),
            span: Span::new(0, 1),
            continues: false,
            encoding: Encoding::None,
            probability: None,
        };
        let mut tally = Tally::new();
        assert_eq!(
            tally.add(&policy.request, &finding, "x", Origin::User),
            Action::Block
        );
        assert_eq!(tally.verdict().action, Action::Block);
    }

    #[test]
    fn rules_that_are_off_are_not_in_the_engine() {
        let policy = policy(
            "request: {secrets: {action: redact}, rules: {secrets.openai_key: allow}}\nresponse: {pii: {action: log, kinds: [email]}}\n",
        );
        let ids = |side: &Side| {
            side.engine
                .rules()
                .map(|rule| rule.id.to_string())
                .collect::<Vec<_>>()
        };
        assert!(
            !ids(&policy.request)
                .iter()
                .any(|id| id == "secrets.openai_key")
        );
        assert!(
            ids(&policy.request)
                .iter()
                .any(|id| id == "secrets.aws_access_key")
        );
        assert_eq!(ids(&policy.response), ["pii.email"]);
    }
}
