//! How records are linked, so that a change, gap or exchange of lines shows.
//!
//! ```text
//! line  {"seq":N, ... ,"hash":"H"}
//! H     SHA-256 (FIPS 180-4) of the hash of line N-1 (32 bytes; zeros before line 1) and of this line without
//!       `,"hash":"H"`, as 64 lower-case hexadecimal digits
//! ```
//!
//! The chain alone cannot show that its last records were cut off, nor that all of it was written anew: against the first
//! there is the head file, against the second only a copy elsewhere.

use sha2::{Digest, Sha256};

const OPEN: &[u8] = br#"{"seq":"#;
const MIDDLE: &[u8] = br#","hash":""#;
const CLOSE: &[u8] = br#""}"#;
const DIGITS: usize = 64;

/// The end of a chain: what the next record is linked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// Number of the last record, from 1; 0 before the first.
    pub seq: u64,
    /// Its hash; zeros before the first.
    pub hash: [u8; 32],
}

/// Why a line does not follow the line before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Break {
    /// It is no line of an audit log.
    #[error("this is no audit record")]
    Unreadable,
    /// Records are missing, repeated or in another order.
    #[error(
        "found record {found} where record {expected} belongs: lines were removed, repeated or moved"
    )]
    Sequence {
        /// The number in the line.
        found: u64,
        /// The number that belongs there.
        expected: u64,
    },
    /// The record, or the one before it, is not what was written.
    #[error("the hash of record {seq} does not fit: it or the record before it was changed")]
    Changed {
        /// The number in the line.
        seq: u64,
    },
}

impl Link {
    /// The end of a chain without records.
    pub const START: Self = Self {
        seq: 0,
        hash: [0; 32],
    };

