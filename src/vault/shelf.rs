//! The key of credentials that clients bring: one for all gateways over a store, and kept there, sealed, so that what one gateway
//! takes all can use.
//!
//! ```text
//! {"format": 2, "salt": SALT, "clients": KEY}
//!   salt     as in vault.salt: with a gateway's master key it makes the key that seals the next, and tells a wrong one
//!   clients  the key, sealed under one derived from that, which seals nothing else
//! ```
//! A gateway takes it up at its start; `rekey` seals it anew and changes nothing of what is under it.

use super::cipher::{self, Key, MasterKey, Sealed};
use super::file::{self, FORMAT, Salt, Unfit};
use super::{Error, Vault};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// What seals the key, and what it is bound to.
const LABEL: &[u8] = b"sluicegate vault clients";

/// Where one text is kept for all gateways. Calls block.
pub trait Shelf {
    /// What is kept; `None` as long as nothing is.
    ///
    /// # Errors
    /// If it cannot be read.
    fn kept(&self) -> Result<Option<String>, ShelfError>;

    /// Keeps `new` in the place of `old`, or as the first; false if something else is kept by now.
    ///
    /// # Errors
    /// If it cannot be written.
    fn replace(&self, old: Option<&str>, new: &str) -> Result<bool, ShelfError>;
}

/// What a shelf says when it cannot do something.
pub type ShelfError = Box<dyn std::error::Error + Send + Sync>;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    format: u32,
    salt: Salt,
    clients: Sealed,
}

impl Vault {
    /// Takes up the key of clients' credentials, making one if none is kept: after that they are sealed and opened. Blocks;
    /// a passphrase takes tenths of a second, unless this vault's salt is the one that is kept.
    ///
    /// # Errors
    /// If the key is kept under another master key, or there is none; if it is damaged, or the shelf cannot be used.
    pub fn join(
        &self,
        master: Option<&MasterKey>,
        place: &(impl Shelf + ?Sized),
    ) -> Result<(), Error> {
        match master.filter(|_| !self.temporary) {
            Some(master) => self.take_up(master, place).map(drop),
            None => match place.kept().map_err(Error::Store)? {
                Some(_) => Err(Error::NoMasterKeyForClients),
                None => Ok(()),
            },
        }
    }

    /// Makes a new key of clients' credentials, because the master key of the one that is kept is lost: what was brought so
    /// far opens no more. Other gateways have to start again.
    ///
    /// # Errors
    /// If the key that is kept opens, or the shelf cannot be used.
    pub fn renounce(&self, master: &MasterKey, place: &(impl Shelf + ?Sized)) -> Result<(), Error> {
        let old = place.kept().map_err(Error::Store)?;
        if let Some(old) = &old
            && self.open_kept(old, master).is_ok()
        {
            return Err(Error::NotLost);
        }
        let fresh = Key::random().map_err(Error::io("make a key with", &self.folder))?;
        let state = self.state.load();
        let new = sealed(file::read_salt_of(&self.folder)?, &state.master, &fresh);
        let new = new.map_err(Error::io("seal a key with", &self.folder))?;
        replace(place, old.as_deref(), &new)
    }

    /// Seals the key under a new master key, `key` with `salt`. Done before, it is left as it is, so that a rekey that was
    /// killed can be begun again, and each gateway's vault rekeyed in its turn.
    pub(super) fn pass_on(
        &self,
        (from, to): (&MasterKey, &MasterKey),
        (salt, key): (&Salt, &Key),
        place: &(impl Shelf + ?Sized),
    ) -> Result<(), Error> {
        let old = match self.take_up(from, place) {
            Ok(old) => old,
            Err(Error::OtherMasterKey) => return self.take_up(to, place).map(drop),
            Err(error) => return Err(error),
        };
        let new = sealed(salt.clone(), key, self.clients()?);
        let new = new.map_err(Error::io("seal a key with", &self.folder))?;
        replace(place, Some(&old), &new)
    }

    /// A secret for a use of its own, the same in all gateways that took up one key; without one, random.
    pub fn derived(&self, purpose: &str) -> Zeroizing<[u8; 32]> {
        let clients = self.clients.get();
        let derived =
            clients.map(|key| key.derive_from(&cipher::join(&[b"use", purpose.as_bytes()])));
        derived.map_or_else(|| Zeroizing::new(rand::random()), Key::into_bytes)
    }

    /// The key of clients' credentials.
    pub(super) fn clients(&self) -> Result<&Key, Error> {
        self.clients.get().ok_or(Error::Temporary)
    }

    /// As it was kept.
    fn take_up(&self, master: &MasterKey, place: &(impl Shelf + ?Sized)) -> Result<String, Error> {
        loop {
            if let Some(kept) = place.kept().map_err(Error::Store)? {
                let key = self.open_kept(&kept, master)?;
                self.clients.get_or_init(|| key);
                return Ok(kept);
            }
            let state = self.state.load();
            let key = match &state.contents.clients {
                Some(former) => file::open_clients(former, &state.master)
                    .ok_or(Error::DamagedClients("the one in vault.json does not open"))?,
                None => Key::random().map_err(Error::io("make a key with", &self.folder))?,
            };
            let first = sealed(file::read_salt_of(&self.folder)?, &state.master, &key);
            let first = first.map_err(Error::io("seal a key with", &self.folder))?;
            // Of gateways that start together one is the first, and what it keeps is read like by all others.
            place.replace(None, &first).map_err(Error::Store)?;
        }
    }

    fn open_kept(&self, text: &str, master: &MasterKey) -> Result<Key, Error> {
        // Of serde's error nothing: its text may quote what was kept.
        let kept: Result<Kept, _> = serde_json::from_str(text);
        let kept =
            kept.map_err(|_| Error::DamagedClients("what the store has is not what was written"))?;
        if kept.format != FORMAT {
            return Err(Error::DamagedClients(
                "what the store has is of another version",
            ));
        }
        let own = &self.state.load().master;
        let opened = if kept.salt.fits(own) {
            own.unwrap_for(&kept.clients)
        } else {
            let key = kept.salt.key(master).map_err(|unfit| match unfit {
                Unfit::Damaged(problem) => Error::DamagedClients(problem),
                Unfit::Key => Error::OtherMasterKey,
                Unfit::Failed(source) => Error::io("derive the key of", &self.folder)(source),
            })?;
            key.unwrap_for(&kept.clients)
        };
        opened.ok_or(Error::DamagedClients("the one in the store does not open"))
    }
}

impl Key {
    fn unwrap_for(&self, clients: &Sealed) -> Option<Self> {
        self.derive_from(LABEL).unwrap(clients, LABEL)
    }
}

fn replace(place: &(impl Shelf + ?Sized), old: Option<&str>, new: &str) -> Result<(), Error> {
    if place.replace(old, new).map_err(Error::Store)? {
        return Ok(());
    }
    Err(Error::Store("others changed it in the same moment".into()))
}

/// What is kept.
fn sealed(salt: Salt, master: &Key, clients: &Key) -> std::io::Result<String> {
    let kept = Kept {
        format: FORMAT,
        salt,
        clients: clients.wrap(&master.derive_from(LABEL), LABEL)?,
    };
    Ok(serde_json::to_string(&kept)?)
}
