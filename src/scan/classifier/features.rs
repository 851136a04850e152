//! The features of a window: hashed words, pairs and triples of words also with one left out, and runs of four to six bytes.
//!
//! The trainer (`models/train.py`) knows nothing of them: it is handed these hashes by `examples/features.rs`, so that both sides cannot
//! come apart.

/// Adds the hashes of a window's features, repeated ones repeatedly. `text` as [`Windows`](super::windows::Windows) makes it.
pub fn features(text: &[u8], words: &mut Vec<u32>, hashes: &mut Vec<u32>) {
    runs(text, hashes);
    words.clear();
    split(text, words);
    combinations(words, hashes);
}

/// Words, and pairs and triples of them.
pub(super) fn combinations(words: &[u32], hashes: &mut Vec<u32>) {
    let mut rest = words;
    while let [first, after @ ..] = rest {
        rest = after;
        let alone = mix(*first, 0x3c6e_f372);
        let [second, others @ ..] = after else {
            hashes.push(alone);
            break;
        };
        let two = mix(*first, second.wrapping_mul(0x9e37_79b1));
        let [third, ..] = others else {
            hashes.extend([alone, two]);
            continue;
        };
        let apart = mix(*first, third.wrapping_mul(0x85eb_ca6b) ^ 0x1234_5678);
        let pair = mix(*second, third.wrapping_mul(0xc2b2_ae35));
        hashes.extend([alone, two, apart, mix(*first, pair)]);
    }
}

/// Runs of four, five and six bytes from each place.
pub(super) fn runs(text: &[u8], hashes: &mut Vec<u32>) {
    // All that have six bytes, in a loop that the compiler can widen.
    let sixes = text.windows(6);
    let before = hashes.len();
    hashes.resize(before + 3 * sixes.len(), 0);
    let (places, _) = hashes
        .get_mut(before..)
        .unwrap_or_default()
        .as_chunks_mut::<3>();
    for (place, run) in places.iter_mut().zip(sixes) {
        if let (Some(four), Some(two)) = (run.first_chunk(), run.last_chunk()) {
            let four = u64::from(u32::from_le_bytes(*four));
            let six = four | u64::from(u16::from_le_bytes(*two)) << 32;
            let five = six & 0xff_ffff_ffff;
            *place = [four, five | 1 << 56, six | 2 << 56].map(spread);
        }
    }
    // What is too near the end for a run of six.
    let value = |run: &[u8]| {
        let bytes = run.iter().rev();
        bytes.fold(0u64, |value, byte| value << 8 | u64::from(*byte))
    };
    let fours = text.windows(4).rev().take(2);
    hashes.extend(fours.map(|run| spread(value(run))));
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
        if byte.is_ascii_alphanumeric() {
            hash = with(hash, *byte);
        } else if byte.is_ascii() {
            end(&mut hash, words);
        } else {
            let begins = left == 0 && alone(*byte, text.get(at + 1).copied());
            other(*byte, begins, (&mut hash, &mut left), words);
        }
    }
    end(&mut hash, words);
}

/// Reads a byte that is not ASCII, of which `left` more belong to a character that is a word by itself.
#[inline(never)]
fn other(byte: u8, begins: bool, (hash, left): (&mut u32, &mut u32), words: &mut Vec<u32>) {
    if begins {
        end(hash, words);
    }
    *hash = with(*hash, byte);
    if begins {
        *left = 2;
    } else if *left > 0 {
        *left -= 1;
        if *left == 0 {
            end(hash, words);
        }
    }
}

/// FNV-1a.
const fn with(hash: u32, byte: u8) -> u32 {
    (hash ^ byte as u32).wrapping_mul(0x0100_0193)
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
