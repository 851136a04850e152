//! Histories that are sent again are judged alike, from memory.

use super::*;
use sluicegate::guard::Context;
use sluicegate::guard::body::{Inspection, inspect_request};
use sluicegate::guard::verdicts::Verdicts;

fn history(turns: usize) -> Bytes {
    let messages: Vec<serde_json::Value> = (0..turns)
        .map(|turn| {
            let role = if turn % 2 == 0 { "user" } else { "assistant" };
            let secret = if turn % 7 == 0 {
                "zk-1234567"
            } else {
                "nothing"
            };
            let text = format!(
                "Turn {turn}: {} {secret} at the end",
                "words and more ".repeat(30)
            );
            serde_json::json!({"role": role, "content": text})
        })
        .collect();
    Bytes::from(serde_json::json!({"model": "m", "messages": messages}).to_string())
}

fn outcome(inspection: &Inspection) -> (Bytes, Action, Vec<(String, Action)>) {
    let Outcome::Clear(cleared) = &inspection.outcome else {
        panic!("{:?}", inspection.outcome)
    };
    let places = inspection.places.iter();
    (
        bytes_of(cleared),
        inspection.verdict.action,
        places
            .map(|place| (place.rule.clone(), place.action))
            .collect(),
    )
}

#[test]
fn a_history_sent_again_is_judged_alike() {
    let verdicts = Verdicts::default();
    let context = Context {
        verdicts: Some(&verdicts),
        ..Context::default()
    };
    let redacts = tested();
    let logs = policy("topics: [{id: token, pattern: '\\bzk-[a-z0-9]{6,}', action: log}]\n");
    let limits = Limits::default();
    for turns in [3, 8, 9, 20, 20] {
        for policy in [&*redacts, &*logs] {
            let alone = inspect_request(
                Context::default(),
                Api::Chat,
                history(turns),
                policy,
                &limits,
            );
            let again = inspect_request(context, Api::Chat, history(turns), policy, &limits);
            assert_eq!(outcome(&again), outcome(&alone), "{turns}");
        }
    }
}
