//! Keys, teams and sessions as rows: what is only read is JSON in one cell.

use super::engine::Value;
use super::row::{Cells, Unreadable};
use crate::auth::{Bearer, Credentials, Grant, KeyRecord, StoreError, Team};
use ipnet::IpNet;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What is kept in one cell. Fields that are not known are an error: they may be restrictions of a later version.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    models: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    providers: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    networks: Vec<IpNet>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    byok: bool,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    labels: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    credentials: Credentials,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<Timestamp>,
}

pub(super) fn settings(key: &KeyRecord) -> Result<Value, StoreError> {
    Settings {
        owner: key.owner.clone(),
        policy: key.policy.clone(),
        limit: key.limit.as_ref().map(ToString::to_string),
        models: key.models.clone(),
        providers: key.providers.clone(),
        networks: key.networks.clone(),
        byok: key.byok,
        labels: key.labels.clone(),
        credentials: key.credentials.clone(),
        expires: key.expires,
    }
    .written()
}

pub(super) fn team_settings(team: &Team) -> Result<Value, StoreError> {
    Settings {
        policy: team.policy.clone(),
        limit: team.limit.as_ref().map(ToString::to_string),
        models: team.models.clone(),
        providers: team.providers.clone(),
        labels: team.labels.clone(),
        credentials: team.credentials.clone(),
        ..Settings::default()
    }
    .written()
}

/// What is kept in one cell, as JSON.
pub(super) fn written(value: &impl Serialize) -> Result<Value, StoreError> {
    let written = serde_json::to_string(value);
    written.map(Value::Text).map_err(|source| StoreError {
        doing: "write settings",
        source: source.into(),
    })
}

impl Settings {
    fn written(&self) -> Result<Value, StoreError> {
        written(self)
    }

    fn read(text: &str) -> Result<Self, Unreadable> {
        serde_json::from_str(text).map_err(|_| Unreadable {
            expected: "settings in JSON that this version knows",
        })
    }
}

/// A restriction that cannot be read must not become none.
fn limit<T: std::str::FromStr>(text: Option<String>) -> Result<Option<T>, Unreadable> {
    let parsed = text.map(|text| text.parse()).transpose();
    parsed.map_err(|_| Unreadable {
        expected: "a limit such as 20/minute",
    })
}

fn credentials(text: Option<&str>) -> Result<Credentials, Unreadable> {
    let Some(text) = text else {
        return Ok(Credentials::new());
    };
    serde_json::from_str(text).map_err(|_| Unreadable {
        expected: "sealed credentials in JSON",
    })
}

/// Reads the columns of a key, as `keys` asks for them.
pub(super) fn read_key(cells: &mut Cells<'_>) -> Result<KeyRecord, Unreadable> {
    let (id, name, prefix) = (cells.text()?, cells.text()?, cells.text()?);
    let (team, created) = (cells.optional_text()?, time(cells.integer()?)?);
    let revoked = cells.optional_integer()?.map(time).transpose()?;
    let settings = Settings::read(cells.text()?)?;
    Ok(KeyRecord {
        id: id.into(),
        name: name.to_owned(),
        prefix: prefix.to_owned(),
        owner: settings.owner,
        team: team.map(str::to_owned),
        policy: settings.policy,
        limit: limit(settings.limit)?,
        models: settings.models,
        providers: settings.providers,
        networks: settings.networks,
        byok: settings.byok,
        labels: settings.labels,
        credentials: settings.credentials,
        version: cells.integer()?.cast_unsigned(),
        created,
        expires: settings.expires,
        revoked,
    })
}

/// Reads a name, settings and version.
pub(super) fn read_team(cells: &mut Cells<'_>) -> Result<Team, Unreadable> {
    let name = cells.text()?;
    let settings = Settings::read(cells.text()?)?;
    Ok(Team {
        name: name.into(),
        policy: settings.policy,
        limit: limit(settings.limit)?,
        models: settings.models,
        providers: settings.providers,
        labels: settings.labels,
        credentials: settings.credentials,
        version: cells.integer()?.cast_unsigned(),
    })
}

/// Reads the columns of a text that may be presented.
pub(super) fn read_bearer(cells: &mut Cells<'_>) -> Result<Bearer, Unreadable> {
    Ok(Bearer {
        prefix: cells.text()?.to_owned(),
        hash: cells.bytes()?,
        session: cells.optional_text()?.map(Into::into),
        user: cells.optional_text()?.map(Into::into),
        credentials: credentials(cells.optional_text()?)?,
        expires: cells.optional_integer()?.map(time).transpose()?,
        revoked: cells.optional_integer()?.map(time).transpose()?,
    })
}

/// Reads the columns of a text, its key and its team, which may be null.
pub(super) fn read_grant(cells: &mut Cells<'_>) -> Result<Grant, Unreadable> {
    let bearer = read_bearer(cells)?;
    let key = Arc::new(read_key(cells)?);
    let mut team = *cells;
    let team = match team.optional_text()? {
        None => None,
        Some(_) => Some(Arc::new(read_team(cells)?)),
    };
    Ok(Grant { bearer, key, team })
}

/// Microseconds since 1970.
pub(super) fn micros(time: Timestamp) -> i64 {
    time.as_microsecond()
}

fn time(micros: i64) -> Result<Timestamp, Unreadable> {
    Timestamp::from_microsecond(micros).map_err(|_| Unreadable { expected: "a time" })
}
