//! The features of a window: hashed words, pairs and triples of words also with one left out, and runs of four to six bytes.
//!
//! The trainer (`models/train.py`) knows nothing of them: it is handed these hashes by `examples/features.rs`, so that both sides cannot
//! come apart.

/// Appends the hashes of a window's features to `hashes`, repeated ones repeatedly. `text` as [`Windows`](super::windows::Windows) makes it.
pub fn features(text: &[u8], words: &mut Vec<u32>, hashes: &mut Vec<u32>) {
    runs(text, hashes);
    words.clear();
    split(text, words);
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
fn runs(text: &[u8], hashes: &mut Vec<u32>) {
    for run in text.windows(6) {
        let [a, b, c, d, e, f] = *run else { continue };
        let four = u64::from(u32::from_le_bytes([a, b, c, d]));
        let five = four | u64::from(e) << 32;
        let six = five | u64::from(f) << 40;
        hashes.extend([four, five | 1 << 56, six | 2 << 56].map(spread));
    }
    // What is too near the end for a run of six.
    for length in [4u8, 5] {
        let tail = text.get(text.len().saturating_sub(5)..).unwrap_or_default();
        let from = tail.len().saturating_sub(usize::from(length));
        let starts = if length == 4 {
            from.saturating_sub(1)..from + 1
        } else {
            from..from + 1
        };
        for start in starts {
            let Some(run) = tail.get(start..start + usize::from(length)) else {
                continue;
            };
            let value = run
                .iter()
                .rev()
                .fold(0u64, |value, byte| value << 8 | u64::from(*byte));
            hashes.push(spread(value | u64::from(length - 4) << 56));
        }
    }
}

/// Hashes of the words: letters and digits of any script; of scripts without spaces, each character.
fn split(text: &[u8], words: &mut Vec<u32>) {
    const EMPTY: u32 = 0x811c_9dc5;
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

    fn end(hash: &mut u32, words: &mut Vec<u32>) {
        if *hash != EMPTY {
            words.push(*hash);
            *hash = EMPTY;
        }
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
