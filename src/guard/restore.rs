//! Reversible redaction: `<EMAIL_1>` goes up, and where the answer says `<EMAIL_1>` the original stands again.
//!
//! One value has one placeholder in an exchange, and no placeholder is one that the request's text holds already. Originals are in
//! memory for the exchange only, and wiped after it.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::hash::{BuildHasher as _, RandomState};

use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::guard::edit::Placed;
use crate::text::{Form, Span};
use crate::wire::json::unescape;

/// The texts that the placeholders of one exchange stand for.
#[derive(Clone, Default)]
pub struct Originals {
    entries: Vec<Original>,
    /// Positions in `entries` by placeholder.
    by_name: HashMap<String, usize>,
    /// The same by a hash of label and text.
    by_text: HashMap<u64, Vec<usize>>,
    hasher: RandomState,
    /// The last number of each label.
    numbers: HashMap<String, u32>,
    /// Of several gateways, which do not know each other's originals, each makes a value's number from this and the value: so a
    /// value has the same placeholder at all of them, and what one does not know stays as it is.
    spread: Option<Hmac<Sha256>>,
    /// What the request's text holds that looks like a placeholder.
    taken: HashSet<String>,
}

#[derive(Clone)]
struct Original {
    name: String,
    text: Zeroizing<String>,
}

impl fmt::Debug for Originals {
    /// Only how many: they are what must not be seen.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Originals({})", self.entries.len())
    }
}

impl Originals {
    /// None yet, of a session whose exchanges may meet several gateways with one secret.
    pub fn numbered(secret: &[u8], session: &str) -> Self {
        // Any length of key is taken.
        let mac = Hmac::<Sha256>::new_from_slice(secret).ok();
        let spread = mac.map(|mac| mac.chain_update(session).chain_update([0]));
        Self {
            spread,
            ..Self::default()
        }
    }

    /// How many texts are kept.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// About how many bytes they take.
    pub fn bytes(&self) -> usize {
        // A name, its copy in a map, and the entries of both maps.
        const ENTRY: usize = 256;
        let texts: usize = self.entries.iter().map(|entry| entry.text.len()).sum();
        texts + self.entries.len() * ENTRY + self.taken.len() * ENTRY / 4
    }

    /// Takes note of everything in `text` that looks like a placeholder: none of it will become one.
    pub(super) fn reserve(&mut self, text: &str, form: Form) {
        if form == Form::Json && text.contains('\\') {
            self.reserve(&unescape(text.as_bytes()), Form::Plain);
        }
        for (start, _) in text.match_indices('<') {
            let rest = text.get(start..).unwrap_or_default();
            let end = rest
                .bytes()
                .skip(1)
                .take_while(|byte| is_name(*byte))
                .count()
                + 2;
            let name = rest.get(..end).filter(|name| name.ends_with('>'));
            if let Some(name) = name {
                self.taken.insert(name.to_owned());
            }
        }
    }

    /// The number of the placeholder for `matched`, which a rule of this label found in text of this form.
    pub(super) fn hide(&mut self, label: &str, matched: &str, form: Form) -> usize {
        let text = Zeroizing::new(reads(matched, form));
        let hash = self.hasher.hash_one((label, text.as_str()));
        let known = self.by_text.get(&hash).into_iter().flatten().find(|known| {
            self.entries
                .get(**known)
                .is_some_and(|entry| *entry.text == *text && is_of(&entry.name, label))
        });
        if let Some(known) = known {
            return *known;
        }
        let mut number = match &self.spread {
            Some(mac) => spread(mac.clone(), label, &text),
            None => self.numbers.get(label).map_or(1, |last| last + 1),
        };
        let name = loop {
            let name = format!("<{label}_{number}>");
            if !self.taken.contains(&name) && !self.by_name.contains_key(&name) {
                break name;
            }
            number += 1;
        };
        self.numbers.insert(label.to_owned(), number);
        let position = self.entries.len();
        self.by_name.insert(name.clone(), position);
        self.by_text.entry(hash).or_default().push(position);
        self.entries.push(Original { name, text });
        position
    }

    /// The number of the placeholder that `matched` is, if it is one, letter by letter.
    pub(super) fn find(&self, matched: &str, form: Form) -> Option<usize> {
        self.by_name.get(&reads(matched, form)).copied()
    }

    /// The placeholder of a number.
    pub(super) fn name(&self, number: usize) -> &str {
        self.entries.get(number).map_or("", |entry| &entry.name)
    }

    /// What a placeholder stands for.
    pub(super) fn text(&self, number: usize) -> &str {
        self.entries.get(number).map_or("", |entry| &entry.text)
    }
}

