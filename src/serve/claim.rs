//! The data folder belongs to one gateway: what it counts in memory another one would count anew, and of what both write down as
//! spent only one part would stay.

use std::fs::{File, OpenOptions, TryLockError};

use super::{StartError, build};
use crate::config::Config;

/// The file that a running gateway holds. What it holds is freed with its process, however that ends.
const FILE: &str = "gateway.lock";

/// Holds the data folder for as long as the file lives. Gateways that count together in Redis may share one.
///
/// # Errors
/// Another gateway runs there, or the file cannot be made.
pub(super) fn claim(config: &Config) -> Result<Option<File>, StartError> {
    build::make_folder(config)?;
    if config.shared.is_some() {
        return Ok(None);
    }
    let folder = || config.data.clone();
    let unusable = |source| StartError::Data {
        folder: folder(),
        source,
    };
    let mut options = OpenOptions::new();
    let file = options
        .create(true)
        .append(true)
        .open(config.data.join(FILE));
    let file = file.map_err(unusable)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Err(StartError::Claimed { folder: folder() }),
        Err(TryLockError::Error(source)) => Err(unusable(source)),
    }
}
