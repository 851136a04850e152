//! The trigger engine: many patterns over one stream of text, a few nanoseconds a byte, with exact hold-back.
//!
//! One automaton looks for the literals that matches begin with ([`trigger`]). Each literal that is found starts the anchored automaton
//! of its rule at the literal's first byte, a *candidate*, which is stepped with the bytes of the text until it dies. Anchored
//! automata have no `.*` before them: they stay small and die after a few bytes. So the whole state of a stream is one
//! state of the literal automaton and a short list of live candidates ([`stream`], [`candidate`]), and what must be held back is exactly known: the
//! text from the earliest live candidate or unfinished literal on. Rules without literals start from tables of the bytes
//! they can begin with; a run of letters before a rare inner literal (`@`) is measured backwards from it.
//!
//! A finding is the longest match from its place. Matches of one rule may overlap, so that nothing that is part of a match can
//! leave; from places in the middle of a match, those are not reported that end with it.

mod candidate;
mod compile;
mod disguise;
mod literal;
mod machine;
mod pattern;
mod scope;
mod stream;
mod trigger;
mod wrap;

pub(super) use candidate::Hit;
use compile::Compiled;
use literal::Before;
pub use machine::Automata;
pub(super) use scope::Scope;
pub(super) use stream::Stream;
use trigger::{Literals, Start};

use thiserror::Error;

use crate::scan::{Rule, finding::RuleIndex};

/// Compiled rules, shared by all streams.
#[derive(Debug)]
pub struct Engine {
    /// As they were given, then other forms of them.
    rules: Vec<Compiled>,
    /// How many were given.
    written: usize,
    /// What judges beside the engine find: their indices follow.
    judged: Vec<Rule>,
    literals: Option<Literals>,
    firsts: Firsts,
    /// The classes of [`pattern::Left`] parts.
    classes: Vec<Class>,
    /// By scope: whether anything counts there.
    any: [Any; 4],
}

/// Whether there is any rule that counts in a scope: asked for each piece of text.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Any {
    pub(super) reads: bool,
    /// One that may hold text back.
    pub(super) holds: bool,
}

impl Any {
    fn of(rules: &[Compiled], scope: Scope) -> Self {
        let mut reading = rules.iter().filter(|compiled| compiled.reads(scope));
        Self {
            reads: reading.clone().next().is_some(),
            holds: reading.any(|compiled| compiled.hold),
        }
    }
}

/// A class of bytes whose current run every stream measures.
#[derive(Debug)]
struct Class {
    bytes: Box<[bool; 256]>,
    /// The most of a run that matters; 0 if no rule of the class holds text.
    held: usize,
    /// The same of the rules about wording.
    held_wording: usize,
}

/// The rules that start from single bytes.
#[derive(Debug)]
struct Firsts {
    /// Whether any rule does.
    any: Box<[bool; 256]>,
    /// The rules that can begin with a byte, by what stands before it.
    starts: Vec<[Vec<Start>; 5]>,
}

/// A rule that cannot be scanned for in a stream.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("rule {rule}: {reason}\n  help: {help}")]
pub struct Unsupported {
    /// The id of the rule.
    pub rule: String,
    /// Why it cannot be.
    pub reason: String,
    /// What to write instead.
    pub help: String,
}

/// A text that makes more partial matches live at once, or a longer partial match, than a stream may keep. The scan goes on without the
/// match that did not fit, so its findings are no longer complete: treat it as an error of the scanner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("text keeps too many or too long partial matches alive to be scanned whole")]
pub struct Overflow;

impl Engine {
    /// Compiles rules; each comes with whether text must be held back while it may match (its action edits or stops).
    ///
    /// # Errors
    /// Every rule that is not valid or cannot be scanned for in a stream.
    pub fn compile(rules: Vec<(Rule, bool)>) -> Result<Self, Vec<Unsupported>> {
        Self::compile_with(rules, &Automata::default())
    }

    /// The same with the automata of engines before this one.
    ///
    /// # Errors
    /// As [`Engine::compile`].
    pub fn compile_with(
        rules: Vec<(Rule, bool)>,
        automata: &Automata,
    ) -> Result<Self, Vec<Unsupported>> {
        compile::compile(rules, automata)
    }

    /// Adds rules that no pattern finds: those of judges beside the engine.
    pub fn add_judged(&mut self, rules: Vec<Rule>) {
        self.judged.extend(rules);
    }

    /// The rule of a finding; `None` for an index of another engine.
    pub fn rule(&self, index: RuleIndex) -> Option<&Rule> {
        let index = usize::from(index.0);
        match index.checked_sub(self.written) {
            None => self.rules.get(index).map(|compiled| &compiled.rule),
            Some(judged) => self.judged.get(judged),
        }
    }

    /// The rules, in the order they were given, then those of judges: a rule's place is its [`RuleIndex`].
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        let given = self.rules.iter().take(self.written);
        given.map(|compiled| &compiled.rule).chain(&self.judged)
    }

    /// The most bytes of text, as scanned, that one open match keeps held.
    pub fn reach(&self) -> usize {
        self.rules
            .iter()
            .filter(|compiled| compiled.hold)
            .map(|compiled| compiled.machine.reach)
            .max()
            .unwrap_or(0)
    }

    /// Bytes of memory of all tables, shared by all streams, and those of patterns by other engines too.
    pub fn memory_bytes(&self) -> usize {
        self.literals.as_ref().map_or(0, Literals::memory_bytes)
            + self
                .rules
                .iter()
                .map(|compiled| compiled.machine.memory_bytes())
                .sum::<usize>()
    }

    /// Whether there is any rule that reads text.
    pub(super) const fn reads_text(&self) -> bool {
        !self.rules.is_empty()
    }

    /// Whether any rule may hold text back.
    pub(super) const fn holds(&self) -> bool {
        self.any(Scope::All).holds
    }

    /// Whether any rule counts in a scope.
    pub(super) const fn any(&self, scope: Scope) -> Any {
        let [all, decoded, wording, secrets] = self.any;
        match scope {
            Scope::All => all,
            Scope::Decoded => decoded,
            Scope::Wording => wording,
            Scope::Secrets => secrets,
        }
    }

    /// Whether a rule counts in a text.
    pub(super) fn reads(&self, rule: u16, scope: Scope) -> bool {
        self.compiled(rule)
            .is_some_and(|compiled| compiled.reads(scope))
    }

    fn compiled(&self, rule: u16) -> Option<&Compiled> {
        self.rules.get(usize::from(rule))
    }
}

impl Firsts {
    fn starting_with(&self, byte: u8, before: Before) -> &[Start] {
        self.starts
            .get(usize::from(byte))
            .and_then(|kinds| kinds.get(before as usize))
            .map(Vec::as_slice)
            .unwrap_or_default()
    }
}
