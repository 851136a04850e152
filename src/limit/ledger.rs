//! What was spent, so that neither a restart nor a kill forgets it.
//!
//! What an exchange spent is appended to a journal before the exchange ends: handed to the kernel, it outlives the process. Once
//! a second the journal is folded into the [`Ledger`] (a database), which alone grows. Each line has a number, and the ledger
//! keeps the last number it has in the same transaction as the sums: so a line counts once, wherever the process was killed.
//! What is only reserved is nowhere but in memory and dies with the process.

use std::collections::HashMap;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ahash::RandomState;

use super::cell::Spend;
use super::claim::Scope;
use super::window::Window;
use crate::durable;
use crate::rate::quota::Cycle;

/// Whose spending in which time.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Account {
    /// Whose use is counted together.
    pub scope: Scope,
    /// Which of them.
    pub subject: Arc<str>,
    /// In which day, week or month.
    pub window: Window,
}

/// Where sums rest. Calls block.
pub trait Ledger: Send + Sync + fmt::Debug {
    /// All sums, and the last line of this journal that is in them (0 if none is).
    ///
    /// # Errors
    /// If they cannot be read.
    fn load(&self, journal: &str) -> Result<(u64, Vec<(Account, Spend)>), LedgerError>;

    /// Adds to the sums what lines of this journal say, from the first after one number up to another, and notes that
    /// those are in them: both or neither. False, with nothing done, if the last line in them is another than the first
    /// number says.
    ///
    /// # Errors
    /// If it cannot be written, or nobody knows whether it was.
    fn add(
        &self,
        journal: &str,
        lines: (u64, u64),
        changes: &[(Account, Spend)],
    ) -> Result<bool, LedgerError>;

    /// One sum.
    ///
    /// # Errors
    /// If it cannot be read.
    fn spent(&self, account: &Account) -> Result<Spend, LedgerError>;

    /// Whether other gateways add to the same sums.
    fn is_shared(&self) -> bool;
}

/// A ledger or journal that does not do what it should.
#[derive(Debug, thiserror::Error)]
#[error("cannot {doing} what was spent")]
pub struct LedgerError {
    /// What was being done, such as "read".
    pub doing: &'static str,
    /// What the store or the operating system says.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

fn failed(doing: &'static str) -> impl Fn(io::Error) -> LedgerError {
    move |source| LedgerError {
        doing,
        source: Box::new(source),
    }
}

/// The journal before a ledger.
#[derive(Debug)]
pub struct Books {
    ledger: Arc<dyn Ledger>,
    /// What the ledger calls this journal.
    name: String,
    path: PathBuf,
    /// Lines that are being folded.
    old: PathBuf,
    state: Mutex<State>,
    /// Held while folding.
    folding: Mutex<()>,
}

#[derive(Debug)]
struct State {
    file: File,
    /// The last line's number.
    last: u64,
    /// That of the last line in the ledger.
    folded: u64,
    /// What is not in the ledger.
    pending: Sums,
}

type Sums = HashMap<Account, Spend, RandomState>;

/// A journal is folded every second; one of this size was never written by us.
const MAX_BYTES: u64 = 1 << 30;

impl Books {
    /// Opens the journal in a data folder, and gives all sums. Lines that a killed process left are in them. Blocks.
    ///
    /// # Errors
    ///
    /// If ledger or journal cannot be read or made.
    pub fn open(
        ledger: Arc<dyn Ledger>,
        data: &Path,
    ) -> Result<(Self, Vec<(Account, Spend)>), LedgerError> {
        let name = data.join("gateway.id");
        let id = format!("{:016x}", rand::random::<u64>());
        durable::create_once(&name, id.as_bytes()).map_err(failed("name the journal of"))?;
        let name = durable::read(&name, 64).map_err(failed("name the journal of"))?;
        let name = String::from_utf8_lossy(&name.unwrap_or_default()).into_owned();
        let (path, old) = (data.join("spend.journal"), data.join("spend.journal.old"));
        let (folded, mut sums) = ledger.load(&name)?;
        let (last, pending, torn) = unfolded([&old, &path], folded)?;
        sums.extend(
            pending
                .iter()
                .map(|(account, spend)| (account.clone(), *spend)),
        );
        let mut file = open(&path).map_err(failed("open the journal of"))?;
        if torn {
            file.write_all(b"\n")
                .map_err(failed("mend the journal of"))?;
        }
        let state = State {
            file,
            last,
            folded,
            pending,
        };
        let books = Self {
            ledger,
            name,
            path,
            old,
            state: Mutex::new(state),
            folding: Mutex::default(),
        };
        Ok((books, sums))
    }

    /// Appends what an exchange spent. Some microseconds.
    ///
    /// # Errors
    ///
    /// If it cannot be written; it is then folded all the same, unless the process is killed before.
    pub(super) fn append(&self, accounts: Vec<Account>, spend: Spend) -> io::Result<()> {
        let mut state = self.state();
        state.last += 1;
        let line = line(state.last, spend, &accounts);
        note(&mut state.pending, accounts, spend);
        state.file.write_all(&line?)
    }

