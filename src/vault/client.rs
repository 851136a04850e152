//! Credentials that clients bring: sealed here, kept elsewhere, beside the key, session or team that they belong to.
//!
//! The sealing key is derived from the clients' key (`shelf.rs`) for each holder and provider, with HMAC-SHA256 as the PRF
//! (NIST SP 800-108): so no text opens under another name, and random nonces of one key never become many. A new master
//! key leaves them as they are.

use super::change::fit;
use super::cipher::{self, Sealed};
use super::{Action, Error, Level, Reader, Vault};
use crate::secret::Secret;
use jiff::Timestamp;

/// Whose credential it is, and for which provider.
#[derive(Clone, Copy, Debug)]
pub struct Owned<'a> {
    /// `key_…`, `ses_…` or `team NAME`.
    pub holder: &'a str,
    /// The provider.
    pub provider: &'a str,
}

impl Vault {
    /// Seals a credential, to be kept elsewhere.
    ///
    /// # Errors
    /// If it is empty or cannot be sent, the vault ends with the process, or the change cannot be logged.
    pub fn seal_owned(
        &self,
        owned: Owned<'_>,
        secret: &Secret,
        by: Reader<'_>,
        now: Timestamp,
    ) -> Result<String, Error> {
        let name = owned.name();
        if self.temporary {
            return Err(Error::Temporary);
        }
        fit(&name, secret)?;
        let sealed = self
            .clients()?
            .derive_from(&owned.label())
            .seal(secret.expose().as_bytes(), &owned.label());
        let sealed = sealed.map_err(Error::io("seal a credential with", &self.folder))?;
        self.record((Action::Set, &name, None), by, now, None)?;
        Ok(sealed.to_text())
    }

    /// Opens a credential that was kept elsewhere. Readers below [`Level::Elevated`] are refused.
    ///
    /// # Errors
    /// If the reader's level is too low, it was not sealed for this owner with this vault, or the access cannot be logged.
    pub fn open_owned(
        &self,
        owned: Owned<'_>,
        sealed: &str,
        reader: Reader<'_>,
        now: Timestamp,
    ) -> Result<Secret, Error> {
        let name = owned.name();
        let opened = if reader.level < Level::Elevated {
            Err(Error::Denied {
                name: name.clone(),
                required: Level::Elevated.name().to_owned(),
                held: reader.level,
            })
        } else {
            let key = self.clients().ok();
            let key = key.map(|clients| clients.derive_from(&owned.label()));
            let sealed = Sealed::from_text(sealed);
            key.and_then(|key| key.open(&sealed, &owned.label()))
                .and_then(|bytes| Some(Secret::new(std::str::from_utf8(&bytes).ok()?)))
                .ok_or_else(|| Error::ForeignCredential { name: name.clone() })
        };
        let reason = opened.as_ref().err().map(Error::kind);
        self.record((Action::Read, &name, None), reader, now, reason)?;
        opened
    }

    /// Writes to the access log that a credential kept elsewhere was removed.
    ///
    /// # Errors
    /// If it cannot be logged.
    pub fn removed_owned(
        &self,
        owned: Owned<'_>,
        by: Reader<'_>,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.record((Action::Delete, &owned.name(), None), by, now, None)
    }
}

impl Owned<'_> {
    fn name(self) -> String {
        format!("{}/{}", self.holder, self.provider)
    }

    fn label(self) -> Vec<u8> {
        let (holder, provider) = (self.holder.as_bytes(), self.provider.as_bytes());
        cipher::join(&[b"owned", holder, provider])
    }
}
