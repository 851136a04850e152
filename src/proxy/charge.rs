//! What an exchange is charged: admitted by its head, reserved before it is sent, settled however it ends.

use http::header::{HeaderMap, HeaderName, HeaderValue};
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

use super::call::Call;
use super::exchange::Exchange;
use super::respond::Problem;
use crate::auth::Principal;
use crate::guard::body::Inspection;
use crate::limit::{Admission, Caller, Estimate, Level, Refused, Standing, Target};
use crate::wire::{Family, Usage};
use crate::{audit, guard};

/// Tokens that an image or another part that is no text is taken for until the provider has counted it.
const MEDIA_TOKENS: u64 = 1_000;

/// The longest that who waits for a limit goes without another look at it.
const LOOK: Duration = Duration::from_secs(1);

/// What is known of an exchange's cost so far.
#[derive(Debug, Default)]
pub(super) struct Charge {
    /// What was taken from the limits; `None` before the key is known, and once settled.
    admission: Option<Admission>,
    /// Whether a provider has got the request.
    sent: bool,
    /// Whether it declined, which costs nothing.
    declined: bool,
    /// Tokens of the request and of the answer so far, as the gateway counts them.
    counted: Usage,
    /// The same as the provider tells.
    told: Option<Usage>,
    /// Tokens reserved for the answer.
    reserved: u64,
    /// The answer is written to its end whoever waits for it.
    background: bool,
}

impl Charge {
    /// A provider gets the request, or has not got it after all.
    pub(super) const fn sends(&mut self, sent: bool) {
        self.sent = sent;
    }

    /// The provider answers, with a success or without.
    pub(super) const fn answers(&mut self, success: bool) {
        self.declined = !success;
    }

    /// Tokens of the answer, as the provider tells and as the gateway counts them, if it does.
    pub(super) fn wrote(&mut self, told: Option<Usage>, counted: Option<u64>) {
        self.told = told.filter(is_plausible);
        if told != self.told {
            tracing::warn!(
                ?told,
                "no exchange takes so many tokens; what the gateway counted or reserved is charged"
            );
        }
        self.counted.output = counted.unwrap_or_default();
    }

    /// Settles, and gives the tokens that were used, with their cost.
    pub(super) fn settle(&mut self, record: &audit::Exchange) -> Option<audit::Usage> {
        let admission = self.admission.take()?;
        let used = self.used(record);
        let (now, time) = (Instant::now().into_std(), Timestamp::now());
        let (cost, written) = admission.settle((self.sent, used), now, time);
        if let Err(error) = written {
            tracing::error!(%error, "what an exchange cost is not in the journal");
        }
        (used != Usage::default()).then_some(audit::Usage {
            input: used.input,
            output: used.output,
            cost_micro_usd: cost,
        })
    }

    fn used(&self, record: &audit::Exchange) -> Usage {
        let Some(told) = self.told else {
            if !self.sent || self.declined {
                return Usage::default();
            }
            // A whole answer without text and without a word of its cost is written later, too.
            let later = !record.stream && record.status.is_some() && self.counted.output == 0;
            let output = if later || self.background {
                self.reserved.max(self.counted.output)
            } else {
                self.counted.output
            };
            return Usage {
                output,
                ..self.counted
            };
        };
        // What a provider has told by the middle of a stream may be behind, or not all.
        Usage {
            input: if told.input == 0 {
                self.counted.input
            } else {
                told.input
            },
            output: told.output.max(self.counted.output),
            ..told
        }
    }
}

/// A caller as limits know it.
pub(super) fn caller(principal: &Principal) -> Caller<'_> {
    Caller {
        key: &principal.key.id,
        name: &principal.key.name,
        team: principal.key.team.as_deref(),
        quota: principal.key.limit.as_ref(),
        team_quota: principal.team.as_ref().and_then(|team| team.limit.as_ref()),
    }
}

impl Exchange {
    /// Takes a request from the limits that the head decides.
    pub(super) async fn admit_by_head(&mut self, principal: &Principal) -> Result<(), Problem> {
        let (now, time) = (Instant::now().into_std(), Timestamp::now());
        let limiter = &self.gateway.limiter;
        let (admission, taken) = limiter.admit(caller(principal), now, time);
        self.proceed(admission, taken).await
    }

    /// Keeps what was taken; waits for what was refused, where that is allowed.
    async fn proceed(
        &mut self,
        mut admission: Admission,
        taken: Result<(), Box<Refused>>,
    ) -> Result<(), Problem> {
        let taken = match taken {
            Err(refused) => self.wait(&mut admission, refused).await,
            Ok(()) => Ok(()),
        };
        if let Err(refused) = taken {
            admission.cancel(Instant::now().into_std(), Timestamp::now());
            self.standing = refused.standing;
            return Err(Problem::Limited(refused));
        }
        self.standing = admission.standing;
        self.account.charge.admission = Some(admission);
        Ok(())
    }

    /// Waits in the queue of those who were refused. A client that leaves takes its place with it.
    async fn wait(
        &self,
        admission: &mut Admission,
        mut refused: Box<Refused>,
    ) -> Result<(), Box<Refused>> {
        let Some(patience) = admission.queue(&refused) else {
            return Err(refused);
        };
        let deadline = Instant::now() + patience;
        while Instant::now() < deadline {
            let wait = refused
                .wait
                .unwrap_or(LOOK)
                .clamp(Duration::from_millis(1), LOOK);
            tokio::select! {
                () = admission.served() => {}
                () = sleep_until(deadline.min(Instant::now() + wait)) => {}
            }
            let retried = admission.retry(Instant::now().into_std(), Timestamp::now());
            match retried.await {
                Ok(()) => return Ok(()),
                Err(again) => refused = again,
            }
        }
        Err(refused)
    }