/// A number of eight digits, which two values of a session hardly share.
fn spread(mac: Hmac<Sha256>, label: &str, text: &str) -> u32 {
    let mac = mac.chain_update(label).chain_update([0]).chain_update(text);
    let bytes = mac.finalize().into_bytes();
    let number = bytes
        .iter()
        .take(4)
        .fold(0, |sum, byte| sum << 8 | u32::from(*byte));
    10_000_000 + number % 90_000_000
}

const fn is_name(byte: u8) -> bool {
    byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_'
}

/// Whether a placeholder has this label: `<EMAIL_1>` has `EMAIL`.
fn is_of(name: &str, label: &str) -> bool {
    let inner = name
        .strip_prefix('<')
        .and_then(|rest| rest.rsplit_once('_'));
    inner.is_some_and(|(own, _)| own == label)
}

/// The text as its reader will have it.
fn reads(text: &str, form: Form) -> String {
    match form {
        Form::Plain => text.to_owned(),
        Form::Json => unescape(text.as_bytes()).into_owned(),
    }
}

/// The placeholders found in one text, in order, none overlapping another.
#[derive(Clone, Debug, Default)]
pub(super) struct Restores(Vec<Placed>);

impl Restores {
    /// Adds the placeholder of this number at `span`.
    pub(super) fn add(&mut self, span: Span, number: usize) {
        // Two views of a text may find the same.
        let at = self.0.partition_point(|known| known.span.end <= span.start);
        if self
            .0
            .get(at)
            .is_none_or(|next| next.span.start >= span.end)
        {
            self.0.insert(at, Placed { span, number });
        }
    }

    /// Forgets those that end before `end`.
    pub(super) fn forget(&mut self, end: usize) {
        let gone = self.0.partition_point(|known| known.span.end < end);
        self.0.drain(..gone);
    }

    /// All of them.
    pub(super) fn placed(&self) -> &[Placed] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_has_one_name_and_no_name_is_taken() {
        let mut originals = Originals::default();
        originals.reserve(
            "keep <EMAIL_1> and <EMAIL_3>, <b>, < and <EMAIL_",
            Form::Plain,
        );
        originals.reserve(r"\u003cEMAIL_4\u003e", Form::Json);
        let first = originals.hide("EMAIL", "a@b.example", Form::Plain);
        let second = originals.hide("EMAIL", "c@b.example", Form::Plain);
        let other = originals.hide("CARD", "a@b.example", Form::Plain);
        assert_eq!(
            originals.hide("EMAIL", r"a\u0040b.example", Form::Json),
            first
        );
        let names = [first, second, other].map(|number| originals.name(number).to_owned());
        assert_eq!(names, ["<EMAIL_2>", "<EMAIL_5>", "<CARD_1>"]);
        assert_eq!(originals.find("<EMAIL_2>", Form::Plain), Some(first));
        assert_eq!(originals.find(r"\u003cEMAIL_5>", Form::Json), Some(second));
        assert_eq!(originals.find("<EMAIL_1>", Form::Plain), None);
        assert_eq!(originals.find("<email_2>", Form::Plain), None);
        assert_eq!(originals.text(first), "a@b.example");
        assert_eq!(format!("{originals:?}"), "Originals(3)");
    }

    /// Gateways that know nothing of each other say the same of a value, and nothing of a placeholder that another made.
    #[test]
    fn gateways_with_one_secret_number_alike() {
        let gateway = |session| Originals::numbered(b"secret", session);
        let [mut one, mut two, mut other] = ["ses_1", "ses_1", "ses_2"].map(gateway);
        let named = |originals: &mut Originals, label, text| {
            let number = originals.hide(label, text, Form::Plain);
            originals.name(number).to_owned()
        };
        let ann = named(&mut one, "EMAIL", "ann@b.example");
        let bob = named(&mut two, "EMAIL", "bob@b.example");
        assert_ne!(ann, bob);
        assert_eq!(two.find(&ann, Form::Plain), None);
        assert_eq!(named(&mut two, "EMAIL", "ann@b.example"), ann);
        assert_eq!(named(&mut one, "EMAIL", "bob@b.example"), bob);
        assert_ne!(
            named(&mut one, "CARD", "ann@b.example"),
            ann.replace("EMAIL", "CARD")
        );
        assert_ne!(named(&mut other, "EMAIL", "ann@b.example"), ann);
        let digits = ann.trim_start_matches("<EMAIL_").trim_end_matches('>');
        assert_eq!(digits.len(), 8, "{ann}");
        other.reserve(&ann, Form::Plain);
        assert_eq!(other.find(&ann, Form::Plain), None);
    }
}
