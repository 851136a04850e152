//! A provider that says the credential back, in an error or anywhere else, tells it to nobody: stars take its place, as many as it
//! has bytes, so that nothing else of an answer moves.

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue};
use memchr::{memchr_iter, memmem};

use crate::secret::Secret;

/// Shorter credentials may be ordinary words, such as those of servers that want any.
const LEAST: usize = 16;
const WITHHELD: HeaderValue = HeaderValue::from_static("[withheld]");

/// Looks for the credential of one exchange in its answer.
#[derive(Debug)]
pub(super) struct Mask {
    credential: Secret,
    /// The end of what came, which may be the credential's start.
    held: Bytes,
}

impl Mask {
    /// For a credential that was sent; nothing if it cannot be told from other text.
    pub(super) fn new(credential: Option<&Secret>) -> Option<Self> {
        let credential = credential.filter(|secret| secret.expose().len() >= LEAST)?;
        Some(Self {
            credential: credential.clone(),
            held: Bytes::new(),
        })
    }

    /// What of the answer may be read on now that `chunk` has come.
    pub(super) fn push(&mut self, chunk: Bytes) -> Bytes {
        let mut bytes = if self.held.is_empty() {
            chunk
        } else {
            [std::mem::take(&mut self.held), chunk].concat().into()
        };
        let credential = self.credential.expose().as_bytes();
        if memmem::find(&bytes, credential).is_some() {
            bytes = masked(&bytes, credential);
        }
        let begun = begins_within(&bytes, credential);
        self.held = bytes.split_off(begun);
        bytes
    }

    /// What is left at the end.
    pub(super) fn rest(&mut self) -> Bytes {
        std::mem::take(&mut self.held)
    }

    /// Whether nothing is left.
    pub(super) const fn is_done(&self) -> bool {
        self.held.is_empty()
    }

    /// The same for headers.
    pub(super) fn clean(&self, headers: &mut HeaderMap) {
        let credential = self.credential.expose().as_bytes();
        for value in headers.values_mut() {
            if memmem::find(value.as_bytes(), credential).is_some() {
                *value = WITHHELD;
            }
        }
    }
}

fn masked(bytes: &[u8], credential: &[u8]) -> Bytes {
    let mut masked = BytesMut::from(bytes);
    for start in memmem::find_iter(bytes, credential) {
        let place = masked.get_mut(start..start + credential.len());
        place.unwrap_or_default().fill(b'*');
    }
    masked.freeze()
}

/// Where, at the end of `bytes`, the credential may begin; their length if nowhere.
fn begins_within(bytes: &[u8], credential: &[u8]) -> usize {
    let from = bytes.len().saturating_sub(credential.len() - 1);
    let (Some(end), Some(first)) = (bytes.get(from..), credential.first()) else {
        return bytes.len();
    };
    let begins = |at: &usize| {
        end.get(*at..)
            .is_some_and(|end| credential.starts_with(end))
    };
    let begun = memchr_iter(*first, end).find(begins);
    begun.map_or(bytes.len(), |at| from + at)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CREDENTIAL: &str = "labtoken.labtoken.7f3e9c1d";

    fn read(chunks: &[&[u8]]) -> Vec<u8> {
        let secret = Secret::new(CREDENTIAL);
        let mut mask = Mask::new(Some(&secret)).unwrap();
        let parts = chunks
            .iter()
            .map(|chunk| mask.push(Bytes::copy_from_slice(chunk)));
        let mut all = parts.collect::<Vec<_>>().concat();
        all.extend(mask.rest());
        assert!(mask.is_done());
        all
    }

    #[test]
    fn it_is_masked_wherever_it_is_cut_and_nothing_else_changes() {
        let stars = "*".repeat(CREDENTIAL.len());
        for text in [
            format!("Incorrect API key: {CREDENTIAL}."),
            format!("{CREDENTIAL}{CREDENTIAL}labtoken.lab"),
            "labtoken.labtoken.labtoken.7f3e9c1d, labtoken.".to_owned(),
            "nothing here".to_owned(),
        ] {
            let expected = text.replace(CREDENTIAL, &stars);
            let bytes = text.as_bytes();
            for cut in 0..=bytes.len() {
                let (one, two) = bytes.split_at(cut);
                assert_eq!(read(&[one, two]), expected.as_bytes(), "{cut}");
            }
            let single: Vec<&[u8]> = bytes.chunks(1).collect();
            assert_eq!(read(&single), expected.as_bytes());
        }
    }

    #[test]
    fn headers_do_not_tell_it() {
        let secret = Secret::new(CREDENTIAL);
        let mut headers = HeaderMap::new();
        headers.insert(
            "x-key",
            HeaderValue::from_static("a labtoken.labtoken.7f3e9c1d"),
        );
        headers.insert("x-other", HeaderValue::from_static("labtoken."));
        Mask::new(Some(&secret)).unwrap().clean(&mut headers);
        assert_eq!(
            (&headers["x-key"], &headers["x-other"]),
            (&WITHHELD, &HeaderValue::from_static("labtoken."))
        );
        assert!(Mask::new(Some(&Secret::new("ollama"))).is_none());
    }
}
