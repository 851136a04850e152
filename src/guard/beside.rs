//! Texts that travel beside a body: a request's path and query, the values of an answer's headers.

use crate::guard::seam::scan;
use crate::policy::{Direction, Policy, Tally, Verdict};
use crate::text::{Form, Origin};

use super::{Duty, passes_unjudged};

/// What patterns find in a text of a request or an answer, and whether the policy lets it pass as it is. Judges and models read bodies only.
pub fn inspect(policy: &Policy, direction: Direction, text: &str) -> (bool, Verdict) {
    let (side, mut findings) = (policy.side(direction), Vec::new());
    let origin = match direction {
        Direction::Request => Origin::User,
        Direction::Response => Origin::Assistant,
    };
    let scanned = scan(&side.engine, Form::Plain, text, &mut findings);
    let mut tally = Tally::new();
    let mut passes = scanned.map_or_else(
        |overflow| passes_unjudged(policy, &overflow.into()),
        |()| true,
    );
    for finding in &findings {
        let matched = text.get(finding.span.range()).unwrap_or_default();
        let action = tally.add(side, finding, matched, origin);
        passes &= side.restores(finding.rule) || Duty::of(action) == Duty::Pass;
    }
    (passes, tally.verdict().clone())
}
