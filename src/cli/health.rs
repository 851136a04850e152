//! `sluicegate health`: asks a running gateway whether it is well; for containers, which have no curl.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;

use super::Status;
use crate::config::parse_address;

/// Ask a running gateway whether it is well: exit status 0 if so
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// The operator's address
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9090", value_parser = parse_address)]
    admin: SocketAddr,
}

const PATIENCE: Duration = Duration::from_secs(3);

/// Enough for a status line.
const MAX_BYTES: u64 = 1024;

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<Status> {
    let address = arguments.admin;
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        write!(
            stream,
            "GET /healthz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
        )?;
        let mut answer = Vec::new();
        stream.take(MAX_BYTES).read_to_end(&mut answer)?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    };
    let answer = ask().with_context(|| format!("no gateway answers at {address}"))?;
    let status = answer.lines().next().unwrap_or("");
    if status.split(' ').nth(1) == Some("200") {
        return Ok(Status::Done);
    }
    bail!("the gateway at {address} is not well: {status}")
}
