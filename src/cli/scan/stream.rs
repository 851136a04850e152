//! A recorded stream, replayed through the stream guard event by event, so that each finding can be placed.

use std::collections::HashMap;
use std::sync::Arc;

use crate::guard::stream::{End, Ending, Exchange, Flow, StreamGuard};
use crate::policy::{Policy, Verdict};
use crate::wire::json::Limits;
use crate::wire::sse::Splitter;
use crate::wire::{Api, Framing};

use super::{Found, Report, position};
use crate::cli::judge::Models;

/// Scans a whole recording.
pub(super) fn scan(
    (api, framing): (Api, Framing),
    (policy, models): (&Arc<Policy>, &Models),
    input: &[u8],
) -> Report {
    let limits = Limits::default();
    let mut guard = StreamGuard::new(
        api,
        framing,
        Arc::clone(policy),
        &limits,
        Exchange::default(),
    );
    let mut replay = Replay {
        input,
        known: HashMap::new(),
        findings: Vec::new(),
    };
    let mut out = Vec::new();
    let mut offset = 0;
    let mut flow = Flow::Continue;
    for (index, length) in events(framing, &limits, input).into_iter().enumerate() {
        let bytes = input.get(offset..offset + length).unwrap_or_default();
        flow = guard.push(bytes, &mut out);
        if flow == Flow::Continue {
            flow = models.hear(&mut guard, &mut out);
        }
        replay.note(&guard.summary().verdict, index + 1, offset);
        offset += length;
        if flow == Flow::End {
            break;
        }
    }
    if flow == Flow::Continue {
        guard.finish(End::Complete, &mut out);
        let _end = models.hear(&mut guard, &mut out);
    }
    let summary = guard.summary();
    replay.note(&summary.verdict, 0, input.len());
    let failure = match summary.ending {
        Ending::Fail(failure) => Some(failure.to_string()),
        Ending::Break => Some("the recording ends before the answer does".to_owned()),
        Ending::Open | Ending::Complete | Ending::Refuse(_) => None,
    };
    Report {
        verdict: summary.verdict,
        findings: replay.findings,
        media: summary.media,
        failure,
    }
}

/// The lengths of the events; what cannot be split is one piece, which the guard then refuses.
fn events(framing: Framing, limits: &Limits, input: &[u8]) -> Vec<usize> {
    let mut splitter = Splitter::with_limit(framing, limits.event_bytes);
    splitter.push(input);
    let mut lengths = Vec::new();
    while let Ok(Some(event)) = splitter.next() {
        lengths.push(event.bytes().len());
    }
    let rest = input.len() - lengths.iter().sum::<usize>();
    if rest > 0 {
        lengths.push(rest);
    }
    lengths
}

struct Replay<'i> {
    input: &'i [u8],
    /// Matches so far by rule.
    known: HashMap<String, u32>,
    findings: Vec<Found>,
}

impl Replay<'_> {
    /// Adds what the verdict has more than before: it was found in this event, where its match ended.
    fn note(&mut self, verdict: &Verdict, event: usize, offset: usize) {
        for rule in &verdict.rules {
            let known = self.known.entry(rule.id.to_string()).or_insert(0);
            for _ in *known..rule.count {
                self.findings.push(Found {
                    rule: rule.id.to_string(),
                    action: None,
                    // What is known of the rule so far, this match included.
                    encoding: rule.encodings.names().last(),
                    probability: rule.probability,
                    within: Some(if event == 0 {
                        "the end of the stream".to_owned()
                    } else {
                        format!("event {event}")
                    }),
                    line: position(self.input, offset).0,
                    column: None,
                });
            }
            *known = rule.count;
        }
    }
}
