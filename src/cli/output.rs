//! What a command prints: buffered, without colours unless a person looks at it.

use std::io::{self, BufWriter, IsTerminal, Write};

use anyhow::Context;
use serde::Serialize;

/// Standard output, or where a test looks.
pub(super) struct Output {
    to: Box<dyn Write>,
    colours: bool,
}

/// Whether a person looks at it and wants colours.
pub(super) fn colours_wanted(to: &impl IsTerminal) -> bool {
    let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    to.is_terminal() && !unwanted && !dumb
}

/// Colours by meaning (ECMA-48 SGR parameters).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// What to look at first.
    Strong,
    /// As it should be.
    Good,
    /// Worth a look.
    Odd,
    /// Not as it should be.
    Bad,
    /// Beside the point.
    Faint,
}

impl Output {
    /// Standard output; colours only on a terminal and without `NO_COLOR` (<https://no-color.org>).
    pub(super) fn standard() -> Self {
        let stdout = io::stdout();
        Self {
            colours: colours_wanted(&stdout),
            to: Box::new(BufWriter::new(stdout)),
        }
    }

    /// The text in a style, if colours are wanted.
    pub(super) fn styled(&self, style: Style, text: &str) -> String {
        let code = match style {
            Style::Strong => "1",
            Style::Good => "32",
            Style::Odd => "33",
            Style::Bad => "31",
            Style::Faint => "2",
        };
        if self.colours {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }

    /// One JSON document on a line of its own.
    pub(super) fn json(&mut self, value: &impl Serialize) -> anyhow::Result<()> {
        let text = serde_json::to_string(value).context("cannot write the answer as JSON")?;
        writeln!(self.to, "{text}")?;
        Ok(())
    }

    /// Columns as wide as their widest cell; the first row is the heading.
    pub(super) fn table(&mut self, rows: &[Vec<String>]) -> io::Result<()> {
        let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            rows.iter()
                .filter_map(|row| row.get(column))
                .map(|cell| cell.chars().count())
                .max()
        };
        let widths: Vec<usize> = (0..columns)
            .map(|column| width(column).unwrap_or(0))
            .collect();
        for (index, row) in rows.iter().enumerate() {
            let cells = row.iter().zip(&widths);
            let cells: Vec<String> = cells
                .map(|(cell, width)| format!("{cell:<width$}"))
                .collect();
            let line = cells.join("  ");
            let line = line.trim_end();
            let line = if index == 0 {
                self.styled(Style::Strong, line)
            } else {
                line.to_owned()
            };
            writeln!(self.to, "{line}")?;
        }
        Ok(())
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.to.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}
