//! Metrics in the text format of `OpenMetrics`, as Prometheus reads it.
//!
//! Labels come from closed sets or from the operator's own files (providers, rules), never from a caller: what a caller sends
//! cannot make new time series.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use std::time::Duration;

/// All metrics of a gateway. Cheap to update from any thread.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    exchanges: Family<Exchange, Counter>,
    durations: Family<Api, Histogram>,
    first_bytes: Family<Api, Histogram>,
    inspections: Family<Side, Histogram>,
    findings: Family<Finding, Counter>,
    denied: Family<Reason, Counter>,
    escalations: Family<Level, Counter>,
    bytes: Family<Side, Counter>,
    retries: Family<Provider, Counter>,
    questions: Family<Question, Counter>,
    answers: Family<Model, Histogram>,
    /// Exchanges under way.
    pub exchanges_open: Gauge,
    /// Streams under way.
    pub streams_open: Gauge,
    /// Client connections open.
    pub connections_open: Gauge,
    /// Bytes of bodies in memory.
    pub buffered_bytes: Gauge,
    /// Records that could not be written.
    pub audit_failures: Counter,
    /// Generation of the policies in force.
    pub policy_generation: Gauge,
}

/// How an exchange ended.
#[derive(Clone, Copy, Debug)]
pub struct Ended<'a> {
    /// The API spoken.
    pub api: &'static str,
    /// The provider's name in the configuration; `none` if it got none.
    pub provider: &'a str,
    /// `allowed`, `blocked`, `failed` or `cut`.
    pub outcome: &'static str,
    /// The strictest action of its policy.
    pub action: &'static str,
    /// From the first byte of the request to the last of the response.
    pub duration: Duration,
}

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the client to the provider.
    Request,
    /// From the provider to the client.
    Response,
}

