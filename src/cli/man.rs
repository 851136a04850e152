//! `sluicegate man`: the manual, as one page or as a folder of pages.

use std::fs;
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;

use super::Status;
use super::output::Output;

/// Print the manual page, or write one page per command into a folder
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// Folder for one page per command; without it the main page is printed
    #[arg(value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments, output: &mut Output) -> anyhow::Result<Status> {
    let command = super::command();
    if let Some(folder) = &arguments.folder {
        let cannot = || format!("cannot write the manual into {}", folder.display());
        fs::create_dir_all(folder).with_context(cannot)?;
        clap_mangen::generate_to(command, folder).with_context(cannot)?;
        return Ok(Status::Done);
    }
    clap_mangen::Man::new(command).render(output)?;
    Ok(Status::Done)
}
