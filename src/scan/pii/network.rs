//! Addresses of machines, by which a person can be followed.

use core::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use super::rule;
use crate::scan::{Check, Rule};

pub(super) fn rules() -> Vec<Rule> {
    vec![
        rule(
            "ipv4",
            "network",
            r"(?-u)\b[0-9]{1,3}(?:\.[0-9]{1,3}){3,8}\b",
            Some(Check::LongestEnd(Arc::new(public_ipv4))),
            "a public IPv4 address",
        ),
        // What is routed begins with 2 or 3 (RFC 4291, section 2.4; IANA has given out no other).
        rule(
            "ipv6",
            "network",
            r"(?-u)\b[23][0-9A-Fa-f]{3}(?::{1,2}[0-9A-Fa-f]{1,4}){1,7}(?:::)?",
            Some(Check::LongestEnd(Arc::new(public_ipv6))),
            "a public IPv6 address",
        ),
        // In two rules, because a rule can begin with a digit or a capital, or else with three bytes that are known.
        mac("mac", "[0-9A-F][0-9A-Fa-f]"),
        mac("mac_lower_case", "[a-f][02468ace]"),
    ]
}

fn mac(name: &str, first: &str) -> Rule {
    let byte = "[0-9A-Fa-f]{2}";
    rule(
        name,
        "network",
        &format!(r"(?-u)\b{first}[:-]{byte}(?:[:-]{byte}){{4,32}}\b"),
        Some(Check::LongestEnd(Arc::new(unicast_mac))),
        "a MAC address",
    )
}

/// Not private, reserved, for documentation or the like; nor of single digits, which are versions and well-known servers.
fn public_ipv4(text: &str) -> bool {
    let Ok(address) = text.parse::<Ipv4Addr>() else {
        return false;
    };
    let [first, second, third, _] = address.octets();
    let special = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || matches!(first, 0 | 224..)
        || (first == 100 && (64..128).contains(&second))
        || (first == 198 && (18..20).contains(&second))
        || (first == 192 && second == 0 && third == 0);
    !special && address.octets().iter().any(|octet| *octet > 9)
}

fn public_ipv6(text: &str) -> bool {
    let address = text.parse::<Ipv6Addr>();
    // 2001:db8::/32 is for documentation (RFC 3849), 3fff::/20 as well (RFC 9637).
    address.is_ok_and(|address| match address.segments() {
        [0x2001, 0xdb8, ..] => false,
        [0x3fff, second, ..] => second > 0x0fff,
        _ => true,
    })
}

/// Six bytes, not a group address or one that nobody has. A longer row is a fingerprint.
fn unicast_mac(text: &str) -> bool {
    let bytes: Vec<u8> = text
        .split([':', '-'])
        .filter_map(|byte| u8::from_str_radix(byte, 16).ok())
        .collect();
    bytes.len() == 6
        && bytes.first().is_some_and(|first| first % 2 == 0)
        && bytes.iter().any(|byte| *byte != 0)
}
