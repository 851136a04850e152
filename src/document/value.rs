//! Parsers from one [`Node`] to one value; settings are made by putting these together.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::outline::{ANY_KEY, NOTHING, Shape};
use super::read::{Reader, alternatives, shown_key};
use super::{Key, Node, Value};

/// Text. Numbers and booleans are not taken as text: `1.10` would silently become `1.1`.
pub fn text(reader: &mut Reader, node: &Node) -> Option<String> {
    if reader.takes(|| Shape::Text(None)) {
        // Whoever asks for a text may say more of it.
        return Some(String::new());
    }
    match &node.value {
        Value::Str(text) => Some(text.clone()),
        Value::Bool(_) | Value::Int(_) | Value::Float(_) => {
            let found = format!("{} is {}", reader.path(), node.value.kind());
            reader.report(
                reader
                    .problem(node, found)
                    .expected("text")
                    .help("put quotes around it"),
            );
            None
        }
        Value::Null | Value::Seq(_) | Value::Map(_) => {
            reader.mismatch(node, "text");
            None
        }
    }
}

/// `true` or `false`.
pub fn boolean(reader: &mut Reader, node: &Node) -> Option<bool> {
    reader.takes(|| Shape::Boolean);
    if let Value::Bool(value) = node.value {
        return Some(value);
    }
    reader.mismatch(node, "true or false");
    None
}

/// A whole number in a range.
pub fn integer<T>(range: RangeInclusive<T>) -> impl FnOnce(&mut Reader, &Node) -> Option<T>
where
    T: TryFrom<i64> + TryInto<i64> + PartialOrd + Copy + fmt::Display,
{
    move |reader, node| {
        let bound = |bound: &T| (*bound).try_into().unwrap_or(i64::MAX);
        reader.takes(|| Shape::Integer(bound(range.start()), bound(range.end())));
        if let Value::Int(value) = node.value
            && let Ok(value) = T::try_from(value)
            && range.contains(&value)
        {
            return Some(value);
        }
        let expected = format!("a whole number from {} to {}", range.start(), range.end());
        out_of_range(reader, node, expected);
        None
    }
}

/// A number in a range.
pub fn number(range: RangeInclusive<f64>) -> impl FnOnce(&mut Reader, &Node) -> Option<f64> {
    move |reader, node| {
        reader.takes(|| Shape::Number(*range.start(), *range.end()));
        let value = match node.value {
            #[expect(
                clippy::cast_precision_loss,
                reason = "ranges of settings end far below 2^53"
            )]
            Value::Int(value) => Some(value as f64),
            Value::Float(value) => Some(value),
            Value::Null | Value::Bool(_) | Value::Str(_) | Value::Seq(_) | Value::Map(_) => None,
        };
        let value = value.filter(|value| range.contains(value));
        if value.is_none() {
            out_of_range(
                reader,
                node,
                format!("a number from {} to {}", range.start(), range.end()),
            );
        }
        value
    }
}

/// Reports a value that should have been a number in a range, which may be a number outside it.
fn out_of_range(reader: &mut Reader, node: &Node, expected: String) {
    let found = match node.value {
        Value::Int(value) => value.to_string(),
        Value::Float(value) => value.to_string(),
        _ => node.value.kind().to_owned(),
    };
    let found = format!("{} is {found}", reader.path());
    reader.report(reader.problem(node, found).expected(expected));
}

/// A span of time with its unit: `500ms`, `30s`, `5m`, `2h`, `7d`.
pub fn duration(reader: &mut Reader, node: &Node) -> Option<Duration> {
    reader.takes(|| Shape::Text(Some("^[0-9]+ *(ms|s|m|h|d)$")));
    let value = if let Value::Str(text) = &node.value {
        parse_duration(text)
    } else {
        None
    };
    if value.is_none() {
        reader.mismatch(node, "a number and its unit: 500ms, 30s, 5m, 2h or 7d");
    }
    value
}

/// A number of bytes: `4096`, `64KiB`, `20MiB`, `1GiB`, `20MB`.
pub fn byte_size(reader: &mut Reader, node: &Node) -> Option<usize> {
    let sizes = Shape::Text(Some("^[0-9]+ *(B|KB|MB|GB|KiB|MiB|GiB)?$"));
    reader.takes(|| Shape::Either(vec![Shape::Integer(0, i64::MAX), sizes]));
    let value = match &node.value {
        Value::Int(value) => usize::try_from(*value).ok(),
        Value::Str(text) => parse_byte_size(text),
        Value::Null | Value::Bool(_) | Value::Float(_) | Value::Seq(_) | Value::Map(_) => None,
    };
    if value.is_none() {
        reader.mismatch(node, "a number of bytes: 4096, 64KiB, 20MiB or 1GiB");
    }
    value
}

