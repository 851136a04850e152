//! What scores are worth: areas, thresholds, shares and how sure they are.

use std::collections::BTreeMap;

use serde::Serialize;

/// One row of a data set, judged.
#[derive(Clone, Debug)]
pub(super) struct Judged {
    /// The row is of the kind that is to be found.
    pub(super) attack: bool,
    /// The judge's probability.
    pub(super) score: f64,
    /// A rule of the task matched.
    pub(super) flagged: bool,
    /// The policy interferes for a rule of the task.
    pub(super) stopped: bool,
    /// Source, kind and language, where the row says them.
    pub(super) groups: [Option<String>; 3],
}

/// What a row is grouped by.
pub(super) const GROUPINGS: [&str; 3] = ["source", "kind", "lang"];

/// A share of rows, with the interval that holds it at 95 % (Wilson 1927).
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Share {
    pub(super) hits: usize,
    pub(super) of: usize,
    #[serde(rename = "share")]
    pub(super) part: f64,
    pub(super) low: f64,
    pub(super) high: f64,
}

impl Share {
    /// So many of so many.
    pub(super) fn new(hits: usize, of: usize) -> Self {
        let (low, high) = wilson(hits, of);
        let part = if of == 0 {
            0.0
        } else {
            number(hits) / number(of)
        };
        Self {
            hits,
            of,
            part,
            low,
            high,
        }
    }

    fn count<'r>(rows: impl Iterator<Item = &'r Judged>, hit: impl Fn(&Judged) -> bool) -> Self {
        let (mut hits, mut of) = (0, 0);
        for row in rows {
            of += 1;
            hits += usize::from(hit(row));
        }
        Self::new(hits, of)
    }

    /// `0.935 [0.921, 0.947]`, or a dash where there is nothing.
    pub(super) fn shown(&self) -> String {
        if self.of == 0 {
            return "-".to_owned();
        }
        format!("{:.3} [{:.3}, {:.3}]", self.part, self.low, self.high)
    }
}

/// What is found of one group of rows.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Group {
    /// `source`, `kind`, `lang`; empty for all rows.
    pub(super) by: &'static str,
    pub(super) name: String,
    /// Whether these are the rows that are to be found.
    pub(super) attack: bool,
    /// At the thresholds of 0.5 % and 1 % false positives.
    pub(super) half_percent: Share,
    pub(super) one_percent: Share,
    /// By the policy.
    pub(super) flagged: Share,
    pub(super) stopped: Share,
}

/// A point of the curve: the share of benign and of other rows at or above a threshold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    pub(super) false_positives: f64,
    pub(super) recall: f64,
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a data set has far fewer rows than 2^52"
)]
const fn number(count: usize) -> f64 {
    count as f64
}

/// The Wilson score interval at 95 %.
fn wilson(hits: usize, of: usize) -> (f64, f64) {
    if of == 0 {
        return (0.0, 1.0);
    }
    let (z, n) = (1.959_964, number(of));
    let share = number(hits) / n;
    let middle = share + z * z / (2.0 * n);
    let spread = z * (share * (1.0 - share) / n + z * z / (4.0 * n * n)).sqrt();
    let width = 1.0 + z * z / n;
    (
        ((middle - spread) / width).max(0.0),
        ((middle + spread) / width).min(1.0),
    )
}

/// The lowest threshold that at most this share of the scores reaches.
pub(super) fn threshold(mut scores: Vec<f64>, share: f64) -> f64 {
    scores.sort_by(|one, other| other.total_cmp(one));
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a length is within it"
    )]
    let allowed = (number(scores.len()) * share.clamp(0.0, 1.0)).floor() as usize;
    // Just above the first score that must not reach it.
    scores.get(allowed).map_or(0.0, |score| score + 1e-9)
}

/// The share of pairs of which the attack scores higher, ties counted half: the area under the curve. `None` without pairs.
pub(super) fn area(rows: &[Judged]) -> Option<f64> {
    let mut order: Vec<&Judged> = rows.iter().collect();
    order.sort_by(|one, other| one.score.total_cmp(&other.score));
    let attacks = rows.iter().filter(|row| row.attack).count();
    let pairs = number(attacks) * number(rows.len() - attacks);
    let (mut below, mut won) = (0.0, 0.0);
    for ties in order.chunk_by(|one, other| one.score.total_cmp(&other.score).is_eq()) {
        let attacks = number(ties.iter().filter(|row| row.attack).count());
        let benign = number(ties.len()) - attacks;
        won += attacks * (below + benign / 2.0);
        below += benign;
    }
    (pairs > 0.0).then(|| won / pairs)
}

