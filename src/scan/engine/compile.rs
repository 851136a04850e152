//! Rules to tables.

use regex_automata::{
    Anchored, MatchKind,
    dfa::{Automaton as _, StartKind, dense},
    nfa::thompson::{NFA, WhichCaptures},
    util::{alphabet, primitives::StateID, start},
};
use regex_syntax::hir::Hir;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use super::{
    Any, Class, Engine, Firsts, Unsupported,
    disguise::{add_reversed, rot13, triggers},
    literal::{Before, Literal, Literals},
    pattern::{self, Left, Pattern, Refused},
    scope::is_wording,
};
use crate::{scan::Rule, text::Encoding};

/// The largest automaton of one rule.
const AUTOMATON_BYTES: usize = 1 << 20;
/// The most different classes of [`Left`] parts; each costs every stream a counter.
pub(super) const CLASSES: usize = 4;

/// The run of a class that stands before what the automaton finds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    /// The class's place in the engine.
    pub(super) class: usize,
    /// The least of the run that a match needs, and the most that it takes.
    pub(super) min: usize,
    pub(super) max: usize,
}

/// A rule, ready to run.
#[derive(Debug)]
pub(super) struct Compiled {
    pub(super) rule: Rule,
    pub(super) hold: bool,
    pub(super) machine: Arc<Machine>,
    /// What stands before a rare inner literal.
    pub(super) left: Option<Run>,
    /// The rule of which this is another form, or itself.
    pub(super) stands_for: u16,
    /// That form.
    pub(super) encoding: Encoding,
}

/// Automata by pattern, so that engines with the same patterns share them: a policy compiled after another one is quick and
/// takes little memory.
#[derive(Debug, Default)]
pub struct Automata(Mutex<HashMap<(String, bool), Arc<Machine>>>);

impl Automata {
    pub(super) fn machine(&self, pattern: &str, turned: bool) -> Result<Arc<Machine>, Refused> {
        let mut machines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (pattern.to_owned(), turned);
        if let Some(machine) = machines.get(&key) {
            return Ok(Arc::clone(machine));
        }
        let machine = Arc::new(Machine::new(pattern, turned)?);
        machines.insert(key, Arc::clone(&machine));
        Ok(machine)
    }
}

/// What a pattern is run by, whatever rule it belongs to.
#[derive(Debug)]
pub(super) struct Machine {
    pub(super) automaton: dense::DFA<Vec<u32>>,
    /// One byte of each class of bytes that the automaton does not tell apart.
    representatives: Vec<u8>,
    /// The start state for each [`Before`].
    starts: [StateID; 5],
    pub(super) reach: usize,
    /// Whether a candidate that has not matched is given up in a very long word.
    pub(super) words: bool,
    pub(super) left: Option<Left>,
    pub(super) literals: Vec<Begin>,
}

/// A literal that matches begin with.
#[derive(Debug)]
pub(super) struct Begin {
    pub(super) literal: Literal,
    /// The same with its letters moved by 13.
    pub(super) rot13: Literal,
    /// As in [`literal::Start`](super::literal::Start).
    pub(super) after: Option<[StateID; 5]>,
    /// As in [`literal::Trigger`](super::literal::Trigger).
    pub(super) viable: Vec<u8>,
}

impl Machine {
    fn new(written: &str, turned: bool) -> Result<Self, Refused> {
        let Pattern {
            hir,
            left,
            literals,
            reach,
            words,
        } = pattern::parse(written, turned)?;
        let automaton = automaton(&hir).ok_or_else(too_large)?;
        let mut machine = Self {
            starts: starts(&automaton).ok_or_else(too_large)?,
            representatives: automaton
                .byte_classes()
                .representatives(0..=255)
                .filter_map(alphabet::Unit::as_u8)
                .collect(),
            automaton,
            reach,
            words,
            left,
            literals: Vec::new(),
        };
        let begins = literals.into_iter().map(|literal| Begin {
            after: machine.after(&literal),
            viable: machine.viable(&literal),
            rot13: literal.iter().map(|byte| rot13(*byte)).collect(),
            literal,
        });
        machine.literals = begins.collect();
        Ok(machine)
    }

