//! What an operator may set of a key: the same flags when it is made and later.

use std::net::IpAddr;
use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use ipnet::IpNet;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use crate::auth::KeyRecord;
use crate::config::{self, Config};
use crate::document::parse_duration;
use crate::rate::quota::Quota;

use super::super::Problems;

/// What may be set. What is not said stays as it is.
#[derive(Args, Debug)]
pub(super) struct Settings {
    /// What it may use, several with spaces between: 20/minute, tokens=100000/minute, concurrent=5, streams=2,
    /// budget=50usd/month, budget=2000000tokens/day
    #[arg(long, value_name = "LIMITS")]
    limit: Option<Quota>,
    /// Policy for its exchanges, instead of its team's, its provider's or the gateway's own
    #[arg(long)]
    policy: Option<String>,
    /// When it ends: after 12h or 30d, or at the beginning of a day, 2030-01-31 (UTC)
    #[arg(long, value_name = "TIME")]
    expires: Option<String>,
    /// The person or service responsible
    #[arg(long)]
    owner: Option<String>,
    /// The team it belongs to
    #[arg(long)]
    team: Option<String>,
    /// A model it may use, * for any characters; may be given several times [default: all]
    #[arg(long = "model", value_name = "PATTERN")]
    models: Vec<String>,
    /// A provider it may use, * for any characters; may be given several times [default: all]
    #[arg(long = "provider", value_name = "PATTERN")]
    providers: Vec<String>,
    /// A network it may be used from, 10.0.0.0/8 or one address; may be given several times [default: all]
    #[arg(long = "network", value_name = "NETWORK", value_parser = parse_network)]
    networks: Vec<IpNet>,
    /// A note of your own; may be given several times
    #[arg(long = "label", value_name = "NAME=VALUE", value_parser = parse_label)]
    labels: Vec<(String, String)>,
    /// Its holder may bring credentials of their own
    #[arg(long)]
    byok: bool,
    /// Folder of policies, to check --policy
    #[arg(long, value_name = "FOLDER")]
    policies: Option<PathBuf>,
}

/// A setting that can be taken away.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Field {
    /// Any number of requests
    Limit,
    /// The policy of its team, its provider or the gateway
    Policy,
    /// No end
    Expires,
    /// Nobody
    Owner,
    /// No team
    Team,
    /// All models
    Models,
    /// All providers
    Providers,
    /// All networks
    Networks,
    /// No notes
    Labels,
    /// No credentials of its holder's own
    Byok,
}

impl Field {
    pub(super) fn clear(self, key: &mut KeyRecord) {
        match self {
            Self::Limit => key.limit = None,
            Self::Policy => key.policy = None,
            Self::Expires => key.expires = None,
            Self::Owner => key.owner = None,
            Self::Team => key.team = None,
            Self::Models => key.models.clear(),
            Self::Providers => key.providers.clear(),
            Self::Networks => key.networks.clear(),
            Self::Labels => key.labels.clear(),
            Self::Byok => key.byok = false,
        }
    }
}

impl Settings {
    /// Changes what is said; lists are replaced, labels added to.
    pub(super) fn apply(
        self,
        key: &mut KeyRecord,
        config: &Config,
        now: Timestamp,
    ) -> anyhow::Result<()> {
        if let Some(policy) = &self.policy {
            let folder = self.policies.as_ref().or(config.policies.as_ref());
            let folder = folder.map(PathBuf::as_path);
            config::policy(folder, policy, "--policy", Zoned::now().date()).map_err(Problems)?;
        }
        if let Some(expires) = &self.expires {
            key.expires = Some(parse_expiry(expires, now)?);
        }
        let said = |place: &mut Option<String>, said: Option<String>| {
            if said.is_some() {
                *place = said;
            }
        };
        said(&mut key.policy, self.policy);
        said(&mut key.owner, self.owner);
        said(&mut key.team, self.team);
        key.limit = self.limit.or_else(|| key.limit.take());
        let listed = |place: &mut Vec<String>, said: Vec<String>| {
            if !said.is_empty() {
                *place = said;
            }
        };
        listed(&mut key.models, self.models);
        listed(&mut key.providers, self.providers);
        if !self.networks.is_empty() {
            key.networks = self.networks;
        }
        key.labels.extend(self.labels);
        key.byok |= self.byok;
        Ok(())
    }
}

/// A name on one line.
pub(super) fn check_name(name: &str) -> anyhow::Result<&str> {
    let name = name.trim();
    if name.is_empty() || name.len() > 100 || name.contains(char::is_control) {
        bail!("--name: expected 1 to 100 characters on one line");
    }
    Ok(name)
}

/// A network, or one address.
fn parse_network(text: &str) -> Result<IpNet, String> {
    let network = text.parse::<IpNet>().map(|network| network.trunc());
    let address = || text.parse::<IpAddr>().map(IpNet::from);
    network.or_else(|_| address()).map_err(|_| {
        "expected a network such as 10.0.0.0/8 or 2001:db8::/32, or an address".to_owned()
    })
}

pub(in crate::cli) fn parse_label(text: &str) -> Result<(String, String), String> {
    let parsed = text
        .split_once('=')
        .map(|(name, value)| (name.trim(), value.trim()));
    match parsed {
        Some((name, value)) if !name.is_empty() && text.len() <= 200 => {
            Ok((name.to_owned(), value.to_owned()))
        }
        _ => Err("expected a name and a value, such as cost-centre=4711".to_owned()),
    }
}

/// A span of time from now, or the beginning of a day.
fn parse_expiry(text: &str, now: Timestamp) -> anyhow::Result<Timestamp> {
    let time = match (parse_duration(text), text.parse::<Date>()) {
        (Some(span), _) => now.checked_add(span).ok(),
        (None, Ok(date)) => date
            .to_zoned(TimeZone::UTC)
            .ok()
            .map(|midnight| midnight.timestamp()),
        (None, Err(_)) => None,
    };
    time.filter(|time| *time > now).with_context(|| {
        let shown = text.escape_debug();
        format!("--expires: \"{shown}\" is no time to come\n  expected: 12h, 30d or a date such as 2030-01-31")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expiry_is_a_span_or_a_day_to_come() {
        let now: Timestamp = "2026-05-01T12:00:00Z".parse().unwrap();
        let at = |text: &str| {
            parse_expiry(text, now)
                .map(|time| time.to_string())
                .map_err(|error| error.to_string())
        };
        assert_eq!(at("12h").unwrap(), "2026-05-02T00:00:00Z");
        assert_eq!(at("30d").unwrap(), "2026-05-31T12:00:00Z");
        assert_eq!(at("2030-01-31").unwrap(), "2030-01-31T00:00:00Z");
        for wrong in [
            "",
            "soon",
            "0s",
            "2020-01-01",
            "30",
            "18446744073709551615d",
        ] {
            assert!(
                at(wrong).unwrap_err().contains("no time to come"),
                "{wrong}"
            );
        }
    }

    #[test]
    fn networks_are_ranges_or_addresses() {
        for (text, expected) in [
            ("10.1.2.3/8", "10.0.0.0/8"),
            ("192.0.2.1", "192.0.2.1/32"),
            ("2001:db8::1", "2001:db8::1/128"),
        ] {
            assert_eq!(parse_network(text).unwrap().to_string(), expected);
        }
        for wrong in ["", "10.0.0.0/33", "example.com", "10.0.0"] {
            assert!(parse_network(wrong).is_err(), "{wrong}");
        }
    }
}