    /// Brings into the ledger what is in the journal. Blocks; to be called every second, and at the end.
    ///
    /// # Errors
    ///
    /// If the ledger cannot be written; everything stays in the journal then.
    pub fn fold(&self) -> Result<(), LedgerError> {
        let _alone = self.folding.lock().unwrap_or_else(PoisonError::into_inner);
        let (lines, changes) = {
            let mut state = self.state();
            if state.pending.is_empty() {
                return Ok(());
            }
            // What could not be folded last time is still in the old file.
            if !self
                .old
                .try_exists()
                .map_err(failed("rotate the journal of"))?
            {
                fs::rename(&self.path, &self.old).map_err(failed("rotate the journal of"))?;
                state.file = open(&self.path).map_err(failed("open the journal of"))?;
            }
            let lines = (state.folded, state.last);
            (lines, std::mem::take(&mut state.pending))
        };
        let changes: Vec<(Account, Spend)> = changes.into_iter().collect();
        match self.ledger.add(&self.name, lines, &changes) {
            Ok(true) => {
                self.state().folded = lines.1;
                fs::remove_file(&self.old).map_err(failed("rotate the journal of"))
            }
            Ok(false) => self.compare(),
            Err(error) => {
                let mut state = self.state();
                for (account, spend) in changes {
                    note(&mut state.pending, [account], spend);
                }
                Err(error)
            }
        }
    }

    /// After an attempt whose answer was lost: which lines are in the ledger, it knows best.
    fn compare(&self) -> Result<(), LedgerError> {
        let (folded, _) = self.ledger.load(&self.name)?;
        let mut state = self.state();
        let (_, pending, _) = unfolded([&self.old, &self.path], folded)?;
        (state.folded, state.pending) = (folded, pending);
        Ok(())
    }

