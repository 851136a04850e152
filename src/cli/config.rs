//! `sluicegate config`: the effective configuration, and where each value came from.

use std::io::Write;

use clap::Args;
use serde_json::json;

use crate::config::{self, Environment, Origin};

use super::output::{Output, Style};
use super::{Problems, Status, serve};

/// Show the effective configuration: every setting, and where its value came from
#[derive(Args, Debug)]
pub(super) struct Arguments {
    #[command(flatten)]
    serve: serve::Settings,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments, output: &mut Output) -> anyhow::Result<Status> {
    let loaded =
        config::load(&arguments.serve.flags(), &Environment::of_process()).map_err(Problems)?;
    let settings = loaded.settings();
    if arguments.json {
        let list: Vec<_> = settings
            .iter()
            .map(|setting| json!({"key": setting.key, "value": setting.value, "from": setting.origin.to_string()}))
            .collect();
        output.json(&list)?;
        return Ok(Status::Done);
    }
    let width = settings
        .iter()
        .map(|setting| setting.key.len() + setting.value.len())
        .max()
        .unwrap_or(0);
    for setting in &settings {
        let pad = " ".repeat(width - setting.key.len() - setting.value.len());
        let style = if setting.origin == Origin::Default {
            Style::Faint
        } else {
            Style::Good
        };
        let origin = output.styled(style, &format!("# {}", setting.origin));
        writeln!(output, "{}: {}{pad}  {origin}", setting.key, setting.value)?;
    }
    Ok(Status::Done)
}
