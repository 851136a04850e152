//! Tables in Markdown, and the middle of several rounds.

use std::fmt;

/// A table as it stands in docs/BENCHMARKS.md.
pub(crate) struct Table {
    pub(crate) columns: Vec<String>,
    pub(crate) rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(columns: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            columns: columns.into_iter().map(Into::into).collect(),
            rows: Vec::new(),
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| {} |", self.columns.join(" | "))?;
        writeln!(f, "|{}", "---|".repeat(self.columns.len()))?;
        for row in &self.rows {
            writeln!(f, "| {} |", row.join(" | "))?;
        }
        Ok(())
    }
}

/// The value below which a share of all values lies; 0 where there are none.
pub(crate) fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an index: between 0 and the length"
    )]
    let place = (share * (sorted.len().saturating_sub(1)) as f64).round() as usize;
    sorted.get(place).copied().unwrap_or_default()
}

/// Median, least and greatest, as `1.23 (1.20–1.31)`.
pub(crate) fn spread(values: &[f64]) -> String {
    let digits = if quantile(values, 0.5) < 10.0 { 2 } else { 1 };
    let [middle, least, greatest] = [0.5, 0.0, 1.0].map(|share| quantile(values, share));
    format!("{middle:.digits$} ({least:.digits$}–{greatest:.digits$})")
}
