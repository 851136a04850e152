//! The host of an address as servers read it, whatever its spelling; and what an address carries.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::borrow::Cow;

use crate::text::unicode;

/// Where a host is that a server should not be made to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A service that hands out a cloud machine's credentials.
    Metadata,
    /// A private, link-local, shared, reserved or multicast network, or a name that is only known inside.
    Private,
    /// The machine itself.
    Loopback,
}

/// Names that lead to metadata services.
const METADATA_NAMES: &[&str] = &[
    "metadata",
    "metadata.google.internal",
    "metadata.goog",
    "instance-data",
    "instance-data.ec2.internal",
    "metadata.azure.com",
    "metadata.azure.internal",
];
/// Ends of names that are only known inside a network.
const PRIVATE_ENDS: &[&str] = &[
    ".internal",
    ".local",
    ".lan",
    ".intranet",
    ".corp",
    ".home.arpa",
    ".svc",
];
/// Public names that lead to the machine itself, or to an address that is written in them.
const LOOPBACK_ENDS: &[&str] = &[
    ".localhost",
    ".localdomain",
    ".localtest.me",
    ".lvh.me",
    ".vcap.me",
    ".nip.io",
    ".sslip.io",
    ".xip.io",
];

/// Whether `test` holds for a host that readers may see in `scheme://authority`, of which there is one unless they disagree about user names and
/// backslashes.
pub(super) fn any_host(address: &str, test: impl Fn(&str) -> bool) -> bool {
    let authority = address.split_once("//").map_or(address, |(_, rest)| rest);
    let authority = authority.split(['/', '?', '#']).next().unwrap_or_default();
    // `\` ends the host for browsers and is a part of the user name for others: either may be what asks.
    let written = as_written(authority);
    let parts = written.split(['\\', '/', '?', '#']);
    parts
        .filter(|part| !part.is_empty())
        .any(|part| test(host_of(part)))
}

/// The authority in small letters, its dots plain and its percent signs undone three times over.
fn as_written(authority: &str) -> Cow<'_, str> {
    let changes = |byte: u8| !byte.is_ascii() || byte.is_ascii_uppercase() || byte == b'%';
    if !authority.bytes().any(changes) {
        return authority.into();
    }
    let mut text = authority.to_lowercase();
    for _ in 0..3 {
        if text.contains('%') {
            text = percent_decoded(&text);
        }
    }
    if !text.is_ascii() {
        text = text.replace(['\u{3002}', '\u{ff0e}', '\u{ff61}'], ".");
    }
    text.into()
}

/// The host of `user:password@host:port`.
fn host_of(part: &str) -> &str {
    let host = part.rsplit_once('@').map_or(part, |(_, host)| host);
    if let Some((address, _)) = host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return address.split('%').next().unwrap_or_default();
    }
    // Sentences go on behind an address.
    let host = host.trim_end_matches(|end: char| !end.is_alphanumeric());
    let host = match host.rsplit_once(':') {
        Some((name, digits)) if digits.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    host.trim_end_matches(['.', ':'])
}

/// Where a host is, if it is inside, as written or with characters in other forms of digits and letters.
pub(super) fn place(host: &str) -> Option<Place> {
    let folded = || {
        let mut text = String::with_capacity(host.len());
        host.chars()
            .for_each(|letter| unicode::fold(letter, &mut text));
        place_as_written(&text)
    };
    place_as_written(host).or_else(|| (!host.is_ascii()).then(folded).flatten())
}

fn place_as_written(host: &str) -> Option<Place> {
    if let Some(found) = address(host) {
        return place_of_address(found);
    }
    // Text without blanks may follow directly: `http://10.0.0.1` before a Chinese comma.
    if let Some((name, _)) = host.split_once(|next: char| !next.is_ascii())
        && let Some(found) = address(name).and_then(place_of_address)
    {
        return Some(found);
    }
    let ends = |ends: &[&str]| ends.iter().any(|end| host.ends_with(end));
    if METADATA_NAMES.contains(&host) {
        Some(Place::Metadata)
    } else if matches!(host, "localhost" | "localtest.me" | "lvh.me") || ends(LOOPBACK_ENDS) {
        Some(Place::Loopback)
    } else if ends(PRIVATE_ENDS) || host.starts_with("kubernetes.default") {
        Some(Place::Private)
    } else {
        None
    }
}