    pub(super) fn start(&self, before: Before) -> Option<StateID> {
        self.starts.get(before as usize).copied()
    }

    /// Whether nothing can follow in `state`, so that the match is complete without another byte.
    pub(super) fn is_final(&self, state: StateID) -> bool {
        let mut representatives = self.representatives.iter();
        representatives.all(|byte| {
            let next = self.automaton.next_state(state, *byte);
            self.automaton.is_dead_state(next)
        }) && self
            .automaton
            .is_dead_state(self.automaton.next_eoi_state(state))
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.automaton.memory_usage() + size_of::<Self>()
    }

    /// The states that `state` goes to with `byte` in either case.
    fn step_any_case(&self, state: StateID, byte: u8) -> impl Iterator<Item = StateID> {
        [byte.to_ascii_lowercase(), byte.to_ascii_uppercase()]
            .into_iter()
            .map(move |byte| self.automaton.next_state(state, byte))
            .filter(|next| !self.automaton.is_dead_state(*next))
    }

    /// The state after `literal` for each [`Before`], unless it depends on the case of letters.
    fn after(&self, literal: &[u8]) -> Option<[StateID; 5]> {
        let mut after = self.starts;
        for state in &mut after {
            for byte in literal {
                let lower = self.automaton.next_state(*state, byte.to_ascii_lowercase());
                let upper = self.automaton.next_state(*state, byte.to_ascii_uppercase());
                if lower != upper {
                    return None;
                }
                *state = lower;
            }
        }
        Some(after)
    }

    /// For each length of a proper prefix of `literal`, what may stand before it.
    fn viable(&self, literal: &[u8]) -> Vec<u8> {
        let mut lengths = vec![0; literal.len()];
        for (before, _) in Before::ALL {
            let mut states: BTreeSet<StateID> = self.start(before).into_iter().collect();
            for (byte, bits) in literal.iter().zip(&mut lengths) {
                if !states.is_empty() {
                    *bits |= before.bit();
                }
                states = states
                    .iter()
                    .flat_map(|state| self.step_any_case(*state, *byte))
                    .collect();
            }
        }
        lengths
    }
}

