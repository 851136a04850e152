//! Wording that is turned: letters moved by 13, text from the end to the start. And secrets behind other letters.
//!
//! All are found by the patterns themselves, turned the same way, so ordinary text costs no second reading and streams hold exactly what may
//! still match.

use regex_syntax::hir::{Hir, HirKind, Look, Repetition};

use super::{
    Engine,
    compile::Compiled,
    machine::{Automata, Begin},
    scope::is_turned,
    trigger::{Start, Trigger},
};
use crate::text::Encoding;

/// The pattern of the same texts from the end to the start, character by character.
pub(super) fn reversed(hir: &Hir) -> Hir {
    match hir.kind() {
        HirKind::Empty => Hir::empty(),
        HirKind::Literal(literal) => Hir::literal(match str::from_utf8(&literal.0) {
            Ok(text) => text.chars().rev().collect::<String>().into_bytes(),
            Err(_) => literal.0.iter().rev().copied().collect(),
        }),
        HirKind::Class(class) => Hir::class(class.clone()),
        HirKind::Look(look) => Hir::look(mirrored(*look)),
        HirKind::Repetition(repetition) => Hir::repetition(Repetition {
            sub: Box::new(reversed(&repetition.sub)),
            ..repetition.clone()
        }),
        HirKind::Capture(capture) => reversed(&capture.sub),
        HirKind::Concat(parts) => Hir::concat(parts.iter().rev().map(reversed).collect()),
        HirKind::Alternation(branches) => Hir::alternation(branches.iter().map(reversed).collect()),
    }
}

const fn mirrored(look: Look) -> Look {
    match look {
        Look::Start => Look::End,
        Look::End => Look::Start,
        Look::StartLF => Look::EndLF,
        Look::EndLF => Look::StartLF,
        Look::StartCRLF => Look::EndCRLF,
        Look::EndCRLF => Look::StartCRLF,
        Look::WordStartAscii => Look::WordEndAscii,
        Look::WordEndAscii => Look::WordStartAscii,
        Look::WordStartUnicode => Look::WordEndUnicode,
        Look::WordEndUnicode => Look::WordStartUnicode,
        Look::WordStartHalfAscii => Look::WordEndHalfAscii,
        Look::WordEndHalfAscii => Look::WordStartHalfAscii,
        Look::WordStartHalfUnicode => Look::WordEndHalfUnicode,
        Look::WordEndHalfUnicode => Look::WordStartHalfUnicode,
        same @ (Look::WordAscii
        | Look::WordAsciiNegate
        | Look::WordUnicode
        | Look::WordUnicodeNegate) => same,
    }
}

/// Adds the rules that are turned, as far as they can be: all whose matches end in one of a few literals.
pub(super) fn add_reversed(engine: &mut Engine, automata: &Automata) {
    for index in 0..engine.written {
        let Some(compiled) = engine
            .rules
            .get(index)
            .filter(|compiled| is_turned(&compiled.rule))
        else {
            continue;
        };
        let machine = automata.machine(&compiled.rule.pattern, true);
        let machine = machine
            .ok()
            .filter(|machine| machine.left.is_none() && !machine.literals.is_empty());
        if let (Some(machine), true) = (machine, engine.rules.len() < usize::from(u16::MAX)) {
            engine.rules.push(Compiled {
                rule: compiled.rule.clone(),
                hold: compiled.hold,
                machine,
                left: None,
                stands_for: compiled.stands_for,
                encoding: Encoding::Reversed,
                glued: false,
                wraps: false,
            });
        }
    }
}

/// Adds the secrets that no blank parts from what stands before them, as far as their beginning is certain: it has letters and signs, or is AWS's.
pub(super) fn add_glued(engine: &mut Engine, automata: &Automata) {
    for index in 0..engine.written {
        let Some(compiled) = engine.rules.get(index).filter(|rule| rule.is_issued()) else {
            continue;
        };
        let signs = |begin: &Begin| {
            begin.literal.len() >= 4 && begin.literal.iter().any(|byte| b"_-.".contains(byte))
        };
        let certain = compiled.machine.literals.iter().all(signs)
            || compiled.rule.id == "secrets.aws_access_key";
        let Some(rest) = compiled
            .rule
            .pattern
            .strip_prefix(r"(?-u)\b")
            .filter(|_| certain)
        else {
            continue;
        };
        let machine = automata.machine(&format!(r"(?-u)\B{rest}"), false);
        let machine = machine.ok().filter(|machine| !machine.literals.is_empty());
        if let (Some(machine), true) = (machine, engine.rules.len() < usize::from(u16::MAX)) {
            engine.rules.push(Compiled {
                rule: compiled.rule.clone(),
                hold: false,
                machine,
                left: None,
                stands_for: compiled.stands_for,
                encoding: Encoding::None,
                glued: true,
                wraps: false,
            });
        }
    }
}

/// The literals of all rules, those that are turned also with their letters moved.
pub(super) fn triggers(engine: &Engine) -> Vec<Trigger<'_>> {
    let rules = engine.rules.iter().zip(0u16..);
    let forms = rules.flat_map(|(compiled, rule)| {
        let moved = is_turned(&compiled.rule) || compiled.is_issued();
        let moved = moved && compiled.encoding == Encoding::None && !compiled.glued;
        let begins = compiled.machine.literals.iter();
        begins.flat_map(move |begin| {
            let trigger = move |literal, rot13| Trigger {
                literal,
                start: Start {
                    rule,
                    after: begin.after,
                    next: if rot13 { begin.rot13_next } else { begin.next },
                    rot13,
                },
                viable: if compiled.hold { &begin.viable } else { &[] },
            };
            let moved = moved && begin.rot13 != begin.literal;
            let moved = moved.then(|| trigger(&begin.rot13, true));
            [trigger(&begin.literal, false)].into_iter().chain(moved)
        })
    });
    forms.collect()
}
