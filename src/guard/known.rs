//! Strings that were found clean before in the same stream.
//!
//! An answer's id, model and object type are in each of its events. Comparing them with what was scanned in an earlier event
//! costs a few nanoseconds, scanning them again would cost more than the text that is new.

use crate::guard::carrier::{Carrier, Coding};
use crate::text::Form;

/// The most strings kept, and the longest.
const MAX_STRINGS: usize = 16;
const MAX_BYTES: usize = 128;

/// A small memory of clean strings in the order in which events hold them.
#[derive(Debug, Default)]
pub(super) struct Known {
    strings: Vec<(Coding, Form, Box<[u8]>)>,
    /// Where the next string of an ordinary event is expected.
    next: usize,
}

impl Known {
    /// To be called at the start of each event.
    pub(super) const fn rewind(&mut self) {
        self.next = 0;
    }

    /// Whether the string is known to be clean.
    pub(super) fn contains(&mut self, string: &Carrier<'_>) -> bool {
        let is = |(coding, form, raw): &(Coding, Form, Box<[u8]>)| {
            **raw == *string.raw && *form == string.form && *coding == string.coding
        };
        let place = if self.strings.get(self.next).is_some_and(is) {
            Some(self.next)
        } else {
            self.strings.iter().position(is)
        };
        if let Some(place) = place {
            self.next = place + 1;
        }
        place.is_some()
    }

    /// Remembers a string in which nothing at all was found, in place of the one that was expected there.
    pub(super) fn insert(&mut self, string: &Carrier<'_>) {
        if string.raw.len() > MAX_BYTES || self.next >= MAX_STRINGS {
            return;
        }
        let string = (string.coding, string.form, string.raw.into());
        match self.strings.get_mut(self.next) {
            Some(place) => *place = string,
            None => self.strings.push(string),
        }
        self.next += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::structure::Spot;

    fn string(form: Form, raw: &[u8]) -> Carrier<'_> {
        Carrier {
            raw,
            start: 0,
            coding: Coding::Json,
            form,
            spot: Spot::default(),
        }
    }

    #[test]
    fn knows_what_repeats_and_keeps_up_with_what_changes() {
        let mut known = Known::default();
        let mut scanned = 0;
        for event in 0..50 {
            known.rewind();
            let id = if event < 25 { "id-1" } else { "id-2" };
            for text in [id, "chunk", &format!("random {event}"), "model"] {
                if !known.contains(&string(Form::Plain, text.as_bytes())) {
                    scanned += 1;
                    known.insert(&string(Form::Plain, text.as_bytes()));
                }
            }
        }
        assert_eq!(scanned, 5 - 1 + 50);
        assert_eq!(known.strings.len(), 4);
    }

    #[test]
    fn tells_forms_apart_and_stays_small() {
        let mut known = Known::default();
        known.insert(&string(Form::Plain, b"a"));
        assert!(known.contains(&string(Form::Plain, b"a")));
        assert!(!known.contains(&string(Form::Json, b"a")));
        for i in 0..100_u8 {
            known.insert(&string(Form::Plain, &[i, 1]));
        }
        known.insert(&string(Form::Plain, &[b'x'; MAX_BYTES + 1]));
        assert_eq!(known.strings.len(), MAX_STRINGS);
    }
}