/// The curve from the strictest threshold to the most lenient.
pub(super) fn curve(rows: &[Judged]) -> Vec<Point> {
    let mut order: Vec<&Judged> = rows.iter().collect();
    order.sort_by(|one, other| other.score.total_cmp(&one.score));
    let attacks = rows.iter().filter(|row| row.attack).count();
    let benign = rows.len() - attacks;
    let (mut found, mut wrong) = (0, 0);
    let mut points = Vec::new();
    for ties in order.chunk_by(|one, other| one.score.total_cmp(&other.score).is_eq()) {
        found += ties.iter().filter(|row| row.attack).count();
        wrong += ties.iter().filter(|row| !row.attack).count();
        points.push(Point {
            false_positives: number(wrong) / number(benign.max(1)),
            recall: number(found) / number(attacks.max(1)),
        });
    }
    points
}

/// All rows, then each source, kind and language; attacks before what is benign.
pub(super) fn groups(rows: &[Judged], [half_percent, one_percent]: [f64; 2]) -> Vec<Group> {
    let mut groups: BTreeMap<(usize, String, bool), Vec<&Judged>> = BTreeMap::new();
    for row in rows {
        let all = (0, "all".to_owned(), !row.attack);
        groups.entry(all).or_default().push(row);
        for (at, name) in row.groups.iter().enumerate() {
            if let Some(name) = name {
                let key = (at + 1, name.clone(), !row.attack);
                groups.entry(key).or_default().push(row);
            }
        }
    }
    let group = |((by, name, benign), rows): ((usize, String, bool), Vec<&Judged>)| {
        let count = |hit: &dyn Fn(&Judged) -> bool| Share::count(rows.iter().copied(), hit);
        Group {
            by: by
                .checked_sub(1)
                .and_then(|at| GROUPINGS.get(at))
                .copied()
                .unwrap_or_default(),
            name,
            attack: !benign,
            half_percent: count(&|row| row.score >= half_percent),
            one_percent: count(&|row| row.score >= one_percent),
            flagged: count(&|row| row.flagged),
            stopped: count(&|row| row.stopped),
        }
    };
    groups.into_iter().map(group).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(attack: bool, score: f64) -> Judged {
        Judged {
            attack,
            score,
            flagged: score > 0.5,
            stopped: score > 0.8,
            groups: [Some("s".to_owned()), None, None],
        }
    }

    #[test]
    fn intervals_are_wilsons() {
        // Newcombe 1998, table I: 81 of 263 and 1 of 29.
        for (hits, of, low, high) in [
            (81, 263, 0.2553, 0.3662),
            (1, 29, 0.0061, 0.1718),
            (0, 20, 0.0, 0.1611),
        ] {
            let share = Share::new(hits, of);
            assert!(
                (share.low - low).abs() < 1e-4 && (share.high - high).abs() < 1e-4,
                "{share:?}"
            );
        }
        assert_eq!(Share::new(0, 0).shown(), "-");
    }

    #[test]
    fn areas_thresholds_and_curves_agree() {
        let rows = [
            row(true, 0.9),
            row(true, 0.4),
            row(false, 0.4),
            row(false, 0.1),
        ];
        assert_eq!(area(&rows), Some(0.875));
        assert_eq!(area(&rows[..2]), None);
        let last = curve(&rows).pop().unwrap();
        assert_eq!((last.false_positives, last.recall), (1.0, 1.0));
        let scores: Vec<f64> = (0..1000).map(|score| f64::from(score) / 1000.0).collect();
        let at = threshold(scores.clone(), 0.01);
        assert_eq!(scores.iter().filter(|score| **score >= at).count(), 10);
        assert!(threshold(vec![0.5; 10], 0.01) > 0.5);
        let groups = groups(&rows, [0.5, 0.3]);
        let shown: Vec<_> = groups
            .iter()
            .map(|group| {
                (
                    group.by,
                    group.attack,
                    group.one_percent.hits,
                    group.stopped.hits,
                )
            })
            .collect();
        assert_eq!(
            shown,
            [
                ("", true, 2, 1),
                ("", false, 1, 0),
                ("source", true, 2, 1),
                ("source", false, 1, 0)
            ]
        );
    }
}
