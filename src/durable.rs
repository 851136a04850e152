//! Files that are whole or not there at all, whenever the process or the machine stops.
//!
//! A file's bytes are written to a neighbour, synced, and given their name in one step by the kernel; then the folder is
//! synced too, because a name is the folder's data. Everything made here is readable by its owner only.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Makes a folder and its parents with mode 0700. One that exists is left as it is.
///
/// # Errors
/// What the operating system says.
pub fn make_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Gives `path` these contents (mode 0600) unless it exists. Whoever comes second reads what the first one wrote.
///
/// # Errors
/// What the operating system says.
pub fn create_once(path: &Path, contents: &[u8]) -> io::Result<()> {
    // Whoever else creates the same file at this moment has a neighbour of its own.
    let neighbour = write_neighbour(
        path,
        contents,
        &format!(".{:016x}.new", rand::random::<u64>()),
    )?;
    // link(2) fails if the name is taken, as O_EXCL does, but gives it to a file that is already whole.
    let linked = fs::hard_link(&neighbour, path);
    fs::remove_file(&neighbour)?;
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        Ok(()) | Err(_) => sync_folder(path),
    }
}

/// Replaces `path`, or makes it, with these contents and mode 0600. Readers see the old bytes or the new ones. One writer at
/// a time: callers hold a [`lock`].
///
/// # Errors
/// What the operating system says; the old file is then untouched.
pub fn replace(path: &Path, contents: &[u8]) -> io::Result<()> {
    // Always the same name, so that what a killed writer left is overwritten by the next.
    let neighbour = write_neighbour(path, contents, ".new")?;
    if let Err(error) = fs::rename(&neighbour, path) {
        fs::remove_file(&neighbour)?;
        return Err(error);
    }
    sync_folder(path)
}

/// Opens (or makes, mode 0600) a file that is only there to be locked, and waits for the lock. Dropping the file unlocks.
///
/// # Errors
/// What the operating system says.
pub fn lock(path: &Path) -> io::Result<File> {
    let file = open_lock(path)?;
    file.lock()?;
    Ok(file)
}

/// Opens (or makes, mode 0600) a file that is only there to be locked.
///
/// # Errors
/// What the operating system says.
pub fn open_lock(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(path)
}

/// Reads a whole file of at most `max_bytes`; `None` if there is none.
///
/// # Errors
/// What the operating system says, and `InvalidData` for a longer file.
pub fn read(path: &Path, max_bytes: u64) -> io::Result<Option<Vec<u8>>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    file.take(max_bytes + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > max_bytes {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("the file is longer than {max_bytes} bytes"),
        ));
    }
    Ok(Some(bytes))
}

/// Whether anyone but its owner may read or write a file.
///
/// # Errors
/// What the operating system says.
pub fn is_open_to_others(path: &Path) -> io::Result<bool> {
    Ok(fs::metadata(path)?.mode() & 0o077 != 0)
}

/// What tells one state of a file from another without reading it; `None` if there is no file.
///
/// # Errors
/// What the operating system says.
pub fn stamp(path: &Path) -> io::Result<Option<Stamp>> {
    match fs::metadata(path) {
        Ok(file) => Ok(Some(Stamp {
            inode: file.ino(),
            len: file.len(),
            modified: (file.mtime(), file.mtime_nsec()),
        })),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// One state of a file. [`replace`] always changes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    inode: u64,
    len: u64,
    modified: (i64, i64),
}

fn write_neighbour(path: &Path, contents: &[u8], ending: &str) -> io::Result<PathBuf> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(ending);
    let neighbour = path.with_file_name(name);
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(&neighbour)?;
    if let Err(error) = file.write_all(contents).and_then(|()| file.sync_all()) {
        fs::remove_file(&neighbour)?;
        return Err(error);
    }
    Ok(neighbour)
}

/// Makes the names in the folder of `path` last.
///
/// # Errors
/// What the operating system says.
pub fn sync_folder(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) if folder != Path::new("") => File::open(folder)?.sync_all(),
        Some(_) | None => File::open(".")?.sync_all(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_to_create_wins_and_nothing_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("salt");
        create_once(&path, b"first").unwrap();
        create_once(&path, b"second").unwrap();
        assert_eq!(read(&path, 100).unwrap().unwrap(), b"first");
        assert!(!is_open_to_others(&path).unwrap());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_replacement_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        assert_eq!(stamp(&path).unwrap(), None);
        replace(&path, b"one").unwrap();
        let before = stamp(&path).unwrap();
        replace(&path, b"two").unwrap();
        assert_ne!(before, stamp(&path).unwrap());
        assert_eq!(read(&path, 3).unwrap().unwrap(), b"two");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_over_the_limit_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        replace(&path, b"four").unwrap();
        assert_eq!(
            read(&path, 3).unwrap_err().kind(),
            io::ErrorKind::InvalidData
        );
        assert!(read(&folder.path().join("none"), 3).unwrap().is_none());
    }
}
