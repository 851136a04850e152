//! Addresses that no request should go to, links that carry data away, and hosts that a policy lists.

mod host;

use std::{fmt, sync::Arc};

use super::{Check, Rule, Scanner};
use host::{Place, any_host, place};

/// A host and whatever stands around it up to the path, in all spellings. What follows the path is not read: an address may be in there too,
/// and is found by itself.
const AUTHORITY: &str = r#"[^\x00-\x20/?#"'`<>(){}|^]+"#;
/// Schemes that are redacted together with their hosts.
const SCHEMES: &str = "(?:https?|ftps?|sftp|wss?|gopher|dict|ldaps?|tftp|file|redis|mongodb|mysql|postgres|smtp|imap|ssh|telnet|git)";

pub(super) fn rules() -> Vec<Rule> {
    let mut rules = vec![
        internal("metadata", Place::Metadata, "an address that hands out a cloud machine's credentials"),
        internal("private", Place::Private, "an address in a private, link-local or reserved network"),
        internal("loopback", Place::Loopback, "an address of the machine itself"),
        rule(
            "scheme",
            "ssrf",
            r#"(?i)\b(?:gopher|dict|tftp|phar|expect|netdoc|php|ldaps?|file)://[^\s"'`<>()]*|\bjar:https?:[^\s"'`<>()]*"#.to_owned(),
            None,
            "a scheme through which servers are made to read files or talk to other services",
        ),
    ];
    rules.extend(exfiltration());
    rules
}

/// Addresses of images and links that carry data to who owns the host.
fn exfiltration() -> [Rule; 3] {
    [
        rule(
            "exfiltration_image",
            "exfiltration",
            r#"(?i)!\[[^\]\n]{0,40}\]\(\s{0,4}<?(?:https?:)?//[^\s"'`<>()]+"#.to_owned(),
            Some(longest(|text| host::carries_data(text, 16))),
            "an image whose address carries data: a client that shows it sends them",
        ),
        rule(
            "exfiltration_html",
            "exfiltration",
            r#"(?i-u)<img\s[ -;=?-~]{0,40}src\s?=\s?["']?(?:https?:)?//[!#-&*-;=?-_a-~]+"#
                .to_owned(),
            Some(longest(|text| host::carries_data(text, 16))),
            "an HTML image whose address carries data",
        ),
        rule(
            "exfiltration_link",
            "exfiltration",
            r#"(?i)(?:\]\(|\]:)\s{0,4}<?https?://[^\s"'`<>()]+"#.to_owned(),
            Some(longest(|text| host::carries_data(text, 32))),
            "a link whose address carries much opaque data",
        ),
    ]
}

fn rule(
    name: &str,
    category: &'static str,
    pattern: String,
    check: Option<Check>,
    summary: &'static str,
) -> Rule {
    Rule {
        id: format!("url.{name}").into(),
        scanner: Scanner::Url,
        category,
        label: "URL".into(),
        score: 0,
        pattern: pattern.into(),
        check,
        summary: summary.into(),
    }
}

fn longest(check: impl Fn(&str) -> bool + Send + Sync + 'static) -> Check {
    Check::LongestEnd(Arc::new(check))
}

fn internal(name: &str, wanted: Place, summary: &'static str) -> Rule {
    let pattern = format!("(?i){SCHEMES}?://{AUTHORITY}");
    let check = longest(move |text| any_host(text, |host| place(host) == Some(wanted)));
    rule(name, "ssrf", pattern, Some(check), summary)
}

/// The hosts that a policy lists. A listed host stands for itself and all names below it, never for names that only end in the same letters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hosts {
    /// No other host may be named; these may, private ones included. Empty: any.
    pub allow: Vec<String>,
    /// These may not be named.
    pub deny: Vec<String>,
}

/// A list entry that is no host name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidHost;

impl fmt::Display for InvalidHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a host name")
    }
}

