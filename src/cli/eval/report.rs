//! What `eval` prints.

use std::io::Write;

use serde_json::json;

use crate::cli::output::{Output, Style};

use super::Task;
use super::data::Row;
use super::measure::{GROUPINGS, Group, Judged};

/// All that is printed.
pub(super) struct Report {
    pub(super) task: Task,
    pub(super) rows: Vec<Judged>,
    pub(super) area: Option<f64>,
    /// Of the thresholds at 0.5 % and 1 %.
    pub(super) thresholds: [f64; 2],
    pub(super) groups: Vec<Group>,
    /// Microseconds for each 1,024 bytes: the judge alone, and all of the policy.
    pub(super) speed: [f64; 2],
}

/// Tables for people.
pub(super) fn print(report: &Report, output: &mut Output) -> anyhow::Result<()> {
    let attacks = report.rows.iter().filter(|row| row.attack).count();
    let [half_percent, one_percent] = report.thresholds;
    let [alone, all] = report.speed;
    let area = report
        .area
        .map_or_else(|| "-".to_owned(), |area| format!("{area:.4}"));
    writeln!(
        output,
        "{}: {} rows, {attacks} of them to be found",
        report.task.judge().name(),
        report.rows.len()
    )?;
    writeln!(
        output,
        "area under the curve {area}; thresholds {half_percent:.3} at 0.5 %, {one_percent:.3} at 1 % false positives"
    )?;
    writeln!(
        output,
        "{alone:.0} \u{b5}s per KB for the judge alone, {all:.0} \u{b5}s for the whole policy\n\
         \"flagged\" and \"stopped\" are what the policy does"
    )?;
    for by in [""].into_iter().chain(GROUPINGS) {
        table(report, by, output)?;
    }
    Ok(())
}

/// The groups of one kind.
fn table(report: &Report, by: &str, output: &mut Output) -> anyhow::Result<()> {
    let heading = [by, "", "rows", "at 0.5 %", "at 1 %", "flagged", "stopped"];
    let mut table = vec![heading.map(str::to_owned).to_vec()];
    for group in report.groups.iter().filter(|group| group.by == by) {
        let label = if group.attack { "found" } else { "wrongly" };
        let rows = group.flagged.of.to_string();
        let shares = [
            group.half_percent,
            group.one_percent,
            group.flagged,
            group.stopped,
        ];
        let cells = [group.name.clone(), label.to_owned(), rows].into_iter();
        table.push(cells.chain(shares.map(|share| share.shown())).collect());
    }
    if table.len() > 1 {
        writeln!(output)?;
        output.table(&table)?;
    }
    Ok(())
}

/// One JSON document.
pub(super) fn print_json(
    report: &Report,
    calibrated: Option<f64>,
    output: &mut Output,
) -> anyhow::Result<()> {
    let [half_percent, one_percent] = report.thresholds;
    let [alone, all] = report.speed;
    output.json(&json!({
        "task": report.task.judge().name(),
        "rows": report.rows.len(),
        "area": report.area,
        "thresholds": {"half_percent": half_percent, "one_percent": one_percent, "calibrated": calibrated},
        "microseconds_per_kilobyte": {"judge": alone, "policy": all},
        "groups": report.groups,
    }))
}

/// The benign rows that scored highest and the others that scored lowest.
pub(super) fn examples(
    report: &Report,
    rows: &[Row],
    number: usize,
    output: &mut Output,
) -> anyhow::Result<()> {
    if number == 0 {
        return Ok(());
    }
    for (attack, title) in [(false, "Taken for it wrongly"), (true, "Not found")] {
        let mut mistaken: Vec<(&Judged, &Row)> = report
            .rows
            .iter()
            .zip(rows)
            .filter(|(row, _)| row.attack == attack)
            .collect();
        mistaken.sort_by(|(one, _), (other, _)| one.score.total_cmp(&other.score));
        if !attack {
            mistaken.reverse();
        }
        writeln!(output, "\n{}", output.styled(Style::Strong, title))?;
        for (judged, row) in mistaken.into_iter().take(number) {
            let text: String = row
                .text
                .chars()
                .take(160)
                .map(|letter| if letter.is_control() { ' ' } else { letter })
                .collect();
            writeln!(
                output,
                "{:.3}  {}  {text}",
                judged.score,
                row.source.as_deref().unwrap_or("-")
            )?;
        }
    }
    Ok(())
}
