//! Tokens whose characters are written one by one, "A K I A" or "A.K.I.A", to tokens.
//!
//! One and the same character stands between all of them. Letters of words are read by [`super::spaced`], which knows words.

use super::{Span, gate, spaced::is_joint};

/// Fewer characters in a row are initials, lists and the like, and no secret.
const LEAST: usize = 8;

/// A rewriting that is under way.
#[derive(Clone, Debug)]
pub struct Apart {
    /// Whether a character now would go on a word.
    in_word: bool,
    /// Characters of the run so far.
    count: usize,
    /// What stands between them, once it is known.
    joint: Option<char>,
    /// What is not decided yet: characters and joints in turn.
    waiting: Vec<(char, Span)>,
    /// Whether a character is awaited next, and not a joint.
    after_joint: bool,
}

impl Apart {
    /// After the character `before`.
    pub fn new(before: Option<char>) -> Self {
        Self {
            in_word: before.is_some_and(char::is_alphanumeric),
            count: 0,
            joint: None,
            waiting: Vec::new(),
            after_joint: false,
        }
    }

    /// Where in the source text begins that is not decided yet.
    pub fn pending(&self) -> Option<usize> {
        self.waiting.first().map(|(_, source)| source.start)
    }

    /// Whether nothing has changed or will of what was read so far, if `text` follows: a single character began a longer word.
    pub fn is_over(&self, text: &str) -> bool {
        let next = text.chars().next();
        self.count == 1 && !self.after_joint && next.is_some_and(|next| !is_joint(next))
    }

    /// How many bytes of the text, which follows `before`, stay as they are and need not be given to [`push`](Self::push).
    pub fn skip(&mut self, text: &str, before: Option<char>) -> usize {
        if self.count > 0 {
            return 0;
        }
        let skipped = find(text.as_bytes(), 0, before).unwrap_or(text.len());
        let skips = text.get(..skipped).unwrap_or_default();
        if let Some(last) = skips.chars().next_back() {
            self.in_word = last.is_alphanumeric();
        }
        skipped
    }

    /// Reads the next character; `out` is given what it becomes, and whether that is something else.
    pub fn push(&mut self, character: char, source: Span, out: &mut impl FnMut(char, Span, bool)) {
        if self.count > 0 && self.goes_on(character) {
            self.waiting.push((character, source));
            self.after_joint = !self.after_joint;
            if !self.after_joint {
                self.count += 1;
                self.settle(out);
            }
            return;
        }
        // The last character may be the first of a run with another joint.
        let first = self.waiting.last().copied();
        let begins = |first: &(char, Span)| {
            self.count < LEAST && first.0.is_ascii_alphanumeric() && is_joint(character)
        };
        if let Some(first) = first.filter(|_| !self.after_joint).filter(begins) {
            self.waiting.pop();
            self.release(out);
            self.count = 1;
            self.waiting.extend([first, (character, source)]);
            self.joint = Some(character);
            self.after_joint = true;
            return;
        }
        self.end(character.is_alphanumeric(), out);
        if character.is_ascii_alphanumeric() && !self.in_word {
            self.count = 1;
            self.waiting.push((character, source));
        } else {
            self.in_word = character.is_alphanumeric();
            out(character, source, false);
        }
    }

    /// The end of the text.
    pub fn finish(&mut self, out: &mut impl FnMut(char, Span, bool)) {
        self.end(false, out);
    }

    fn goes_on(&mut self, character: char) -> bool {
        match self.joint {
            _ if self.after_joint => is_part(character),
            Some(joint) => joint == character,
            None => {
                self.joint = is_joint(character).then_some(character);
                self.joint.is_some()
            }
        }
    }