    /// The model to count tokens for, if somebody has to know how many there are.
    pub(super) fn counts_for(&self, principal: &Principal, model: Option<&str>) -> Option<String> {
        let counts = self.gateway.limiter.counts_tokens(caller(principal));
        counts.then(|| model.unwrap_or_default().to_owned())
    }

    /// Takes what the exchange may cost from all limits that it meets, while its session's level is asked for: one round trip
    /// where gateways count together. Gives the refusal, if that level is refused.
    pub(super) async fn reserve(
        &mut self,
        call: &Call,
        principal: &Principal,
        (inspection, provider): (&Inspection, &str),
    ) -> Result<Option<guard::Refused>, Problem> {
        let facts = &inspection.facts;
        let charge = &mut self.account.charge;
        let media = u64::from(inspection.media).saturating_mul(MEDIA_TOKENS);
        let written = inspection.tokens.unwrap_or_default();
        charge.counted.input = written.saturating_add(media).saturating_add(facts.tokens);
        charge.background = facts.background;
        if call.generates {
            let most = facts
                .max_output_tokens
                .unwrap_or(self.gateway.output_tokens);
            let answers = facts.choices.max(facts.drafts);
            charge.reserved = most.saturating_mul(answers.into());
        }
        let estimate = Estimate {
            input: charge.counted.input,
            output: charge.reserved,
            stream: call.framing.is_some(),
        };
        let target = Target {
            user: principal.user.as_deref().or(facts.user.as_deref()),
            model: call.model.as_deref(),
            provider: Some(provider),
        };
        let Some(mut admission) = charge.admission.take() else {
            return Err(Problem::Internal);
        };
        let (now, time) = (Instant::now().into_std(), Timestamp::now());
        let asked = (caller(principal), target);
        let (taken, raised) = tokio::join!(
            admission.reserve(asked, estimate, now, time),
            self.raise(call, principal, inspection)
        );
        if let Ok(None) = raised {
            return self.proceed(admission, taken).await.map(|()| None);
        }
        // Nothing is sent, so no more than a request is settled.
        self.account.charge.admission = Some(admission);
        raised
    }
}

/// Tells a client how its limits stand, in the headers of the API that it speaks; Gemini's has none.
pub(super) fn tell(headers: &mut HeaderMap, family: Family, standing: Standing) {
    for (level, name) in [(standing.requests, "requests"), (standing.tokens, "tokens")] {
        let Some(Level {
            limit,
            remaining,
            reset,
        }) = level
        else {
            continue;
        };
        let told = match family {
            Family::OpenAi => [
                (format!("x-ratelimit-limit-{name}"), limit.to_string()),
                (
                    format!("x-ratelimit-remaining-{name}"),
                    remaining.to_string(),
                ),
                (format!("x-ratelimit-reset-{name}"), spelled(reset)),
            ],
            Family::Anthropic => {
                let prefix = format!("anthropic-ratelimit-{name}");
                [
                    (format!("{prefix}-limit"), limit.to_string()),
                    (format!("{prefix}-remaining"), remaining.to_string()),
                    (format!("{prefix}-reset"), moment(Timestamp::now(), reset)),
                ]
            }
            Family::Gemini => return,
        };
        for (name, value) in told {
            if let (Ok(name), Ok(value)) =
                (HeaderName::try_from(name), HeaderValue::try_from(value))
            {
                headers.insert(name, value);
            }
        }
    }
}

/// A span of time as OpenAI's headers have it: `6m0s`, `1h0m3s`, `17ms`; rounded up.
fn spelled(time: Duration) -> String {
    let millis = time.as_nanos().div_ceil(1_000_000);
    if millis < 1_000 {
        return format!("{millis}ms");
    }
    let seconds = millis.div_ceil(1_000);
    match (seconds / 3_600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds}s"),
        (0, minutes, seconds) => format!("{minutes}m{seconds}s"),
        (hours, minutes, seconds) => format!("{hours}h{minutes}m{seconds}s"),
    }
}

/// The whole second at or after a span of time from now (RFC 3339), as Anthropic's headers have it.
fn moment(now: Timestamp, later: Duration) -> String {
    let later = SignedDuration::try_from(later).unwrap_or(SignedDuration::MAX);
    let moment = now.saturating_add(later).unwrap_or(Timestamp::MAX);
    let seconds = moment.as_second() + i64::from(moment.subsec_nanosecond() > 0);
    Timestamp::from_second(seconds)
        .unwrap_or(moment)
        .to_string()
}

/// More tokens than any model reads or writes at once, many times over.
const MOST_TOKENS: u64 = 1 << 26;

/// Whether an exchange can have taken what a provider tells: one wrong number is not to use up everybody's budgets.
fn is_plausible(told: &Usage) -> bool {
    told.input <= MOST_TOKENS && told.output <= MOST_TOKENS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_spelled_as_the_providers_do() {
        for (time, expected) in [
            (Duration::ZERO, "0ms"),
            (Duration::from_nanos(16_000_001), "17ms"),
            (Duration::from_millis(1_001), "2s"),
            (Duration::from_mins(6), "6m0s"),
            (Duration::from_secs(3_603), "1h0m3s"),
        ] {
            assert_eq!(spelled(time), expected);
        }
        let now: Timestamp = "2026-11-22T23:59:59.5Z".parse().unwrap();
        assert_eq!(
            moment(now, Duration::from_millis(600)),
            "2026-11-23T00:00:01Z"
        );
    }
}
