//! The account of one exchange: opened with its first byte, closed by exactly one audit record, however it ends.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use jiff::Timestamp;
use tokio::time::Instant;

use super::Gateway;
use super::charge::Charge;
use super::respond::{Party, Problem};
use crate::audit;
use crate::audit::{Exchange, Outcome, PolicyRef, Record, Side};
use crate::guard::stream::{Ending, Summary};
use crate::policy::Verdict;
use crate::scan::Scanner;
use crate::telemetry::{Direction, Ended, Metrics};
use crate::wire::Api;

/// What is known of an exchange so far.
pub(super) struct Account {
    gateway: Arc<Gateway>,
    began: Instant,
    api: Option<Api>,
    /// What it costs.
    pub(super) charge: Charge,
    /// `None` once closed, or handed on.
    record: Option<Box<Exchange>>,
}

impl Account {
    /// Opens the account of a request that came just now.
    pub(super) fn open(gateway: &Arc<Gateway>, id: String) -> Self {
        gateway.load.exchanges.fetch_add(1, Ordering::Relaxed);
        gateway.metrics.exchanges_open.inc();
        Self {
            gateway: Arc::clone(gateway),
            began: Instant::now(),
            api: None,
            charge: Charge::default(),
            record: Some(Box::new(Exchange {
                time: Timestamp::now(),
                id,
                outcome: Outcome::Cut,
                reason: None,
                status: None,
                key: None,
                api: None,
                provider: None,
                model: None,
                stream: false,
                policy: PolicyRef::default(),
                request: untouched(),
                response: untouched(),
                session_level: None,
                usage: None,
                duration_us: 0,
            })),
        }
    }

    /// Hands the account on to what carries the exchange to its end.
    pub(super) fn hand_on(&mut self) -> Self {
        Self {
            gateway: Arc::clone(&self.gateway),
            began: self.began,
            api: self.api,
            charge: std::mem::take(&mut self.charge),
            record: self.record.take(),
        }
    }

    /// Counts the time until the client gets the first byte of its answer.
    pub(super) fn first_byte(&self) {
        if let Some(api) = self.api {
            self.gateway
                .metrics
                .first_byte(api.name(), self.began.elapsed());
        }
    }

    /// The gateway's counters.
    pub(super) fn metrics(&self) -> &Metrics {
        &self.gateway.metrics
    }

    /// The exchange's id; empty once closed.
    pub(super) fn id(&self) -> &str {
        self.record.as_ref().map_or("", |record| &record.id)
    }

    /// Notes the API spoken.
    pub(super) fn speaks(&mut self, api: Api) {
        self.api = Some(api);
        self.note(|record| record.api = Some(api.name().to_owned()));
    }

    /// Notes something; nothing once closed.
    pub(super) fn note(&mut self, note: impl FnOnce(&mut Exchange)) {
        if let Some(record) = &mut self.record {
            note(record);
        }
    }

    /// Notes what a policy made of one side.
    pub(super) fn judged(side: &mut Side, verdict: &Verdict, media: u32) {
        side.action = verdict.action.name();
        side.would = (verdict.would != verdict.action).then(|| verdict.would.name());
        side.level = verdict.level.name();
        side.rules = verdict
            .rules
            .iter()
            .map(|rule| (rule.id.to_string(), rule.count))
            .collect();
        side.encodings.clear();
        side.probabilities.clear();
        for rule in &verdict.rules {
            let names: Vec<_> = rule.encodings.names().collect();
            if !names.is_empty() {
                side.encodings.insert(rule.id.to_string(), names);
            }
            if let Some(probability) = rule.probability {
                side.probabilities
                    .insert(rule.id.to_string(), probability.value());
            }
        }
        side.media_unscanned = media;
    }

    /// Closes the account; later calls do nothing.
    ///
    /// # Errors
    ///
    /// If the record cannot be written: then the client must not have the answer.
    pub(super) fn close(
        &mut self,
        outcome: Outcome,
        status: u16,
        reason: Option<String>,
    ) -> Result<(), audit::Error> {
        self.note(|record| {
            record.outcome = outcome;
            record.status = Some(status);
            record.reason = reason;
        });
        self.append()
    }

    /// Closes the account of an exchange that ended by a problem. The problem is what the client is told anyhow, so a record
    /// that cannot be written is logged only.
    pub(super) fn fail(&mut self, problem: &Problem) {
        let told = problem.told();
        let outcome = match problem.party() {
            Party::Downstream => Outcome::Blocked,
            Party::Upstream | Party::Internal => Outcome::Failed,
        };
        // Which key was wrong in which way is for the operator only.
        let reason = if let Problem::Denied(denied) = problem {
            denied.name()
        } else {
            told.code
        };
        if problem.party() == Party::Downstream {
            self.gateway.metrics.denied(reason);
        }
        if let Some(record) = &self.record {
            let detail = problem.detail();
            let detail = detail.as_deref().unwrap_or_default();
            match problem.party() {
                Party::Downstream => tracing::debug!(id = record.id, code = told.code, "refused"),
                Party::Upstream => {
                    tracing::warn!(id = record.id, code = told.code, detail, "{}", told.message);
                }
                Party::Internal => {
                    tracing::error!(id = record.id, code = told.code, detail, "{}", told.message);
                }
            }
        }
        if let Err(error) = self.close(outcome, told.status, Some(reason.to_owned())) {
            tracing::error!(%error, "no audit record");
        }
    }

