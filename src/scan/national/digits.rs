//! The arithmetic of check digits.

/// The last `count` digits; none if there are fewer, or if all are the same.
pub(super) fn last(text: &str, count: usize) -> Vec<u32> {
    let digits: Vec<u32> = text
        .chars()
        .filter_map(|character| character.to_digit(10))
        .collect();
    let start = digits.len().checked_sub(count);
    let digits = start
        .and_then(|start| digits.get(start..))
        .unwrap_or_default();
    let mixed = digits.iter().any(|digit| Some(digit) != digits.first());
    if mixed { digits.to_vec() } else { Vec::new() }
}

pub(super) fn value(digits: &[u32]) -> u64 {
    digits
        .iter()
        .fold(0, |value, digit| value * 10 + u64::from(*digit))
}

pub(super) fn weighted(digits: &[u32], weights: &[u32]) -> u32 {
    digits
        .iter()
        .zip(weights)
        .map(|(digit, weight)| digit * weight)
        .sum()
}

pub(super) fn modulo_11(digits: &[u32], weights: &[u32]) -> bool {
    digits.len() == weights.len() && weighted(digits, weights).is_multiple_of(11)
}

/// ISO/IEC 7812-1, annex B.
pub(super) fn luhn(digits: &[u32]) -> bool {
    let doubled = digits
        .iter()
        .rev()
        .zip([1, 2].into_iter().cycle())
        .map(|(digit, weight)| {
            let product = digit * weight;
            product / 10 + product % 10
        });
    digits.len() > 5 && doubled.sum::<u32>().is_multiple_of(10)
}

/// ISO 7064, hybrid system.
pub(super) fn iso_7064_mod_11_10(digits: &[u32]) -> bool {
    let Some((check, digits)) = digits.split_last() else {
        return false;
    };
    let product = digits.iter().fold(10, |product, digit| {
        let sum = (product + digit) % 10;
        (if sum == 0 { 10 } else { sum }) * 2 % 11
    });
    (11 - product) % 10 == *check
}

/// Verhoeff (1969): the dihedral group of order 10.
pub(super) fn verhoeff(digits: &[u32]) -> bool {
    const PERMUTATION: [u32; 10] = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];
    let product = |a: u32, b: u32| match (a < 5, b < 5) {
        (true, true) => (a + b) % 5,
        (true, false) => 5 + (a + b - 5) % 5,
        (false, true) => 5 + (a - 5 + 5 - b) % 5,
        (false, false) => (a + 5 - b) % 5,
    };
    let permuted = |digit: u32, times: usize| {
        (0..times % 8).fold(digit, |digit, _| {
            usize::try_from(digit)
                .ok()
                .and_then(|place| PERMUTATION.get(place))
                .copied()
                .unwrap_or(digit)
        })
    };
    let places = digits.iter().rev().enumerate();
    !digits.is_empty()
        && places.fold(0, |sum, (place, digit)| {
            product(sum, permuted(*digit, place))
        }) == 0
}

pub(super) fn letter(number: u64, letters: &[u8], found: char) -> bool {
    let place = usize::try_from(number).unwrap_or(usize::MAX) % letters.len().max(1);
    letters
        .get(place)
        .is_some_and(|letter| char::from(*letter) == found.to_ascii_uppercase())
}