impl Direction {
    const fn labels(self) -> Side {
        Side {
            direction: match self {
                Self::Request => "request",
                Self::Response => "response",
            },
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Level {
    level: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Exchange {
    api: &'static str,
    provider: String,
    outcome: &'static str,
    action: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Api {
    api: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Side {
    direction: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Finding {
    scanner: &'static str,
    rule: String,
    direction: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Question {
    model: String,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Model {
    model: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Provider {
    provider: String,
}

/// 1 ms to 131 s.
fn exchange_buckets() -> Histogram {
    Histogram::new(exponential_buckets(0.001, 2.0, 18))
}

/// 1 µs to 131 ms.
fn inspection_buckets() -> Histogram {
    Histogram::new(exponential_buckets(0.000_001, 2.0, 18))
}

impl Default for Metrics {
    fn default() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("sluicegate"),
            exchanges: Family::default(),
            durations: Family::new_with_constructor(exchange_buckets),
            first_bytes: Family::new_with_constructor(exchange_buckets),
            inspections: Family::new_with_constructor(inspection_buckets),
            findings: Family::default(),
            denied: Family::default(),
            escalations: Family::default(),
            bytes: Family::default(),
            retries: Family::default(),
            questions: Family::default(),
            answers: Family::new_with_constructor(exchange_buckets),
            exchanges_open: Gauge::default(),
            streams_open: Gauge::default(),
            connections_open: Gauge::default(),
            buffered_bytes: Gauge::default(),
            audit_failures: Counter::default(),
            policy_generation: Gauge::default(),
        };
        metrics.register();
        metrics
    }
}

impl Metrics {
    /// Counts an exchange that ended.
    pub fn ended(&self, ended: Ended<'_>) {
        let Ended {
            api,
            provider,
            outcome,
            action,
            duration,
        } = ended;
        let labels = Exchange {
            api,
            provider: provider.to_owned(),
            outcome,
            action,
        };
        self.exchanges.get_or_create(&labels).inc();
        self.durations
            .get_or_create(&Api { api })
            .observe(duration.as_secs_f64());
    }

    /// Counts the time from a request's first byte to its response's first byte, both at the client.
    pub fn first_byte(&self, api: &'static str, after: Duration) {
        self.first_bytes
            .get_or_create(&Api { api })
            .observe(after.as_secs_f64());
    }

    /// Counts time spent on inspecting: a whole body, or all of a stream's chunks together.
    pub fn inspected(&self, direction: Direction, took: Duration) {
        self.inspections
            .get_or_create(&direction.labels())
            .observe(took.as_secs_f64());
    }

    /// Counts findings of a rule.
    pub fn found(&self, scanner: &'static str, rule: &str, direction: Direction, count: u32) {
        let labels = Finding {
            scanner,
            rule: rule.to_owned(),
            direction: direction.labels().direction,
        };
        self.findings.get_or_create(&labels).inc_by(count.into());
    }

    /// Counts a request refused before its body was looked at.
    pub fn denied(&self, reason: &'static str) {
        self.denied.get_or_create(&Reason { reason }).inc();
    }

    /// Counts a session that has come to a threat level.
    pub fn escalated(&self, level: &'static str) {
        self.escalations.get_or_create(&Level { level }).inc();
    }

    /// Counts bytes of bodies as they came from the sender.
    pub fn received(&self, direction: Direction, bytes: u64) {
        self.bytes.get_or_create(&direction.labels()).inc_by(bytes);
    }

    /// Counts a request that was sent to a provider once more.
    pub fn retried(&self, provider: &str) {
        self.retries
            .get_or_create(&Provider {
                provider: provider.to_owned(),
            })
            .inc();
    }

    /// Counts a question to a model: what came of it, and how long that took.
    pub fn asked(&self, model: &str, outcome: &'static str, took: Duration) {
        let model = model.to_owned();
        let labels = Model {
            model: model.clone(),
        };
        self.answers
            .get_or_create(&labels)
            .observe(took.as_secs_f64());
        let labels = Question { model, outcome };
        self.questions.get_or_create(&labels).inc();
    }

    /// All metrics as text, for `/metrics`; its media type is [`Metrics::MEDIA_TYPE`].
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        encode(&mut text, &self.registry).unwrap_or_default();
        text
    }

    /// The media type of [`Metrics::text`].
    pub const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

    fn register(&mut self) {
        let registry = &mut self.registry;
        let build = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The version that runs", build);
        registry.register("exchanges", "Exchanges that ended", self.exchanges.clone());
        registry.register("findings", "Findings by rule", self.findings.clone());
        registry.register(
            "denied",
            "Requests refused before inspection",
            self.denied.clone(),
        );
        registry.register(
            "escalations",
            "Sessions that have come to a threat level",
            self.escalations.clone(),
        );
        registry.register(
            "retries",
            "Requests sent to a provider once more",
            self.retries.clone(),
        );
        registry.register(
            "model_questions",
            "Texts that models were asked about, by what came of it",
            self.questions.clone(),
        );
        let failures = self.audit_failures.clone();
        registry.register(
            "audit_failures",
            "Audit records that could not be written",
            failures,
        );
        for (name, help, gauge) in [
            (
                "exchanges_open",
                "Exchanges under way",
                &self.exchanges_open,
            ),
            ("streams_open", "Streams under way", &self.streams_open),
            (
                "connections_open",
                "Client connections open",
                &self.connections_open,
            ),
            (
                "policy_generation",
                "Generation of the policies in force",
                &self.policy_generation,
            ),
        ] {
            registry.register(name, help, gauge.clone());
        }
        let (received, buffered) = (self.bytes.clone(), self.buffered_bytes.clone());
        registry.register_with_unit("received", "Bodies as they came", Unit::Bytes, received);
        registry.register_with_unit("buffered", "Bodies in memory", Unit::Bytes, buffered);
        self.register_times();
    }

    fn register_times(&mut self) {
        let registry = &mut self.registry;
        for (name, help, histogram) in [
            (
                "exchange",
                "Request's first byte to response's last",
                &self.durations,
            ),
            (
                "first_byte",
                "Request's first byte to response's first",
                &self.first_bytes,
            ),
        ] {
            registry.register_with_unit(name, help, Unit::Seconds, histogram.clone());
        }
        let answers = self.answers.clone();
        registry.register_with_unit(
            "model",
            "Time until a model has answered",
            Unit::Seconds,
            answers,
        );
        let inspections = self.inspections.clone();
        registry.register_with_unit(
            "inspection",
            "Time spent on inspecting a body",
            Unit::Seconds,
            inspections,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_has_names_units_and_labels() {
        let metrics = Metrics::default();
        metrics.ended(Ended {
            api: "chat",
            provider: "echo",
            outcome: "blocked",
            action: "block",
            duration: Duration::from_millis(3),
        });
        metrics.found("secrets", "secrets.openai_key", Direction::Response, 2);
        metrics.denied("unknown_key");
        metrics.received(Direction::Request, 100);
        metrics.streams_open.inc();
        let text = metrics.text();
        for line in [
            concat!(
                "sluicegate_build_info{version=\"",
                env!("CARGO_PKG_VERSION"),
                "\"} 1"
            ),
            "sluicegate_exchanges_total{api=\"chat\",provider=\"echo\",outcome=\"blocked\",action=\"block\"} 1",
            "sluicegate_findings_total{scanner=\"secrets\",rule=\"secrets.openai_key\",direction=\"response\"} 2",
            "sluicegate_denied_total{reason=\"unknown_key\"} 1",
            "sluicegate_received_bytes_total{direction=\"request\"} 100",
            "sluicegate_streams_open 1",
            "sluicegate_audit_failures_total 0",
            "sluicegate_exchange_seconds_bucket{le=\"0.004\",api=\"chat\"} 1",
            "# EOF",
        ] {
            assert!(
                text.lines().any(|found| found == line),
                "{line} not in\n{text}"
            );
        }
    }
}
