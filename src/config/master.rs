//! The vault's master key: from the environment or a file, never from the server file or a flag's value.

use std::env;
use std::fs;

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
    pub fn master_key(&self) -> Result<Option<MasterKey>, Diagnostic> {
        let help = "for a lasting vault use the output of `openssl rand -base64 32`; leave it out for one that ends with the process";
        let (from, text) = match (env::var_os(VARIABLE), &self.master_key_file) {
            (Some(value), _) => {
                let text = value.into_string();
                let text = text.map_err(|_| {
                    Diagnostic::error(VARIABLE, "the master key is not UTF-8").help(help)
                })?;
                (VARIABLE.to_owned(), text)
            }
            (None, Some(path)) => {
                let from = path.display().to_string();
                let text = fs::read_to_string(path).map_err(|error| {
                    let problem =
                        Diagnostic::error(&from, format!("the master key cannot be read: {error}"));
                    problem
                        .expected("a readable text file")
                        .help("correct --master-key-file")
                })?;
                (from, text)
            }
            (None, None) => return Ok(None),
        };
        let key = MasterKey::from_text(&Secret::new(text));
        key.map(Some).map_err(|_| {
            let problem = Diagnostic::error(from, "the master key is empty");
            problem
                .expected("32 random bytes in base64, or a passphrase")
                .help(help)
        })
    }
}
