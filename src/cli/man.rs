//! `sluicegate man`: the manual, as one page or as a folder of pages.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

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
    let mut command = super::command();
    command.build();
    let Some(folder) = &arguments.folder else {
        output.write_all(&page(command)?)?;
        return Ok(Status::Done);
    };
    fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
    write_pages(folder, &command, "sluicegate", output)?;
    Ok(Status::Done)
}

fn write_pages(folder: &Path, command: &clap::Command, name: &str, output: &mut Output) -> anyhow::Result<()> {
    let path = folder.join(format!("{name}.1"));
    let named = command.clone().name(name.to_owned());
    fs::write(&path, page(named)?).with_context(|| format!("cannot write {}", path.display()))?;
    writeln!(output, "{}", path.display())?;
    for below in command.get_subcommands().filter(|below| !below.is_hide_set() && below.get_name() != "help") {
        write_pages(folder, below, &format!("{name}-{}", below.get_name()), output)?;
    }
    Ok(())
}

fn page(command: clap::Command) -> anyhow::Result<Vec<u8>> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command).render(&mut page).context("cannot write the manual page")?;
    Ok(page)
}