    /// Closes the account of a conversation; `cut` says how it ended where neither side's text was the reason.
    ///
    /// # Errors
    ///
    /// As [`Self::close`].
    pub(super) fn close_conversation(
        &mut self,
        cut: Option<(Outcome, &'static str)>,
        summary: &Summary,
    ) -> Result<(), audit::Error> {
        let Some((outcome, reason)) = cut else {
            return self.close_stream(summary);
        };
        if let Ending::Fail(failure) = &summary.ending {
            let id = self.id();
            tracing::warn!(id, "the provider's stream cannot be inspected: {failure}");
        }
        self.charge.wrote(summary.usage, summary.tokens);
        self.note(|record| {
            record.outcome = outcome;
            record.reason = (!reason.is_empty()).then(|| reason.to_owned());
            Self::judged(&mut record.response, &summary.verdict, summary.media);
            record.response.unjudged = summary.failure().map(ToString::to_string);
        });
        self.append()
    }

    /// Closes the account of a stream.
    ///
    /// # Errors
    ///
    /// As [`Self::close`].
    pub(super) fn close_stream(&mut self, summary: &Summary) -> Result<(), audit::Error> {
        let (outcome, reason) = match &summary.ending {
            Ending::Complete => (Outcome::Allowed, None),
            Ending::Refuse(refused) => (Outcome::Blocked, Some(refused.rule.clone())),
            Ending::Fail(_) => (Outcome::Failed, Some("uninspectable".to_owned())),
            Ending::Break => (Outcome::Cut, Some("upstream_broke_off".to_owned())),
            Ending::Open => (Outcome::Cut, Some("client_left".to_owned())),
        };
        self.charge.wrote(summary.usage, summary.tokens);
        self.note(|record| {
            record.outcome = outcome;
            record.reason = record.reason.take().or(reason);
            Self::judged(&mut record.response, &summary.verdict, summary.media);
            record.response.unjudged = summary.failure().map(ToString::to_string);
        });
        self.append()
    }

    fn append(&mut self) -> Result<(), audit::Error> {
        let Some(mut record) = self.record.take() else {
            return Ok(());
        };
        record.duration_us = u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX);
        record.usage = self.charge.settle(&record);
        self.gateway.load.exchanges.fetch_sub(1, Ordering::Relaxed);
        self.count(&record);
        let appended = self.gateway.audit.append(&Record::Exchange(record));
        if appended.is_err() {
            self.gateway.metrics.audit_failures.inc();
        }
        appended.map(drop)
    }

    fn count(&self, record: &Exchange) {
        let metrics = &self.gateway.metrics;
        metrics.exchanges_open.dec();
        metrics.ended(Ended {
            api: self.api.map_or("none", Api::name),
            provider: record.provider.as_deref().unwrap_or("none"),
            outcome: record.outcome.name(),
            action: if record.response.action == "allow" {
                record.request.action
            } else {
                record.response.action
            },
            duration: self.began.elapsed(),
        });
        for (direction, side) in [
            (Direction::Request, &record.request),
            (Direction::Response, &record.response),
        ] {
            metrics.received(direction, side.bytes);
            for (rule, count) in &side.rules {
                metrics.found(scanner(rule), rule, direction, *count);
            }
        }
    }
}

/// The id of another request.
pub(super) fn new_id() -> String {
    format!("req_{}", uuid::Uuid::now_v7().simple())
}

/// The scanner whose rule it is; operators' own rules are topics.
fn scanner(rule: &str) -> &'static str {
    let prefix = rule.split('.').next().unwrap_or_default();
    Scanner::ALL
        .map(Scanner::name)
        .into_iter()
        .find(|scanner| *scanner == prefix)
        .unwrap_or("topic")
}

/// Whoever carried the exchange was dropped: the client has left.
impl Drop for Account {
    fn drop(&mut self) {
        self.note(|record| {
            record.outcome = Outcome::Cut;
            record.reason = Some("client_left".to_owned());
        });
        if let Err(error) = self.append() {
            tracing::error!(%error, "no audit record");
        }
    }
}

/// A side that nothing was found in or done to.
fn untouched() -> Side {
    let mut side = Side::default();
    Account::judged(&mut side, &Verdict::default(), 0);
    side
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Matched;
    use crate::scan::classifier::Probability;
    use crate::text::{Encoding, Encodings};

    #[test]
    fn a_record_says_how_something_was_written_and_how_sure_a_judge_is() {
        let matched = |id, encodings, probability| Matched {
            id,
            count: 2,
            probability,
            encodings,
        };
        let both = Encodings::of(Encoding::None).with(Encodings::of(Encoding::Base64));
        let sure = Some(Probability::new(0.97));
        let verdict = Verdict {
            rules: vec![
                matched("secrets.openai_key".into(), both, None),
                matched("classifier.injection".into(), Encodings::default(), sure),
            ],
            ..Verdict::default()
        };
        let mut side = Side::default();
        Account::judged(&mut side, &verdict, 0);
        let record = serde_json::to_value(&side).unwrap();
        assert_eq!(
            record["encodings"],
            serde_json::json!({"secrets.openai_key": ["base64"]})
        );
        assert_eq!(
            record["probabilities"],
            serde_json::json!({"classifier.injection": 0.97})
        );
        Account::judged(&mut side, &Verdict::default(), 0);
        let record = serde_json::to_value(&side).unwrap();
        assert!(record.get("encodings").is_none() && record.get("probabilities").is_none());
    }

    #[test]
    fn each_scanner_is_counted_by_its_name() {
        let names = [
            "url.private",
            "tool.denied",
            "topic.mine",
            "media.unscanned",
        ]
        .map(scanner);
        assert_eq!(names, ["url", "tool", "topic", "topic"]);
    }
}
