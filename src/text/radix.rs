//! The digits of base64, base32 and hexadecimal (RFC 4648).

/// What a digit stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Radix {
    /// Both alphabets, padded or not.
    Base64,
    /// In either case where reading is thorough, else in upper case.
    Base32,
    /// In either case, in pairs that separators, `0x` or `\x` may stand between.
    Hex,
}

impl Radix {
    pub(super) const fn bits(self) -> usize {
        match self {
            Self::Base64 => 6,
            Self::Base32 => 5,
            Self::Hex => 4,
        }
    }

    /// Digits of a group.
    pub(super) const fn group(self) -> usize {
        match self {
            Self::Base64 => 4,
            Self::Base32 => 8,
            Self::Hex => 2,
        }
    }

    /// The value of a digit.
    #[inline]
    pub(super) fn value(self, byte: u8, thorough: bool) -> Option<u8> {
        let value = self.values(thorough).get(usize::from(byte)).copied();
        value.filter(|value| *value != NO_DIGIT)
    }

    /// The value of each byte, or [`NO_DIGIT`].
    pub(super) fn values(self, thorough: bool) -> &'static [u8; 256] {
        match self {
            Self::Base64 => &BASE64,
            Self::Base32 if thorough => &BASE32_ANY_CASE,
            Self::Base32 => &BASE32,
            Self::Hex => &HEX,
        }
    }
}

/// In place of a value.
pub(super) const NO_DIGIT: u8 = 0xff;
static BASE64: [u8; 256] = values(&[
    (b'A', 26, 0),
    (b'a', 26, 26),
    (b'0', 10, 52),
    (b'+', 1, 62),
    (b'-', 1, 62),
    (b'/', 1, 63),
    (b'_', 1, 63),
]);
static BASE32: [u8; 256] = values(&[(b'A', 26, 0), (b'2', 6, 26)]);
static BASE32_ANY_CASE: [u8; 256] = values(&[(b'A', 26, 0), (b'a', 26, 0), (b'2', 6, 26)]);
static HEX: [u8; 256] = values(&[(b'0', 10, 0), (b'A', 6, 10), (b'a', 6, 10)]);

/// By byte, of ranges of digits: the first, how many, and the value of the first.
#[expect(
    clippy::indexing_slicing,
    reason = "the compiler runs it, and would refuse"
)]
const fn values(ranges: &[(u8, u8, u8)]) -> [u8; 256] {
    let mut values = [NO_DIGIT; 256];
    let mut range = 0;
    while range < ranges.len() {
        let (first, count, value) = ranges[range];
        let mut digit = 0;
        while digit < count {
            values[(first + digit) as usize] = value + digit;
            digit += 1;
        }
        range += 1;
    }
    values
}