fn place_of_address(address: IpAddr) -> Option<Place> {
    let address = match address {
        IpAddr::V4(address) => address,
        IpAddr::V6(address) => {
            if address == Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254) {
                return Some(Place::Metadata);
            }
            if address.is_loopback() || address.is_unspecified() {
                return Some(Place::Loopback);
            }
            let inside = address.is_unique_local()
                || address.is_unicast_link_local()
                || address.is_multicast();
            if inside {
                return Some(Place::Private);
            }
            within(address)?
        }
    };
    let [a, b, c, _] = address.octets();
    let metadata = [
        [169, 254, 169, 254],
        [169, 254, 170, 2],
        [100, 100, 100, 200],
        [168, 63, 129, 16],
        [192, 0, 0, 192],
    ];
    if metadata.contains(&address.octets()) {
        return Some(Place::Metadata);
    }
    match (a, b, c) {
        (0 | 127, _, _) => Some(Place::Loopback),
        (10 | 224.., _, _)
        | (100, 64..=127, _)
        | (169, 254, _)
        | (172, 16..=31, _)
        | (192, 168, _)
        | (192, 0, 0)
        | (198, 18 | 19, _) => Some(Place::Private),
        _ => None,
    }
}

/// The version 4 address inside one of version 6: mapped, compatible, translated (RFC 6052), 6to4 (RFC 3056).
fn within(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [.., high, low] = address.segments();
    let [prefix @ .., _, _] = address.segments();
    let join = |high: u16, low: u16| Ipv4Addr::from(u32::from(high) << 16 | u32::from(low));
    match prefix {
        [0, 0, 0, 0, 0, 0 | 0xffff] | [0, 0, 0, 0, 0xffff, 0] | [0x64, 0xff9b, 0, 0, 0, 0] => {
            Some(join(high, low))
        }
        [0x2002, high, low, ..] => Some(join(high, low)),
        _ => None,
    }
}

/// An address in any spelling that `inet_aton` or a URL parser reads.
fn address(host: &str) -> Option<IpAddr> {
    if let Ok(address) = host.parse::<Ipv6Addr>() {
        return Some(address.into());
    }
    let (mut numbers, mut count) = ([0; 4], 0);
    for part in host.split('.') {
        *numbers.get_mut(count)? = number(part)?;
        count += 1;
    }
    let (last, leading) = numbers.get(..count)?.split_last()?;
    if leading.iter().any(|part| *part > 255) {
        return None;
    }
    let bits = 8 * (4 - u32::try_from(leading.len()).ok()?);
    // Some readers let what is too large run over.
    let last = last & ((1u64 << bits) - 1);
    let high = leading.iter().fold(0u64, |sum, part| sum << 8 | part);
    let address = if bits == 32 {
        last
    } else {
        high << bits | last
    };
    Some(Ipv4Addr::from(u32::try_from(address).ok()?).into())
}

/// A number as C reads it: decimal, `0` octal, `0x` hexadecimal.
fn number(part: &str) -> Option<u64> {
    let (digits, base) = match part.strip_prefix("0x") {
        Some("") => return Some(0),
        Some(digits) => (digits, 16),
        None if part.len() > 1
            && part.starts_with('0')
            && part.bytes().all(|byte| (b'0'..=b'7').contains(&byte)) =>
        {
            (part, 8)
        }
        None => (part, 10),
    };
    let plain = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    if plain {
        u64::from_str_radix(digits, base).ok()
    } else {
        None
    }
}

