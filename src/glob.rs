//! Name patterns as operators write them: `*` stands for any characters, also none; everything else for itself.

/// Whether the whole of `text` fits `pattern`. Linear in practice, at worst the product of both lengths; never exponential.
pub fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    // Where the last star stood, and the first byte of the text it has not taken yet.
    let mut star: Option<(usize, usize)> = None;
    while let Some(byte) = text.get(t) {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(expected) if expected == byte => {
                p += 1;
                t += 1;
            }
            Some(_) | None => {
                let Some((at, taken)) = star else {
                    return false;
                };
                star = Some((at, taken + 1));
                p = at + 1;
                t = taken + 1;
            }
        }
    }
    pattern.iter().skip(p).all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fits() {
        for (pattern, text) in [
            ("gpt-*", "gpt-4o"),
            ("gpt-*", "gpt-"),
            ("*", ""),
            ("", ""),
            ("*-mini*", "gpt-4o-mini-2024"),
            ("a*b*c", "abbbcbc"),
            ("claude", "claude"),
        ] {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn does_not_fit() {
        for (pattern, text) in [
            ("gpt-*", "GPT-4"),
            ("gpt-4", "gpt-4o"),
            ("*-mini", "gpt-mini-x"),
            ("", "a"),
            ("a*b", "a"),
        ] {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn many_stars_end_soon() {
        assert!(!matches(&"*a".repeat(50), &"a".repeat(49)));
        assert!(!matches(
            &format!("{}b", "a*".repeat(30)),
            &"a".repeat(2000)
        ));
    }
}
