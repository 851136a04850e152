//! The entries of the table that a window's features select, each once.
//!
//! A window of many sentences has the features of its sentences, which were judged before it, and those that lie across two of them. So
//! only the latter are computed anew.

use std::cell::Cell;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Task;
use super::features::{combinations, features, runs};
use super::weights::{BITS, Sums, Weights};
use super::windows::{Kind, Window};

/// Bytes on either side of a joint that a run can reach: all but one of the longest.
const REACH: usize = 5;
/// The entries of a window of many, mostly.
const MANY: usize = 1 << 12;
/// More scratches than run at the same time are rarely needed again.
const MAX_SPARE: usize = 16;

/// The sentences since the last window of many.
#[derive(Clone, Debug, Default)]
pub(super) struct Gatherer {
    /// Their distinct entries, and what each judge's weights for these come to.
    entries: Vec<u32>,
    sums: Vec<Sums>,
    words: Vec<u32>,
    /// Where each of them ends, in bytes and in words.
    ends: Vec<(usize, usize)>,
}

/// What the features of a window come to.
pub(super) struct Gathered<'s> {
    /// The sums of each judge's weights.
    pub(super) sums: &'s [Sums],
    /// Of so many distinct entries.
    pub(super) entries: usize,
    /// Words in the window.
    pub(super) words: usize,
}

/// What is needed while windows are gathered.
#[derive(Default)]
struct Scratch {
    seen: Seen,
    words: Vec<u32>,
    /// First the hashes of all features, then the distinct entries that they select.
    entries: Vec<u32>,
    sums: Vec<Sums>,
}

/// Which entries the sentence at hand has, and which the sentences since the last window of many have.
struct Seen {
    /// For each entry the number of the last sentence that had it.
    last: Vec<u8>,
    /// The number of the sentence at hand, and of the first since the last window of many.
    sentence: u8,
    first: u8,
}

/// Scratches that are not in use. A text needs 550 KB for a few microseconds.
#[derive(Default)]
pub(super) struct Pool(Mutex<Vec<Scratch>>);

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pool")
    }
}

impl Pool {
    /// What gathers the windows of one text for a while.
    pub(super) const fn lend(&self) -> Lent<'_> {
        Lent {
            pool: self,
            scratch: None,
        }
    }

    fn spare(&self) -> MutexGuard<'_, Vec<Scratch>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A scratch, taken when the first window needs it.
pub(super) struct Lent<'p> {
    pool: &'p Pool,
    scratch: Option<Scratch>,
}

impl Lent<'_> {
    /// The scratch, which knows these entries.
    fn scratch(&mut self, known: &[u32]) -> &mut Scratch {
        self.scratch.get_or_insert_with(|| {
            let mut scratch = self.pool.spare().pop().unwrap_or_default();
            scratch.seen.begin(known);
            scratch
        })
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        if let Some(scratch) = self.scratch.take() {
            let mut spare = self.pool.spare();
            if spare.len() < MAX_SPARE {
                spare.push(scratch);
            }
        }
    }
}

impl Gatherer {
    /// What the next window comes to, for each of these judges.
    pub(super) fn gather<'l>(
        &mut self,
        window: Window<'_>,
        judges: &[(Task, Weights)],
        lent: &'l mut Lent<'_>,
    ) -> Gathered<'l> {
        let Scratch {
            seen,
            words,
            entries,
            sums,
        } = lent.scratch(&self.entries);
        let (text, many) = (window.text, window.kind == Kind::Many);
        let length = self.ends.last().map_or(0, |(bytes, _)| *bytes);
        entries.clear();
        if many && length + 1 == text.len() {
            self.join(text, entries);
        } else {
            features(text, words, entries);
            self.words.extend_from_slice(words);
        }
        let known = self.entries.len();
        seen.distinct(entries, &mut self.entries);
        let new = self.entries.get(known..).unwrap_or_default();
        self.sums.resize(judges.len(), Sums::default());
        for ((_, weights), all) in judges.iter().zip(&mut self.sums) {
            for (all, more) in all.iter_mut().zip(weights.sums(new)) {
                *all += more;
            }
        }
        sums.clear();
        if many {
            sums.append(&mut self.sums);
            seen.begin(&[]);
            let (entries, words) = (self.entries.len(), self.words.len());
            self.entries.clear();
            self.words.clear();
            self.ends.clear();
            return Gathered {
                sums,
                entries,
                words,
            };
        }
        if known == 0 {
            self.entries.reserve(MANY.saturating_sub(entries.len()));
            sums.extend_from_slice(&self.sums);
        } else {
            sums.extend(judges.iter().map(|(_, weights)| weights.sums(entries)));
        }
        // The next sentence begins with the space that ends this one.
        let end = length + text.len().saturating_sub(1);
        self.ends.push((end, self.words.len()));
        Gathered {
            sums,
            entries: entries.len(),
            words: words.len(),
        }
    }

    /// The hashes of a window of many that none of its sentences has.
    fn join(&self, text: &[u8], hashes: &mut Vec<u32>) {
        for (end, words) in &self.ends {
            let around = end.saturating_sub(REACH)..text.len().min(end + 1 + REACH);
            runs(text.get(around).unwrap_or_default(), hashes);
            let around = words.saturating_sub(2)..self.words.len().min(words + 2);
            let words = self.words.get(around).unwrap_or_default();
            combinations(words, hashes);
        }
    }
}

