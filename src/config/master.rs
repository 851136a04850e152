//! The vault's master key: from a terminal, the environment or a file, never from the server file or a flag's value.

use std::env;
use std::fs;
use std::path::Path;

use crate::diagnostic::Diagnostic;
use crate::secret::Secret;
use crate::vault::MasterKey;

use super::Config;

const VARIABLE: &str = "SLUICEGATE_MASTER_KEY";

impl Config {
    /// The master key, if there is one. What was typed wins over the variable, and that over the file. Never prints it.
    ///
    /// # Errors
    ///
    /// If it is empty, no text, or its file cannot be read.
    pub fn master_key(&self) -> Result<Option<MasterKey>, Vec<Diagnostic>> {
        if let Some(typed) = &self.typed_master_key {
            let typed = typed.expose().to_owned();
            return parsed("what was typed", Ok(typed)).map(Some);
        }
        master_key(VARIABLE, self.master_key_file.as_deref())
    }
}

/// The master key that a file holds by now. Never prints it.
///
/// # Errors
///
/// If it is empty, no text, or cannot be read.
pub fn master_key_of(file: &Path) -> Result<MasterKey, Vec<Diagnostic>> {
    let text = fs::read_to_string(file).map_err(|error| format!("cannot be read: {error}"));
    parsed(&file.display().to_string(), text)
}

/// A master key from a variable of the environment, else from a file; `None` if there is neither. Never prints it.
///
/// # Errors
///
/// If it is empty, no text, or its file cannot be read.
pub fn master_key(
    variable: &str,
    file: Option<&Path>,
) -> Result<Option<MasterKey>, Vec<Diagnostic>> {
    match (env::var_os(variable), file) {
        (Some(value), _) => {
            let text = value.into_string().map_err(|_| "is not UTF-8".to_owned());
            parsed(variable, text).map(Some)
        }
        (None, Some(file)) => master_key_of(file).map(Some),
        (None, None) => Ok(None),
    }
}

fn parsed(from: &str, text: Result<String, String>) -> Result<MasterKey, Vec<Diagnostic>> {
    let wrong = |found: &str| {
        let problem = Diagnostic::error(from, format!("the master key {found}"));
        vec![
            problem
                .expected("32 random bytes in base64, or a passphrase")
                .help("for a lasting vault use the output of `openssl rand -base64 32`; leave it out for one that ends with the process"),
        ]
    };
    let text = text.map_err(|why| wrong(&why))?;
    MasterKey::from_text(&Secret::new(text)).map_err(|_| wrong("is empty"))
}