impl Hosts {
    /// Reads a host as a policy writes it: `example.com`, also `*.example.com`, or an address without its port.
    ///
    /// # Errors
    /// It is no name that an address could hold.
    pub fn parse(written: &str) -> Result<String, InvalidHost> {
        let host = written
            .strip_prefix("*.")
            .unwrap_or(written)
            .trim_end_matches('.')
            .to_ascii_lowercase();
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
        let address = host.parse::<core::net::Ipv6Addr>().is_ok();
        let named = !host.is_empty()
            && !host.starts_with('.')
            && !host.contains("..")
            && host.bytes().all(fits);
        if named || address {
            Ok(host)
        } else {
            Err(InvalidHost)
        }
    }

    /// The rules of the lists themselves.
    pub fn rules(&self) -> Vec<Rule> {
        let pattern = format!("(?i){SCHEMES}?://{AUTHORITY}");
        let (deny, allow) = (self.deny.clone(), self.allow.clone());
        let denies = longest(move |text| any_host(text, |host| is_listed(&deny, host)));
        let misses = longest(move |text| any_host(text, |host| !is_listed(&allow, host)));
        let mut rules = Vec::new();
        if !self.deny.is_empty() {
            rules.push(rule(
                "denied_host",
                "host",
                pattern.clone(),
                Some(denies),
                "a host that the policy denies",
            ));
        }
        if !self.allow.is_empty() {
            rules.push(rule(
                "unlisted_host",
                "host",
                pattern,
                Some(misses),
                "a host that the policy does not allow",
            ));
        }
        rules
    }

    /// The built-in rule, which leaves alone what the policy allows by name.
    pub fn sparing(&self, mut rule: Rule) -> Rule {
        if self.allow.is_empty() {
            return rule;
        }
        let Some(check) = rule.check.take() else {
            return rule;
        };
        let allow = self.allow.clone();
        let named = move |text: &str| any_host(text, |host| !is_listed(&allow, host));
        rule.check = Some(longest(move |text| named(text) && check.passes(text)));
        rule
    }
}

fn is_listed(list: &[String], host: &str) -> bool {
    list.iter().any(|listed| {
        host.strip_suffix(listed.as_str())
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listed_host_stands_for_itself_and_what_is_below() {
        let list = vec![
            Hosts::parse("*.Example.com.").unwrap(),
            "10.0.0.1".to_owned(),
        ];
        for host in [
            "example.com",
            "a.example.com",
            "a.b.example.com",
            "10.0.0.1",
        ] {
            assert!(is_listed(&list, host), "{host}");
        }
        for host in [
            "badexample.com",
            "example.com.evil.net",
            "example.co",
            "110.0.0.1",
        ] {
            assert!(!is_listed(&list, host), "{host}");
        }
        for wrong in [
            "",
            "*",
            "a b",
            "https://a.b",
            "a.b/c",
            "a.b:80",
            ".a",
            "a..b",
            "*.",
            "m\u{fc}nchen.de",
        ] {
            assert_eq!(Hosts::parse(wrong), Err(InvalidHost), "{wrong}");
        }
    }

    #[test]
    fn user_names_and_suffixes_do_not_pass_for_the_host() {
        let list = Hosts {
            allow: vec!["api.openai.com".to_owned()],
            deny: Vec::new(),
        };
        let rules = list.rules();
        let check = rules[0].check.as_ref().unwrap();
        for allowed in [
            "https://api.openai.com",
            "https://API.openai.com.:443",
            "://eu.api.openai.com",
        ] {
            assert!(!check.passes(allowed), "{allowed}");
        }
        for other in [
            "https://api.openai.com.evil.net",
            "https://api.openai.com@evil.net",
            "https://evil.net\\@api.openai.com",
            "https://evilapi.openai.com",
            "https://xapi.openai.com\u{e4}.net",
            "ftp://malicious.server",
            "http://[::1]",
        ] {
            assert!(check.passes(other), "{other}");
        }
    }
}
