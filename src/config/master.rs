//! The vault's master key: from the environment or a file, never from the server file or a flag's value.

use std::env;
use std::fs;
use std::path::Path;

use crate::diagnostic::Diagnostic;
use crate::secret::Secret;
use crate::vault::MasterKey;

use super::Config;

const VARIABLE: &str = "SLUICEGATE_MASTER_KEY";

impl Config {
    /// The master key, if there is one. The variable wins over the file. Never prints it.
    ///
    /// # Errors
    ///
    /// If it is empty, no text, or its file cannot be read.
    pub fn master_key(&self) -> Result<Option<MasterKey>, Vec<Diagnostic>> {
        master_key(VARIABLE, self.master_key_file.as_deref())
    }
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
    let help = "for a lasting vault use the output of `openssl rand -base64 32`; leave it out for one that ends with the process";
    let wrong = |from: &str, found: String| {
        let problem = Diagnostic::error(from, found);
        vec![
            problem
                .expected("32 random bytes in base64, or a passphrase")
                .help(help),
        ]
    };
    let (from, text) = match (env::var_os(variable), file) {
        (Some(value), _) => (
            variable.to_owned(),
            value.into_string().map_err(|_| "is not UTF-8".to_owned()),
        ),
        (None, Some(path)) => {
            let text = fs::read_to_string(path).map_err(|error| format!("cannot be read: {error}"));
            (path.display().to_string(), text)
        }
        (None, None) => return Ok(None),
    };
    let text = text.map_err(|why| wrong(&from, format!("the master key {why}")))?;
    let key = MasterKey::from_text(&Secret::new(text));
    key.map(Some)
        .map_err(|_| wrong(&from, "the master key is empty".to_owned()))
}