    /// What an account spent on all gateways that share the ledger, up to a second ago; `None` if none do. Blocks.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub(super) fn spent_by_all(&self, account: &Account) -> Result<Option<Spend>, LedgerError> {
        let shared = self.ledger.is_shared();
        shared.then(|| self.ledger.spent(account)).transpose()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What journals hold beyond the last line that is in the ledger: the number of their last line, what was spent, and whether
/// that line is cut off.
fn unfolded(files: [&PathBuf; 2], folded: u64) -> Result<(u64, Sums, bool), LedgerError> {
    let (mut last, mut pending, mut torn) = (folded, Sums::default(), false);
    for file in files {
        let text = durable::read(file, MAX_BYTES).map_err(failed("read the journal of"))?;
        let text = text.unwrap_or_default();
        torn = text.last().is_some_and(|byte| *byte != b'\n');
        for line in text.split(|byte| *byte == b'\n') {
            // The last line may be cut off: then its exchange had not ended.
            let Some((number, spend, accounts)) = parse(line) else {
                continue;
            };
            last = last.max(number);
            if number > folded {
                note(&mut pending, accounts, spend);
            }
        }
    }
    Ok((last, pending, torn))
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)
}

fn note(sums: &mut Sums, accounts: impl IntoIterator<Item = Account>, spend: Spend) {
    for account in accounts {
        let sum = sums.entry(account).or_default();
        *sum = sum.plus(spend);
    }
}

/// `[NUMBER,[REQUESTS,INPUT,OUTPUT,MONEY],[[SCOPE,SUBJECT,CYCLE,WINDOW],…]]`
fn line(number: u64, spend: Spend, accounts: &[Account]) -> io::Result<Vec<u8>> {
    let accounts: Vec<(&str, &str, &str, u32)> = accounts
        .iter()
        .map(|account| {
            let Window { cycle, number } = account.window;
            (
                account.scope.name(),
                &*account.subject,
                cycle.name(),
                number,
            )
        })
        .collect();
    let spend = [spend.requests, spend.input, spend.output, spend.money];
    let mut line = serde_json::to_vec(&(number, spend, accounts))?;
    line.push(b'\n');
    Ok(line)
}

fn parse(line: &[u8]) -> Option<(u64, Spend, Vec<Account>)> {
    type Line = (u64, [u64; 4], Vec<(String, String, String, u32)>);
    let (number, [requests, input, output, money], accounts): Line =
        serde_json::from_slice(line).ok()?;
    let account = |(scope, subject, cycle, number): (String, String, String, u32)| {
        account(&scope, &subject, &cycle, number)
    };
    let spend = Spend {
        requests,
        input,
        output,
        money,
    };
    let accounts: Option<Vec<Account>> = accounts.into_iter().map(account).collect();
    Some((number, spend, accounts?))
}

/// An account by the words that it is kept under; `None` if they are not ours.
pub fn account(scope: &str, subject: &str, cycle: &str, number: u32) -> Option<Account> {
    let scope = Scope::ALL.into_iter().find(|known| known.name() == scope)?;
    let cycle = Cycle::ALL.into_iter().find(|known| known.name() == cycle)?;
    Some(Account {
        scope,
        subject: subject.into(),
        window: Window { cycle, number },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};

    /// A ledger in memory that can be told to fail.
    #[derive(Debug, Default)]
    struct Memory {
        away: AtomicBool,
        /// It does what it is told, and the answer is lost.
        mute: AtomicBool,
        kept: Mutex<(u64, Sums)>,
    }

    impl Ledger for Memory {
        fn load(&self, _: &str) -> Result<(u64, Vec<(Account, Spend)>), LedgerError> {
            let kept = self.kept.lock().unwrap();
            Ok((kept.0, kept.1.clone().into_iter().collect()))
        }

        fn add(
            &self,
            _: &str,
            (from, to): (u64, u64),
            changes: &[(Account, Spend)],
        ) -> Result<bool, LedgerError> {
            if self.away.load(Ordering::Relaxed) {
                return Err(failed("write")(io::Error::other("away")));
            }
            let mut kept = self.kept.lock().unwrap();
            if kept.0 != from {
                return Ok(false);
            }
            kept.0 = to;
            for (account, spend) in changes {
                note(&mut kept.1, [account.clone()], *spend);
            }
            if self.mute.load(Ordering::Relaxed) {
                return Err(failed("write")(io::Error::other("no answer")));
            }
            Ok(true)
        }

        fn spent(&self, account: &Account) -> Result<Spend, LedgerError> {
            let kept = self.kept.lock().unwrap();
            Ok(kept.1.get(account).copied().unwrap_or_default())
        }

        fn is_shared(&self) -> bool {
            true
        }
    }

    fn spend(money: u64) -> Spend {
        Spend {
            requests: 1,
            input: 2,
            output: 3,
            money,
        }
    }

    fn key() -> Account {
        account("key", "a \"quoted\"\nname", "month", 682).unwrap()
    }

    fn sum(sums: &[(Account, Spend)]) -> u64 {
        sums.iter().map(|(_, spend)| spend.money).sum()
    }

    #[test]
    fn nothing_is_lost_or_counted_twice_wherever_it_is_killed() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Arc::new(Memory::default());
        let open = || Books::open(Arc::clone(&ledger) as Arc<dyn Ledger>, folder.path()).unwrap();
        let (books, sums) = open();
        assert!(sums.is_empty());
        books.append(vec![key()], spend(5)).unwrap();
        drop(books); // killed before the first fold
        let (books, sums) = open();
        assert_eq!(sums, [(key(), spend(5))]);
        books.append(vec![key()], spend(7)).unwrap();
        ledger.away.store(true, Ordering::Relaxed);
        assert!(books.fold().is_err());
        books.append(vec![key()], spend(11)).unwrap();
        drop(books); // killed while the ledger was away
        let (books, sums) = open();
        assert_eq!(sum(&sums), 23);
        ledger.away.store(false, Ordering::Relaxed);
        books.append(vec![key()], spend(13)).unwrap();
        books.fold().unwrap();
        assert_eq!(sum(&ledger.load("").unwrap().1), 36);
        drop(books); // killed after the ledger had everything, some of it in the journal still
        let (books, sums) = open();
        assert_eq!(sum(&sums), 36);
        books.fold().unwrap();
        books.append(vec![key()], spend(1)).unwrap();
        books.fold().unwrap();
        assert_eq!(sum(&ledger.load("").unwrap().1), 37);
        assert!(!folder.path().join("spend.journal.old").exists());
    }

    /// A database far away may have done what it was told, and the answer was lost.
    #[test]
    fn what_was_written_without_an_answer_counts_once() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Arc::new(Memory::default());
        let (books, _) =
            Books::open(Arc::clone(&ledger) as Arc<dyn Ledger>, folder.path()).unwrap();
        books.append(vec![key()], spend(5)).unwrap();
        ledger.mute.store(true, Ordering::Relaxed);
        assert!(books.fold().is_err());
        books.append(vec![key()], spend(7)).unwrap();
        ledger.mute.store(false, Ordering::Relaxed);
        books.fold().unwrap();
        books.append(vec![key()], spend(11)).unwrap();
        books.fold().unwrap();
        books.fold().unwrap();
        assert_eq!(ledger.spent(&key()).unwrap().money, 23);
        assert_eq!(
            books.spent_by_all(&key()).unwrap(),
            Some(ledger.spent(&key()).unwrap())
        );
        drop(books);
        let (_, sums) = Books::open(ledger, folder.path()).unwrap();
        assert_eq!(sum(&sums), 23);
    }

    #[test]
    fn a_line_that_was_cut_off_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let ledger: Arc<dyn Ledger> = Arc::new(Memory::default());
        let (books, _) = Books::open(Arc::clone(&ledger), folder.path()).unwrap();
        books.append(vec![key()], spend(5)).unwrap();
        let path = folder.path().join("spend.journal");
        let cut = line(2, spend(9), &[key()]).unwrap();
        let mut file = open(&path).unwrap();
        file.write_all(&cut[..cut.len() / 2]).unwrap();
        drop(books);
        let (books, sums) = Books::open(Arc::clone(&ledger), folder.path()).unwrap();
        assert_eq!(sum(&sums), 5);
        books.append(vec![key()], spend(6)).unwrap();
        drop(books);
        assert_eq!(sum(&Books::open(ledger, folder.path()).unwrap().1), 11);
    }
}
