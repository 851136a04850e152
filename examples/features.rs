//! Prints what a trainer needs of texts: for each window the hashes of its distinct features. `models/train.py` runs it.
//!
//! Standard input: texts, each a JSON string on a line of its own. Standard output, little-endian u32: the text's index, whether the
//! window is one of many sentences, its first byte and the one after its last, the number of entries, the entries in ascending order.
//! With the argument `fold` instead of the table's bits: the texts, folded.
#![expect(clippy::unwrap_used, reason = "a trainer stops at the first surprise")]

use std::io::{self, BufRead as _, BufWriter, Write as _};

use sluicegate::scan::classifier::features::features;
use sluicegate::scan::classifier::windows::{Kind, Window, Windows};
use sluicegate::text::unicode;

fn main() {
    let task = std::env::args().nth(1).unwrap();
    let mut out = BufWriter::new(io::stdout().lock());
    if task == "fold" {
        for line in io::stdin().lock().lines() {
            let text: String = serde_json::from_str(&line.unwrap()).unwrap();
            let mut folded = String::with_capacity(text.len());
            text.chars()
                .for_each(|character| unicode::fold(character, &mut folded));
            writeln!(out, "{}", serde_json::to_string(&folded).unwrap()).unwrap();
        }
        return;
    }
    let bits: u32 = task.parse().unwrap();
    let (mut words, mut hashes) = (Vec::new(), Vec::new());
    for (row, line) in (0u32..).zip(io::stdin().lock().lines()) {
        let text: String = serde_json::from_str(&line.unwrap()).unwrap();
        let mut windows = Windows::default();
        let mut write = |window: Window<'_>| {
            if window.text.len() < 2 {
                return;
            }
            hashes.clear();
            features(window.text, &mut words, &mut hashes);
            for hash in &mut hashes {
                *hash >>= 32 - bits;
            }
            hashes.sort_unstable();
            hashes.dedup();
            let place = [window.span.start, window.span.end, hashes.len()];
            let [start, end, count] = place.map(|number| u32::try_from(number).unwrap());
            let many = u32::from(window.kind == Kind::Many);
            for number in [row, many, start, end, count].iter().chain(&hashes) {
                out.write_all(&number.to_le_bytes()).unwrap();
            }
        };
        windows.push(&text, &mut write);
        windows.finish(&mut write);
    }
    out.flush().unwrap();
}
