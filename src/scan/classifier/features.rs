//! The features of a window: hashed words, pairs and triples of words also with one left out, and runs of four to six bytes.
//!
//! The trainer (`models/train.py`) knows nothing of them: it is handed these hashes by `examples/features.rs`, so that both sides cannot
//! come apart.

/// Appends the hashes of a window's features to `hashes`, repeated ones repeatedly. `text` as [`Windows`](super::windows::Windows) makes it.
pub fn features(text: &[u8], words: &mut Vec<u32>, hashes: &mut Vec<u32>) {
    runs(text, hashes);
    words.clear();
    split(text, words);
    combinations(words, hashes);
}

/// Words, and pairs and triples of them.
pub(super) fn combinations(words: &[u32], hashes: &mut Vec<u32>) {
    let word = |at: usize| words.get(at).copied();
    for at in 0..words.len() {
        let Some(first) = word(at) else { break };
        hashes.push(mix(first, 0x3c6e_f372));
        let Some(second) = word(at + 1) else { continue };
        hashes.push(mix(first, second.wrapping_mul(0x9e37_79b1)));
        let Some(third) = word(at + 2) else { continue };
        hashes.push(mix(first, third.wrapping_mul(0x85eb_ca6b) ^ 0x1234_5678));
        let pair = mix(second, third.wrapping_mul(0xc2b2_ae35));
        hashes.push(mix(first, pair));
    }
}

/// Runs of four, five and six bytes from each place.
pub(super) fn runs(text: &[u8], hashes: &mut Vec<u32>) {
    for run in text.windows(6) {
        if let (Some(four), [.., fifth, sixth]) = (run.first_chunk(), run) {
            let four = u64::from(u32::from_le_bytes(*four));
            let five = four | u64::from(*fifth) << 32;
            let six = five | u64::from(*sixth) << 40;
            hashes.extend([four, five | 1 << 56, six | 2 << 56].map(spread));
        }
    }
    // What is too near the end for a run of six.
    let value = |run: &[u8]| {
        let bytes = run.iter().rev();
        bytes.fold(0u64, |value, byte| value << 8 | u64::from(*byte))
    };
    hashes.extend(text.windows(4).rev().take(2).map(|run| spread(value(run))));
    let five = text.windows(5).next_back();
    hashes.extend(five.map(|run| spread(value(run) | 1 << 56)));
}

/// The hash of no letters.
const EMPTY: u32 = 0x811c_9dc5;

/// Hashes of the words: letters and digits of any script; of scripts without spaces, each character.
fn split(text: &[u8], words: &mut Vec<u32>) {
    let mut hash = EMPTY;
    let mut left = 0;
    for (at, byte) in text.iter().enumerate() {
        if left > 0 {
            left -= 1;
        } else if alone(*byte, text.get(at + 1).copied()) {
            end(&mut hash, words);
            left = 2;
        } else if !(byte.is_ascii_alphanumeric() || *byte >= 0x80) {
            end(&mut hash, words);
            continue;
        }
        // FNV-1a.
        hash = (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
        if left == 0
            && at >= 2
            && text
                .get(at - 2)
                .is_some_and(|lead| alone(*lead, text.get(at - 1).copied()))
        {
            end(&mut hash, words);
        }
    }
    end(&mut hash, words);
}

/// Ends a word, if there is one.
fn end(hash: &mut u32, words: &mut Vec<u32>) {
    if *hash != EMPTY {
        words.push(*hash);
        *hash = EMPTY;
    }
}

/// Whether a character of three bytes begins that is a word by itself: Thai, kana, Han.
fn alone(first: u8, second: Option<u8>) -> bool {
    matches!(
        (first, second),
        (0xe3..=0xe9, _) | (0xe0, Some(0xb8 | 0xb9))
    )
}

fn mix(first: u32, second: u32) -> u32 {
    spread(u64::from(first) << 32 | u64::from(second))
}

/// Multiplies and folds, so that all bits count.
fn spread(value: u64) -> u32 {
    let value = (value ^ value >> 29).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (value >> 32) as u32
}