impl Default for Seen {
    fn default() -> Self {
        Self {
            last: vec![0; 1 << BITS],
            sentence: 0,
            first: 0,
        }
    }
}

impl Seen {
    /// Begins a window of many, of which these entries are known.
    fn begin(&mut self, known: &[u32]) {
        // Numbers are used up: no sentence has had any.
        let Some(first) = self.sentence.checked_add(1) else {
            self.last.fill(0);
            self.sentence = 0;
            return self.begin(known);
        };
        self.first = first;
        for entry in known {
            self.sentence = first;
            if let Some(last) = self.last.get_mut(*entry as usize) {
                *last = first;
            }
        }
    }

    /// Makes the hashes of the next sentence to the entries that they select, each once, and adds to `all` those that the sentences
    /// before it had not. Without a branch on whether one is new, which none could foretell.
    fn distinct(&mut self, hashes: &mut Vec<u32>, all: &mut Vec<u32>) {
        let Some(sentence) = self.sentence.checked_add(1) else {
            self.begin(all);
            return self.distinct(hashes, all);
        };
        self.sentence = sentence;
        let Some(seen) = self.last.first_chunk_mut::<{ 1 << BITS }>() else {
            return;
        };
        let (mut count, mut end) = (0, all.len());
        all.resize(end + hashes.len(), 0);
        let places = Cell::from_mut(hashes.as_mut_slice()).as_slice_of_cells();
        for hash in places {
            let entry = hash.get() >> (32 - BITS);
            let last = seen.get_mut(entry as usize);
            let (Some(last), Some(place), Some(next)) = (last, places.get(count), all.get_mut(end))
            else {
                break;
            };
            place.set(entry);
            *next = entry;
            count += usize::from(*last != sentence);
            end += usize::from(*last < self.first);
            *last = sentence;
        }
        hashes.truncate(count);
        all.truncate(end);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::scan::classifier::windows::Windows;
    use proptest::prelude::*;

    /// What gathering each window of a text must come to, by the features of the whole window.
    fn check(window: Window<'_>, gathered: &Gathered<'_>, judges: &[(Task, Weights)]) {
        let (mut words, mut hashes) = (Vec::new(), Vec::new());
        features(window.text, &mut words, &mut hashes);
        let entries: BTreeSet<u32> = hashes.iter().map(|hash| hash >> (32 - BITS)).collect();
        let entries: Vec<u32> = entries.into_iter().collect();
        let sums: Vec<Sums> = judges
            .iter()
            .map(|(_, weights)| weights.sums(&entries))
            .collect();
        assert_eq!(
            (gathered.entries, gathered.words),
            (entries.len(), words.len())
        );
        assert_eq!(gathered.sums, sums);
    }

    fn check_pieces<'t>(pieces: impl Iterator<Item = &'t str>) {
        let judges = Task::ALL.map(|task| (task, task.weights().unwrap()));
        let (mut gatherer, mut windows, pool) =
            (Gatherer::default(), Windows::default(), Pool::default());
        // Each piece with a scratch that knows nothing of those before, as in a stream.
        for piece in pieces {
            let mut lent = pool.lend();
            windows.push(piece, &mut |window| {
                check(
                    window,
                    &gatherer.gather(window, &judges, &mut lent),
                    &judges,
                );
            });
        }
        let mut lent = pool.lend();
        windows.finish(&mut |window| {
            check(
                window,
                &gatherer.gather(window, &judges, &mut lent),
                &judges,
            );
        });
    }

    #[test]
    fn sentences_outnumber_what_a_byte_can_tell() {
        let text = "Sentences like this one are as long as all the others are. ".repeat(400);
        check_pieces([text.as_str()].into_iter());
        check_pieces(text.split_inclusive(". "));
    }

    proptest! {
        #[test]
        fn every_window_has_the_entries_of_its_features(
            pieces in prop::collection::vec("([a-z0-9. !,]{0,60}|\u{6587}{0,20}\u{3002}|[a-z]{400}|Short one. ){0,60}", 1..4)
        ) {
            check_pieces(pieces.iter().map(String::as_str));
        }
    }
}