    /// Gives out the characters of a run that is long enough, but for the last one, which may begin a word, and the joint before it.
    fn settle(&mut self, out: &mut impl FnMut(char, Span, bool)) {
        if self.count < LEAST {
            return;
        }
        let decided = self.waiting.len().saturating_sub(2);
        // Of a run that is known already, a joint comes first.
        let joints = usize::from(self.count == LEAST);
        for (place, (character, source)) in self.waiting.drain(..decided).enumerate() {
            if place % 2 != joints {
                out(character, source, true);
            }
        }
    }

    /// The end of the run.
    fn end(&mut self, in_word: bool, out: &mut impl FnMut(char, Span, bool)) {
        if self.count == 0 {
            return;
        }
        if self.count >= LEAST && (!in_word || self.after_joint) {
            // The joint before the last character goes.
            self.waiting.remove(0);
            let (character, source) = self.waiting.remove(0);
            self.in_word = character.is_alphanumeric();
            out(character, source, true);
        }
        self.release(out);
    }

    /// Gives out what waits as it stands.
    fn release(&mut self, out: &mut impl FnMut(char, Span, bool)) {
        for (character, source) in self.waiting.drain(..) {
            self.in_word = character.is_alphanumeric();
            out(character, source, false);
        }
        self.count = 0;
        self.joint = None;
        self.after_joint = false;
    }
}

/// The first place from `from` on where text that follows `before` changes, or may if more follows.
pub fn find(text: &[u8], from: usize, before: Option<char>) -> Option<usize> {
    let in_word = before.is_some_and(char::is_alphanumeric);
    let mut alone = gate::alone(text, from, 2 * LEAST - 1, in_word);
    alone.find(|place| is_run(text.get(*place..).unwrap_or_default()))
}

/// Whether enough characters that stand alone follow each other, or may if more follows.
fn is_run(text: &[u8]) -> bool {
    let Some(joint) = text.get(1) else {
        return true;
    };
    let run = text.iter().take(2 * LEAST - 1).enumerate();
    is_joint(char::from(*joint))
        && run.skip(1).all(|(place, byte)| match place % 2 {
            0 => is_part(char::from(*byte)),
            _ => byte == joint,
        })
}

/// Whether secrets are made of it.
const fn is_part(character: char) -> bool {
    character.is_ascii_alphanumeric()
        || matches!(character, '_' | '-' | '.' | '+' | '/' | '=' | '~')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(text: &str) -> String {
        let mut apart = Apart::new(None);
        let (mut out, mut first) = (String::new(), None);
        let mut take = |character, source: Span, changed: bool| {
            out.push(character);
            first = first.or_else(|| changed.then_some(source.start));
        };
        for (place, character) in text.char_indices() {
            let source = Span::new(place, place + character.len_utf8());
            apart.push(character, source, &mut take);
        }
        apart.finish(&mut take);
        if let Some(first) = first {
            let found = find(text.as_bytes(), 0, None);
            assert!(found.is_some_and(|found| found <= first), "{text}");
        }
        out
    }

    #[test]
    fn characters_one_by_one_are_tokens() {
        for (text, expected) in [
            ("g h p _ a B 3 d E 5 f 7", "ghp_aB3dE5f7"),
            (
                "it is g.h.p._.a.B.3.d.E.5 and more",
                "it is ghp_aB3dE5 and more",
            ),
            ("s-k---a-b-c-1-2-3-4 x", "sk-abc1234 x"),
            ("A K I A Q Y L P M N and so on", "AKIAQYLPMN and so on"),
            ("A K I A Q Y L P M Na", "AKIAQYLPM Na"),
            ("I.A K I A Q Y L P M", "I.AKIAQYLPM"),
            ("A\nK\nI\nA\nQ\nY\nL\nP\n", "AKIAQYLP\n"),
            ("a b c d e f g", "a b c d e f g"),
            ("x, y, z and w", "x, y, z and w"),
            ("A K I A", "A K I A"),
            ("é A K I A Q Y L P", "é AKIAQYLP"),
            ("", ""),
        ] {
            assert_eq!(rewritten(text), expected, "{text}");
        }
    }
}