/// One of a fixed list of words.
pub fn word<T: Copy>(words: &[(&'static str, T)]) -> impl Fn(&mut Reader, &Node) -> Option<T> {
    move |reader, node| {
        let names = words.iter().map(|(name, _)| *name);
        reader.takes(|| Shape::Words(names.clone().map(str::to_owned).collect()));
        let Value::Str(text) = &node.value else {
            reader.mismatch(node, alternatives(names));
            return None;
        };
        let found = words
            .iter()
            .find(|(name, _)| name == text)
            .map(|(_, value)| *value);
        if found.is_none() {
            reader.unknown_word(node.place(), None, text, names);
        }
        found
    }
}

/// A list; items that cannot be read are reported and left out.
pub fn list<'n, T>(
    item: impl Fn(&mut Reader, &'n Node) -> Option<T>,
) -> impl FnOnce(&mut Reader, &'n Node) -> Option<Vec<T>> {
    move |reader, node| {
        if reader.outlines() {
            let shape = reader.outline_of(|reader| item(reader, &NOTHING));
            reader.takes(|| Shape::List(Box::new(shape)));
            return None;
        }
        let Value::Seq(nodes) = &node.value else {
            reader.mismatch(node, "a list");
            return None;
        };
        let read = |(index, node)| reader.within(format!("[{index}]"), |reader| item(reader, node));
        Some(nodes.iter().enumerate().filter_map(read).collect())
    }
}

/// A map with keys of the user's own, in the order written; values that cannot be read are reported and left out.
pub fn map<'n, T>(
    value: impl Fn(&mut Reader, &'n Key, &'n Node) -> Option<T>,
) -> impl FnOnce(&mut Reader, &'n Node) -> Option<Vec<(Key, T)>> {
    move |reader, node| {
        if reader.outlines() {
            reader.outline_keys = Shape::Text(None);
            let shape = reader.outline_of(|reader| value(reader, &ANY_KEY, &NOTHING));
            let keys = std::mem::take(&mut reader.outline_keys);
            reader.takes(|| Shape::Map(Box::new(keys), Box::new(shape)));
            return None;
        }
        let Value::Map(entries) = &node.value else {
            reader.mismatch(node, "a map");
            return None;
        };
        let read = |(key, node): &'n (Key, Node)| {
            let value = reader.within(shown_key(&key.name), |reader| value(reader, key, node))?;
            Some((key.clone(), value))
        };
        Some(entries.iter().filter_map(read).collect())
    }
}

/// The duration that a text such as `30s` says.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let (number, unit) = split_unit(text)?;
    match unit {
        "ms" => Some(Duration::from_millis(number)),
        "s" => Some(Duration::from_secs(number)),
        "m" => number.checked_mul(60).map(Duration::from_secs),
        "h" => number.checked_mul(3600).map(Duration::from_secs),
        "d" => number.checked_mul(86_400).map(Duration::from_secs),
        _ => None,
    }
}

/// The number of bytes that a text such as `20MiB` says.
pub fn parse_byte_size(text: &str) -> Option<usize> {
    let (number, unit) = split_unit(text)?;
    let factor: u64 = match unit {
        "" | "B" => 1,
        "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    usize::try_from(number.checked_mul(factor)?).ok()
}

/// Anything at all, as JSON.
pub fn json(reader: &mut Reader, node: &Node) -> Option<serde_json::Value> {
    use serde_json::Value as Json;
    if reader.takes(|| Shape::Any) {
        return Some(Json::Null);
    }
    Some(match &node.value {
        Value::Null => Json::Null,
        Value::Bool(value) => Json::Bool(*value),
        Value::Int(value) => Json::from(*value),
        Value::Float(value) => Json::from(*value),
        Value::Str(text) => Json::from(text.as_str()),
        Value::Seq(items) => items
            .iter()
            .map(|item| json(reader, item))
            .collect::<Option<_>>()?,
        Value::Map(entries) => entries
            .iter()
            .map(|(key, node)| Some((key.name.clone(), json(reader, node)?)))
            .collect::<Option<serde_json::Map<_, _>>>()?
            .into(),
    })
}

fn split_unit(text: &str) -> Option<(u64, &str)> {
    let end = text
        .bytes()
        .position(|byte| !byte.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(end)?;
    Some((number.parse().ok()?, unit.trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_do_not_overflow() {
        assert_eq!(parse_duration("18446744073709551615d"), None);
        assert_eq!(parse_byte_size("18446744073709551615GiB"), None);
        assert_eq!(parse_duration("30"), None);
        assert_eq!(parse_byte_size("64 KiB"), Some(65536));
    }
}