fn percent_decoded(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let digit = |place: usize| {
            after
                .get(place)
                .and_then(|byte| char::from(*byte).to_digit(16))
        };
        if let (b'%', Some(high), Some(low)) = (first, digit(0), digit(1)) {
            out.push(
                u8::try_from(high * 16 + low)
                    .unwrap_or_default()
                    .to_ascii_lowercase(),
            );
            rest = after.get(2..).unwrap_or_default();
        } else {
            out.push(*first);
            rest = after;
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Whether a part of an address that is not its host is at least `least` characters of data: mixed as encoded or encrypted text is, or words
/// that were escaped.
pub(super) fn carries_data(text: &str, least: usize) -> bool {
    let address = text.rsplit_once("//").map_or(text, |(_, rest)| rest);
    let (host, path) = address.split_once('/').unwrap_or((address, ""));
    let (path, query) = path.split_once(['?', '#']).unwrap_or((path, ""));
    let value = |part: &str| {
        let value = part.split_once('=').map_or(part, |(_, value)| value);
        let words = value.matches("%20").count() + value.matches('+').count();
        value.len() >= least && (words >= 2 || is_opaque(value))
    };
    // File names and names of hosts are long by nature.
    query.split(['&', ';', '#']).any(value)
        || path.split('/').any(|part| {
            part.len() >= least.max(40) && is_opaque(part) && !part.contains(['-', '.'])
        })
        || host
            .split('.')
            .any(|part| part.len() >= 40 && is_opaque(part))
}

/// Letters and digits without words: digits or changes from small to capital letters make a fifth of it.
fn is_opaque(text: &str) -> bool {
    let bytes = text.as_bytes();
    let digits = bytes.iter().filter(|byte| byte.is_ascii_digit()).count();
    let changes = bytes
        .windows(2)
        .filter(|pair| matches!(pair, [a, b] if a.is_ascii_lowercase() && b.is_ascii_uppercase()))
        .count();
    (digits + changes) * 5 >= bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(address: &str) -> Option<Place> {
        let places = [Place::Metadata, Place::Private, Place::Loopback];
        let is = |wanted: &Place| any_host(address, |host| place(host) == Some(*wanted));
        places.into_iter().find(is)
    }

    #[test]
    fn odd_spellings_of_inner_addresses_are_read() {
        for address in [
            "http://127.0.0.1",
            "http://127.1",
            "http://2130706433",
            "http://0x7f000001",
            "http://0177.0.0.1",
            "http://0x7f.1",
            "http://0",
            "http://[::1]",
            "http://[::ffff:127.0.0.1]",
            "http://[::ffff:7f00:1]",
            "http://[64:ff9b::7f00:1]",
            "http://[2002:7f00:1::]",
            "http://localhost.",
            "http://LOCALHOST:8080",
            "http://a.localhost",
            "http://127.0.0.1.nip.io",
            "http://user:pw@127.0.0.1:80",
            "http://%31%32%37.0.0.1",
            "http://%2531%2532%2537.0.0.1",
            "http://example.com@127.0.0.1",
            "http://127\u{3002}0\u{3002}0\u{3002}1",
            "http://127.0.0.1\u{ff0c}x",
            "http://evil.com\\@127.0.0.1",
            "http://[::]",
            "http://127%E3%80%820%E3%80%820%E3%80%821",
            "http://%EF%BC%91%EF%BC%92%EF%BC%97.0.0.1",
            "http://\u{2460}\u{2461}\u{2466}.0.0.1",
        ] {
            assert_eq!(found(address), Some(Place::Loopback), "{address}");
        }
        for address in [
            "http://10.0.0.1",
            "http://172.31.255.255",
            "http://192.168.1",
            "http://[fe80::1%25eth0]",
            "http://[fd12::1]",
            "http://db.internal",
            "http://100.64.0.1",
            "http://0xa000001",
        ] {
            assert_eq!(found(address), Some(Place::Private), "{address}");
        }
        for address in [
            "http://169.254.169.254",
            "http://2852039166",
            "http://0xa9fea9fe",
            "http://[::ffff:a9fe:a9fe]",
            "http://metadata.google.internal",
            "http://0251.0376.0251.0376",
            "http://[fd00:ec2::254]",
        ] {
            assert_eq!(found(address), Some(Place::Metadata), "{address}");
        }
    }

    #[test]
    fn outer_addresses_are_not() {
        for address in [
            "http://8.8.8.8",
            "http://172.32.0.1",
            "http://example.com",
            "http://10.example.com",
            "https://localhost.example.com",
            "http://[2606:4700::1]",
            "http://1.1.1.1:80",
            "http://192.169.0.1",
            "http://dead.beef.com",
            "http://mylocalhost",
        ] {
            assert_eq!(found(address), None, "{address}");
        }
    }

    #[test]
    fn data_in_addresses_is_told_from_ordinary_ones() {
        for address in [
            "https://evil.example/i.png?d=U2VjcmV0IGtleTogc2stMTIzNDU2",
            "https://evil.example/x?q=the%20password%20is%20hunter2",
            "https://evil.example/5365637265742064617461206c656176696e67206279",
        ] {
            assert!(carries_data(address, 16), "{address}");
        }
        for address in [
            "https://img.shields.io/badge/build-passing-brightgreen?logo=github",
            "https://images.example.com/photo-1501594907352-04cda38ebc29?w=800&q=80&auto=format",
            "https://example.com/a/b/diagram-of-the-new-architecture-of-our-system.png",
            "https://example.com",
        ] {
            assert!(!carries_data(address, 16), "{address}");
        }
    }
}
