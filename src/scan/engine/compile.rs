//! Rules to tables.

use regex_automata::dfa::Automaton as _;
use std::collections::BTreeSet;
use std::sync::Arc;

use super::{
    Any, Class, Engine, Firsts, Unsupported,
    disguise::{add_glued, add_reversed, triggers},
    literal::Before,
    machine::{Automata, Machine},
    pattern::{Left, Refused},
    scope::{Scope, is_wording},
    trigger::{Literals, Start},
};
use crate::{scan::Rule, text::Encoding};

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
    /// It follows on letters or digits, and counts in whole texts only: streams would hold the end of most words for it.
    pub(super) glued: bool,
    /// Its matches may go over the ends of lines.
    pub(super) wraps: bool,
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
            starts: vec![Default::default(); 256],
        },
        classes: Vec::new(),
        any: [Any::default(); 4],
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
    add_glued(&mut engine, automata);
    let scopes = [Scope::All, Scope::Decoded, Scope::Wording, Scope::Secrets];
    engine.any = scopes.map(|scope| Any::of(&engine.rules, scope));
    let literals = Literals::build(&triggers(&engine), &engine.firsts.any);
    engine.literals = Some(literals.ok_or_else(|| {
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
    let mut compiled = Compiled {
        rule,
        hold,
        machine,
        left,
        stands_for: index,
        encoding: Encoding::None,
        glued: false,
        wraps: false,
    };
    compiled.wraps = compiled.is_issued();
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
            let after = compiled.machine.automaton.next_state(state, byte);
            let start = Start {
                rule: index,
                rot13: false,
                after: Some([after; 5]),
                next: compiled
                    .machine
                    .next_of(&BTreeSet::from([after]), |byte| byte),
            };
            if let Some(starts) = firsts
                .starts
                .get_mut(place)
                .and_then(|kinds| kinds.get_mut(before as usize))
            {
                starts.push(start);
            }
        }
    }
    Ok(())
}
