//! `sluicegate certs`: a certificate authority and a server certificate to develop with (RFC 5280).

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use jiff::{Timestamp, ToSpan, tz::TimeZone};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType, date_time_ymd,
};

use super::Status;
use super::output::Output;

/// Make a development certificate authority and a server certificate
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// Folder for the files
    #[arg(value_name = "FOLDER", default_value = "certs")]
    folder: PathBuf,
    /// A further name or address for the server; may be given several times
    #[arg(long, value_name = "NAME")]
    host: Vec<String>,
    /// Replace the files if they exist
    #[arg(long)]
    force: bool,
}

/// Clients of some vendors refuse certificates that are valid for longer.
const DAYS: i32 = 397;

pub(super) fn run(arguments: &Arguments, output: &mut Output) -> anyhow::Result<Status> {
    let folder = &arguments.folder;
    let path = |name: &str| folder.join(name);
    let [ca, ca_key, cert, key] = ["ca.pem", "ca.key", "server.pem", "server.key"].map(path);
    if let Some(old) = [&ca, &ca_key, &cert, &key]
        .into_iter()
        .find(|path| path.exists())
        && !arguments.force
    {
        bail!(
            "{} exists already\n  help: add --force to replace it, or name another folder",
            old.display()
        );
    }
    let authority_key = KeyPair::generate().context("cannot make a key")?;
    let server_key = KeyPair::generate().context("cannot make a key")?;
    let authority = authority(Timestamp::now())?;
    let authority_cert = authority
        .self_signed(&authority_key)
        .context("cannot sign the authority's certificate")?;
    let server = server(Timestamp::now(), &arguments.host)?;
    let issuer = Issuer::from_params(&authority, &authority_key);
    let server_cert = server
        .signed_by(&server_key, &issuer)
        .context("cannot sign the server's certificate")?;

    fs::create_dir_all(folder)
        .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    write(&ca, 0o644, &authority_cert.pem())?;
    write(&ca_key, 0o600, &authority_key.serialize_pem())?;
    write(&cert, 0o644, &server_cert.pem())?;
    write(&key, 0o600, &server_key.serialize_pem())?;
    write!(
        output,
        "made {ca}, {ca_key}, {cert} and {key}, valid for {DAYS} days, for development only

In sluicegate.yaml:  tls: {{cert: {cert}, key: {key}}}
curl:                curl --cacert {ca} https://localhost:8080/…
Python SDKs:         export SSL_CERT_FILE={ca}
Node SDKs:           export NODE_EXTRA_CA_CERTS={ca}
",
        ca = ca.display(),
        ca_key = ca_key.display(),
        cert = cert.display(),
        key = key.display(),
    )?;
    Ok(Status::Done)
}

fn authority(now: Timestamp) -> anyhow::Result<CertificateParams> {
    let mut params = valid(now)?;
    params
        .distinguished_name
        .push(DnType::CommonName, "Sluicegate development authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}

fn server(now: Timestamp, hosts: &[String]) -> anyhow::Result<CertificateParams> {
    let mut params = valid(now)?;
    params
        .distinguished_name
        .push(DnType::CommonName, "Sluicegate development server");
    params.subject_alt_names = vec![
        SanType::DnsName("localhost".try_into().context("cannot name localhost")?),
        SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        SanType::IpAddress(IpAddr::V6(Ipv6Addr::LOCALHOST)),
    ];
    for host in hosts {
        let name = match host.parse() {
            Ok(address) => SanType::IpAddress(address),
            Err(_)
                if !host.is_empty()
                    && host
                        .chars()
                        .all(|c| c.is_ascii_alphanumeric() || "-.*".contains(c)) =>
            {
                SanType::DnsName(
                    host.as_str()
                        .try_into()
                        .with_context(|| format!("--host: {host} is no host name"))?,
                )
            }
            Err(_) => bail!(
                "--host: \"{}\" is no host name\n  expected: a name or an address",
                host.escape_debug()
            ),
        };
        params.subject_alt_names.push(name);
    }
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    Ok(params)
}

/// Valid from yesterday, for clocks that are slow.
fn valid(now: Timestamp) -> anyhow::Result<CertificateParams> {
    let today = now.to_zoned(TimeZone::UTC).date();
    let day = |offset: i32| -> anyhow::Result<_> {
        let date = today
            .checked_add(offset.days())
            .context("the clock is out of range")?;
        Ok(date_time_ymd(
            date.year().into(),
            date.month().unsigned_abs(),
            date.day().unsigned_abs(),
        ))
    };
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.not_before = day(-1)?;
    params.not_after = day(DAYS - 1)?;
    Ok(params)
}

/// A key is never open to others, not even for a moment: the mode is given when the file is made.
fn write(path: &Path, mode: u32, text: &str) -> anyhow::Result<()> {
    let write = || -> std::io::Result<()> {
        if path.exists() {
            fs::remove_file(path)?;
        }
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}
