//! The entries of the table that a window's features select, each once.
//!
//! A window of many sentences has the features of its sentences, which were judged before it, and those that lie across two of them. So
//! only the latter are computed anew.

use super::features::{combinations, features, runs};
use super::weights::BITS;
use super::windows::{Kind, Window};

/// Bytes on either side of a joint that a run can reach: all but one of the longest.
const REACH: usize = 5;
/// Fewer entries than this are forgotten one by one.
const FEW: usize = 1 << (BITS - 8);

/// Finds the entries of one window after the other.
#[derive(Clone, Debug, Default)]
pub(super) struct Gatherer {
    /// A bit for each entry; all clear between windows.
    seen: Vec<u64>,
    /// Of the window at hand.
    words: Vec<u32>,
    entries: Vec<u32>,
    /// The entries of the sentences since the last window of many, some repeatedly, and their words.
    many: Vec<u32>,
    many_words: Vec<u32>,
    /// Where each of these sentences ends, in bytes and in words.
    ends: Vec<(usize, usize)>,
}

impl Gatherer {
    /// The distinct entries of the next window, and the number of its words.
    pub(super) fn gather(&mut self, window: Window<'_>) -> (&[u32], usize) {
        self.entries.clear();
        let length = self.ends.last().map_or(0, |(bytes, _)| *bytes);
        match window.kind {
            Kind::Sentence => {
                features(window.text, &mut self.words, &mut self.entries);
                self.distinct();
                self.many.extend_from_slice(&self.entries);
                self.many_words.extend_from_slice(&self.words);
                // The next sentence begins with the space that ends this one.
                let end = length + window.text.len().saturating_sub(1);
                self.ends.push((end, self.many_words.len()));
            }
            Kind::Many => {
                if length + 1 == window.text.len() {
                    self.join(window.text);
                } else {
                    features(window.text, &mut self.words, &mut self.entries);
                }
                self.distinct();
                self.many.clear();
                self.many_words.clear();
                self.ends.clear();
            }
        }
        (&self.entries, self.words.len())
    }

    /// Puts the sentences of a window of many together.
    fn join(&mut self, text: &[u8]) {
        std::mem::swap(&mut self.words, &mut self.many_words);
        for (end, words) in &self.ends {
            let around = end.saturating_sub(REACH)..text.len().min(end + 1 + REACH);
            runs(text.get(around).unwrap_or_default(), &mut self.entries);
            let around = words.saturating_sub(2)..self.words.len().min(words + 2);
            let words = self.words.get(around).unwrap_or_default();
            combinations(words, &mut self.entries);
        }
        // Sentences tell their entries, joints their hashes.
        let entries = self.many.iter().map(|entry| entry << (32 - BITS));
        self.entries.extend(entries);
    }

    /// Makes entries of hashes, and drops those that are there already.
    fn distinct(&mut self) {
        let seen = &mut self.seen;
        seen.resize(1 << (BITS - 6), 0);
        for hash in &mut self.entries {
            *hash >>= 32 - BITS;
        }
        let bit = |entry: u32| (entry as usize >> 6, 1u64 << (entry & 63));
        self.entries.retain(|entry| {
            let (place, bit) = bit(*entry);
            seen.get_mut(place).is_some_and(|bits| {
                let fresh = *bits & bit == 0;
                *bits |= bit;
                fresh
            })
        });
        if self.entries.len() > FEW {
            seen.fill(0);
        } else {
            for entry in &self.entries {
                if let Some(bits) = seen.get_mut(bit(*entry).0) {
                    *bits = 0;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::scan::classifier::windows::Windows;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_window_has_the_entries_of_its_features(text in "([a-z0-9. !,]{0,60}|\u{6587}{0,20}\u{3002}|[a-z]{400}|Short one. ){0,60}") {
            let (mut gatherer, mut windows) = (Gatherer::default(), Windows::default());
            let mut check = |window: Window<'_>| {
                let (mut words, mut hashes) = (Vec::new(), Vec::new());
                features(window.text, &mut words, &mut hashes);
                let all: BTreeSet<u32> = hashes.iter().map(|hash| hash >> (32 - BITS)).collect();
                let (entries, count) = gatherer.gather(window);
                assert_eq!(entries.len(), all.len());
                assert_eq!(entries.iter().copied().collect::<BTreeSet<_>>(), all);
                assert_eq!(count, words.len());
            };
            windows.push(&text, &mut check);
            windows.finish(&mut check);
        }
    }
}