pub(super) fn compile(
    rules: Vec<(Rule, bool)>,
    automata: &Automata,
) -> Result<Engine, Vec<Unsupported>> {
    let mut engine = Engine {
        judged: Vec::new(),
        rules: Vec::new(),
        written: 0,
        literals: None,
        firsts: Firsts {
            any: Box::new([false; 256]),
            rules: vec![Default::default(); 256],
        },
        classes: Vec::new(),
        any: Any::default(),
    };
    let mut problems = Vec::new();
    for (rule, hold) in rules {
        let id = rule.id.to_string();
        if let Err(refused) = add(&mut engine, automata, rule, hold) {
            problems.push(Unsupported {
                rule: id,
                reason: refused.reason,
                help: refused.help.to_owned(),
            });
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    engine.written = engine.rules.len();
    add_reversed(&mut engine, automata);
    engine.any = Any::of(&engine.rules);
    engine.literals = Some(Literals::build(&triggers(&engine)).ok_or_else(|| {
        vec![Unsupported {
            rule: "all rules".to_owned(),
            reason: "their literals together are too many".to_owned(),
            help: "use fewer rules".to_owned(),
        }]
    })?);
    Ok(engine)
}

fn add(engine: &mut Engine, automata: &Automata, rule: Rule, hold: bool) -> Result<(), Refused> {
    let index = u16::try_from(engine.rules.len())
        .map_err(|_| Refused::new("there are more than 65535 rules", "use fewer rules"))?;
    let machine = automata.machine(&rule.pattern, false)?;
    if machine.left.is_some() && rule.check.is_some() {
        return Err(Refused::new(
            "it has a check but no fixed beginning",
            "begin it with a literal",
        ));
    }
    let left = machine
        .left
        .as_ref()
        .map(|left| add_class(&mut engine.classes, left, (hold, is_wording(&rule))))
        .transpose()?;
    let compiled = Compiled {
        rule,
        hold,
        machine,
        left,
        stands_for: index,
        encoding: Encoding::None,
    };
    if compiled.machine.literals.is_empty() {
        add_firsts(
            &mut engine.firsts,
            &compiled,
            index,
            engine.classes.as_slice(),
        )?;
    }
    engine.rules.push(compiled);
    Ok(())
}

fn too_large() -> Refused {
    Refused::new(
        "its automaton is too large",
        "use fewer choices and smaller repetition counts; {1,} is smaller than {1,100}",
    )
}

/// The anchored automaton that goes through all matches, to the longest; `None` if it is too large.
fn automaton(hir: &Hir) -> Option<dense::DFA<Vec<u32>>> {
    let nfa = NFA::config()
        .utf8(false)
        .which_captures(WhichCaptures::None)
        .nfa_size_limit(Some(AUTOMATON_BYTES));
    let nfa = NFA::compiler().configure(nfa).build_from_hir(hir).ok()?;
    let dfa = dense::Config::new()
        .dfa_size_limit(Some(AUTOMATON_BYTES))
        .determinize_size_limit(Some(4 * AUTOMATON_BYTES))
        .start_kind(StartKind::Anchored)
        .match_kind(MatchKind::All)
        .accelerate(false);
    dense::Builder::new()
        .configure(dfa)
        .build_from_nfa(&nfa)
        .ok()
}

fn starts(automaton: &dense::DFA<Vec<u32>>) -> Option<[StateID; 5]> {
    let mut starts = [StateID::ZERO; 5];
    for (slot, (_, byte)) in starts.iter_mut().zip(Before::ALL) {
        let before = start::Config::new()
            .anchored(Anchored::Yes)
            .look_behind(byte);
        *slot = automaton.start_state(&before).ok()?;
    }
    Some(starts)
}

fn add_class(
    classes: &mut Vec<Class>,
    left: &Left,
    (hold, wording): (bool, bool),
) -> Result<Run, Refused> {
    let place = classes
        .iter()
        .position(|class| class.bytes == left.class)
        .unwrap_or_else(|| {
            classes.push(Class {
                bytes: left.class.clone(),
                held: 0,
                held_wording: 0,
            });
            classes.len() - 1
        });
    if classes.len() > CLASSES {
        return Err(Refused::new(
            "too many rules begin with a repetition of different characters",
            "begin it with a literal, or with the same class as another such rule",
        ));
    }
    if let Some(class) = classes.get_mut(place)
        && hold
    {
        class.held = class.held.max(left.max);
        if wording {
            class.held_wording = class.held_wording.max(left.max);
        }
    }
    Ok(Run {
        class: place,
        min: left.min,
        max: left.max,
    })
}

/// Notes the bytes that a rule without literals can begin with.
fn add_firsts(
    firsts: &mut Firsts,
    compiled: &Compiled,
    index: u16,
    classes: &[Class],
) -> Result<(), Refused> {
    let class = compiled.left.and_then(|run| classes.get(run.class));
    for (before, _) in Before::ALL {
        let Some(state) = compiled.machine.start(before) else {
            continue;
        };
        for byte in 0u8..=255 {
            let place = usize::from(byte);
            let automaton = &compiled.machine.automaton;
            if automaton.is_dead_state(automaton.next_state(state, byte)) {
                continue;
            }
            if byte.is_ascii_lowercase() || byte.is_ascii_whitespace() || !byte.is_ascii() {
                return Err(Refused::new(
                    "it can begin with any of many common characters",
                    "begin it with a word or with at least three fixed characters",
                ));
            }
            if class.is_some_and(|class| class.bytes.get(place) == Some(&true)) {
                return Err(Refused::new(
                    "what follows the repetition it begins with can be a part of that repetition",
                    "begin it with a literal, or follow the repetition by a character that is not in it",
                ));
            }
            if let Some(any) = firsts.any.get_mut(place) {
                *any = true;
            }
            if let Some(rules) = firsts
                .rules
                .get_mut(place)
                .and_then(|kinds| kinds.get_mut(before as usize))
            {
                rules.push(index);
            }
        }
    }
    Ok(())
}