    /// Links a record, a JSON object with at least one member, to the chain: writes its line, without line end, into an empty
    /// buffer. Answers with the new end.
    ///
    /// # Errors
    /// If `record` fails to write the record.
    pub fn seal<E>(
        &self,
        line: &mut Vec<u8>,
        record: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<Self, E> {
        let seq = self.seq + 1;
        line.extend_from_slice(OPEN);
        line.extend_from_slice(seq.to_string().as_bytes());
        let members = line.len();
        record(line)?;
        if let Some(brace) = line.get_mut(members) {
            *brace = b',';
        }
        let end = Self {
            seq,
            hash: self.digest(line),
        };
        line.pop();
        line.extend_from_slice(MIDDLE);
        line.extend_from_slice(&end.digits());
        line.extend_from_slice(CLOSE);
        Ok(end)
    }

    /// Whether a line follows here: the new end.
    ///
    /// # Errors
    /// Why it does not.
    pub fn check(&self, line: &[u8]) -> Result<Self, Break> {
        let found = Self::read(line).ok_or(Break::Unreadable)?;
        if found.seq != self.seq + 1 {
            return Err(Break::Sequence {
                found: found.seq,
                expected: self.seq + 1,
            });
        }
        let members = line
            .get(..line.len() - MIDDLE.len() - DIGITS - CLOSE.len())
            .unwrap_or_default();
        let sealed = [members, b"}"].concat();
        if self.digest(&sealed) != found.hash {
            return Err(Break::Changed { seq: found.seq });
        }
        Ok(found)
    }

    /// What a line says of itself, unchecked; `None` if it is no line of an audit log.
    pub fn read(line: &[u8]) -> Option<Self> {
        let digits = line.strip_prefix(OPEN)?;
        let seq = digits.split(|byte| *byte == b',').next()?;
        let rest = line.strip_suffix(CLOSE)?;
        let (rest, hash) = rest.split_at_checked(rest.len().checked_sub(DIGITS)?)?;
        if !rest.ends_with(MIDDLE) {
            return None;
        }
        Some(Self {
            seq: std::str::from_utf8(seq).ok()?.parse().ok()?,
            hash: parse_hash(hash)?,
        })
    }

    /// The hash in hexadecimal digits.
    pub fn hash_text(&self) -> String {
        self.digits().map(char::from).iter().collect()
    }

    fn digest(&self, line: &[u8]) -> [u8; 32] {
        Sha256::new()
            .chain_update(self.hash)
            .chain_update(line)
            .finalize()
            .into()
    }

    fn digits(&self) -> [u8; DIGITS] {
        let digit = |half: u8| {
            if half < 10 {
                b'0' + half
            } else {
                b'a' + half - 10
            }
        };
        let mut digits = [0; DIGITS];
        for (pair, byte) in digits.as_chunks_mut::<2>().0.iter_mut().zip(self.hash) {
            *pair = [digit(byte >> 4), digit(byte & 15)];
        }
        digits
    }
}

/// 64 hexadecimal digits, lower case only: each hash has one spelling.
pub(super) fn parse_hash(digits: &[u8]) -> Option<[u8; 32]> {
    let value = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let mut hash = [0; 32];
    let (pairs, rest) = digits.as_chunks::<2>();
    if pairs.len() != hash.len() || !rest.is_empty() {
        return None;
    }
    for (byte, [high, low]) in hash.iter_mut().zip(pairs) {
        *byte = value(*high)? << 4 | value(*low)?;
    }
    Some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(records: &[&str]) -> Vec<String> {
        let mut end = Link::START;
        let mut lines = Vec::new();
        for record in records {
            let mut line = Vec::new();
            end = end
                .seal::<()>(&mut line, |line| {
                    line.extend_from_slice(record.as_bytes());
                    Ok(())
                })
                .unwrap();
            lines.push(String::from_utf8(line).unwrap());
        }
        lines
    }

    fn verify(lines: &[String]) -> Result<Link, Break> {
        lines
            .iter()
            .try_fold(Link::START, |end, line| end.check(line.as_bytes()))
    }

    #[test]
    fn a_line_is_json_and_its_hash_can_be_computed_elsewhere() {
        let lines = chain(&[r#"{"a":1}"#]);
        let expected = Sha256::new()
            .chain_update([0; 32])
            .chain_update(br#"{"seq":1,"a":1}"#)
            .finalize();
        let value: serde_json::Value = serde_json::from_str(&lines[0]).unwrap();
        assert_eq!(value["seq"], 1);
        assert_eq!(value["a"], 1);
        assert_eq!(value["hash"], format!("{expected:x}"));
    }

    #[test]
    fn an_untouched_chain_holds() {
        let lines = chain(&[r#"{"a":1}"#, r#"{"b":"x,y"}"#, r#"{"c":{}}"#]);
        assert_eq!(verify(&lines).unwrap().seq, 3);
    }

    #[test]
    fn every_changed_byte_is_noticed() {
        let lines = chain(&[r#"{"a":1}"#, r#"{"b":2}"#]);
        for at in 0..lines[0].len() {
            let mut changed = lines[0].clone().into_bytes();
            changed[at] ^= 1;
            let second = Link::START
                .check(&changed)
                .and_then(|end| end.check(lines[1].as_bytes()));
            assert!(second.is_err(), "byte {at}");
        }
    }

    #[test]
    fn removed_repeated_and_moved_lines_are_named() {
        let lines = chain(&[r#"{"a":1}"#, r#"{"b":2}"#, r#"{"c":3}"#]);
        let pick = |order: &[usize]| {
            verify(
                &order
                    .iter()
                    .map(|at| lines[*at].clone())
                    .collect::<Vec<_>>(),
            )
        };
        assert_eq!(
            pick(&[0, 2]),
            Err(Break::Sequence {
                found: 3,
                expected: 2
            })
        );
        assert_eq!(
            pick(&[0, 0]),
            Err(Break::Sequence {
                found: 1,
                expected: 2
            })
        );
        assert_eq!(
            pick(&[1]),
            Err(Break::Sequence {
                found: 2,
                expected: 1
            })
        );
        assert_eq!(
            pick(&[0, 1]).unwrap().seq,
            2,
            "a cut end needs the head file"
        );
    }

    #[test]
    fn a_record_of_another_chain_does_not_fit() {
        let ours = chain(&[r#"{"a":1}"#, r#"{"b":2}"#]);
        let theirs = chain(&[r#"{"a":9}"#, r#"{"b":2}"#]);
        let end = Link::START.check(ours[0].as_bytes()).unwrap();
        assert_eq!(
            end.check(theirs[1].as_bytes()),
            Err(Break::Changed { seq: 2 })
        );
    }

    #[test]
    fn what_is_no_record_is_unreadable() {
        for line in [
            "",
            "{}",
            r#"{"seq":1}"#,
            r#"{"seq":1,"hash":"00"}"#,
            "\u{e9}",
        ] {
            assert_eq!(
                Link::START.check(line.as_bytes()),
                Err(Break::Unreadable),
                "{line}"
            );
        }
    }
}
