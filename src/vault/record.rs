//! One sealed entry: its data key under the master key, its secret under the data key, both bound to what the entry is.

use super::access::{Level, UnknownLevel};
use super::cipher::{self, Key, Sealed};
use super::file::FORMAT;
use crate::secret::Secret;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::io;

/// One sealed entry.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Record {
    pub(super) version: u64,
    /// As written: a level that nobody knows must not be mistaken for one.
    pub(super) level: String,
    pub(super) created: Timestamp,
    pub(super) updated: Timestamp,
    pub(super) sealed: Envelope,
    /// The secret before, for as long as both work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) previous: Option<Previous>,
}

/// A secret that was replaced and still works for a time.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Previous {
    pub(super) version: u64,
    pub(super) until: Timestamp,
    pub(super) sealed: Envelope,
}

/// A secret under a data key, and that under the master key.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Envelope {
    pub(super) key: Sealed,
    pub(super) secret: Sealed,
}

/// What an envelope is bound to: moved to another entry, version, level, time or field, it does not open.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bound<'a> {
    pub(super) name: &'a str,
    pub(super) version: u64,
    pub(super) level: &'a str,
    /// The end of a secret that was replaced.
    pub(super) until: Option<Timestamp>,
}

impl Record {
    pub(super) fn bound<'a>(&'a self, name: &'a str) -> Bound<'a> {
        Bound {
            name,
            version: self.version,
            level: &self.level,
            until: None,
        }
    }

    /// What the secret before is bound to.
    pub(super) fn bound_before<'a>(&'a self, name: &'a str, previous: &Previous) -> Bound<'a> {
        Bound {
            version: previous.version,
            until: Some(previous.until),
            ..self.bound(name)
        }
    }

    /// Whether a level may open it; an entry of an unknown level may be opened by nobody.
    pub(super) fn permits(&self, held: Level) -> bool {
        match self.level.parse::<Level>() {
            Ok(required) => held >= required,
            Err(UnknownLevel) => false,
        }
    }
}

impl Envelope {
    /// Seals a secret under a fresh data key: one message under the master key, one under the data key.
    pub(super) fn seal(master: &Key, secret: &str, bound: Bound<'_>) -> io::Result<Self> {
        let key = Key::random()?;
        Ok(Self {
            key: key.wrap(master, &bound.to("key"))?,
            secret: key.seal(secret.as_bytes(), &bound.to("secret"))?,
        })
    }

    /// The secret; `None` if anything is not as it was when sealed.
    pub(super) fn open(&self, master: &Key, bound: Bound<'_>) -> Option<Secret> {
        let key = master.unwrap(&self.key, &bound.to("key"))?;
        let bytes = key.open(&self.secret, &bound.to("secret"))?;
        Some(Secret::new(std::str::from_utf8(&bytes).ok()?))
    }

    /// The same secret with its data key under another master key: `None` if it does not open.
    pub(super) fn rewrap(
        &self,
        from: &Key,
        to: &Key,
        bound: Bound<'_>,
    ) -> io::Result<Option<Self>> {
        let associated = bound.to("key");
        let Some(key) = from.unwrap(&self.key, &associated) else {
            return Ok(None);
        };
        if key.open(&self.secret, &bound.to("secret")).is_none() {
            return Ok(None);
        }
        Ok(Some(Self {
            key: key.wrap(to, &associated)?,
            secret: self.secret.clone(),
        }))
    }
}

impl Bound<'_> {
    fn to(self, what: &str) -> Vec<u8> {
        let until = self.until.map_or(0, Timestamp::as_nanosecond);
        cipher::join(&[
            what.as_bytes(),
            &FORMAT.to_be_bytes(),
            self.name.as_bytes(),
            &self.version.to_be_bytes(),
            self.level.as_bytes(),
            &until.to_be_bytes(),
        ])
    }
}
