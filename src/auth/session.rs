//! The running threat level of sessions: what their requests held lately, fading.
//!
//! A session here is an end user of a key where one is named, else a session's token. A caller that names neither has no level: many people
//! may stand behind one key. Levels are in memory, of the sessions seen last; several gateways count them in one place, so that nobody
//! comes by a lower one by being sent to another gateway.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use quick_cache::sync::Cache;

use super::Principal;
use crate::policy::{Escalation, Verdict};
use crate::scan::finding::ThreatLevel;
use crate::shared::{Away, Fail, Script, Shared, Veil};

/// Sessions that are remembered: about 10 MB when full.
const CAPACITY: usize = 65_536;

/// The same as [`Sessions::raise_here`], for all gateways. KEYS: the session. ARGV: the half-life in microseconds, threats, points,
/// points if there are more threats than in the request before. Answers with the points before and after, in thousandths.
const RAISE: Script = Script {
    name: "session_raise",
    text: "local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local half, threats, added = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local known = redis.call('HMGET', KEYS[1], 'points', 'at', 'threats')
if not known[1] and threats == 0 then return {0, 0} end
local left = tonumber(known[1] or '0') * 0.5 ^ (math.max(0, now - tonumber(known[2] or now)) / half)
if threats > tonumber(known[3] or '0') then added = tonumber(ARGV[4]) end
redis.call('HSET', KEYS[1], 'points', string.format('%.17g', left + added), 'at', string.format('%.0f', now), 'threats', ARGV[2])
-- By then a million points have faded.
redis.call('PEXPIRE', KEYS[1], math.ceil(half / 1000 * 20))
return {math.floor(left * 1000), math.floor((left + added) * 1000)}",
};

/// The threat levels of sessions.
#[derive(Debug)]
pub struct Sessions {
    here: Cache<Name, Arc<Mutex<State>>>,
    together: Option<Together>,
}

/// Where gateways count levels together.
#[derive(Debug)]
struct Together {
    place: Arc<dyn Shared>,
    /// What to do while the place is away.
    fail: Fail,
    veil: Veil,
}

/// Whose level it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Name {
    /// Of a key's id.
    User(Arc<str>, Arc<str>),
    /// By the session's id.
    Session(Arc<str>),
}

#[derive(Debug)]
struct State {
    points: f64,
    /// When `points` was true.
    at: Instant,
    /// Threats in the last request.
    threats: u32,
}

impl Default for Sessions {
    fn default() -> Self {
        Self {
            here: Cache::new(CAPACITY),
            together: None,
        }
    }
}

impl Name {
    /// The key of its level. Under the hash tag of limits: a Redis Cluster keeps all that gateways share on one node.
    fn key(&self, veil: &Veil) -> String {
        match self {
            Self::User(key, user) => format!("{{limit}}:level:user:{key}:{}", veil.name(user)),
            Self::Session(id) => format!("{{limit}}:level:session:{id}"),
        }
    }
}

impl Sessions {
    /// Levels that several gateways count in one place.
    pub fn together(place: Arc<dyn Shared>, fail: Fail, veil: Veil) -> Self {
        let together = Together { place, fail, veil };
        Self {
            together: Some(together),
            ..Self::default()
        }
    }

    /// Counts what was found in a request of `principal`, for the end user that it or the request names: the session's level before
    /// and after; `None` if it has none. One round trip where gateways count together.
    ///
    /// # Errors
    /// If the place is away, and nobody is to be admitted then.
    pub async fn raise(
        &self,
        (principal, user): (&Principal, Option<&str>),
        rules: &Escalation,
        verdict: &Verdict,
        now: Instant,
    ) -> Result<Option<(ThreatLevel, ThreatLevel)>, Away> {
        let user = principal.user.clone().or_else(|| user.map(Into::into));
        let name = match (user, &principal.session) {
            (Some(user), _) => Name::User(Arc::clone(&principal.key.id), user),
            (None, Some(session)) => Name::Session(Arc::clone(session)),
            (None, None) => return Ok(None),
        };
        // Counted here as well: if the place goes away, this gateway goes on from what it has seen itself.
        let here = self.raise_here(&name, rules, verdict, now);
        let Some(together) = &self.together else {
            return Ok(here);
        };
        match (together.raise(&name, rules, verdict).await, together.fail) {
            (Ok(levels), _) => Ok(Some(levels)),
            (Err(_), Fail::Local) => Ok(here),
            (Err(_), Fail::Open) => Ok(None),
            (Err(away), Fail::Closed) => Err(away),
        }
    }

    fn raise_here(
        &self,
        name: &Name,
        rules: &Escalation,
        verdict: &Verdict,
        now: Instant,
    ) -> Option<(ThreatLevel, ThreatLevel)> {
        let threats = Escalation::threats(verdict);
        let known = self.here.get(name);
        if known.is_none() && threats == 0 {
            return Some((ThreatLevel::None, ThreatLevel::None));
        }
        let fresh = || {
            Arc::new(Mutex::new(State {
                points: 0.0,
                at: now,
                threats: 0,
            }))
        };
        let state = match known {
            Some(state) => state,
            // Two first requests at once share what comes of them.
            None => self
                .here
                .get_or_insert_with(name, || Ok::<_, ()>(fresh()))
                .ok()?,
        };
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        let passed = now.saturating_duration_since(state.at).as_secs_f64();
        let left = state.points * 0.5f64.powf(passed / rules.half_life.as_secs_f64());
        let added = Escalation::points(verdict, threats > state.threats);
        *state = State {
            points: left + f64::from(added),
            at: state.at.max(now),
            threats,
        };
        Some((level(left), level(state.points)))
    }
}

impl Together {
    async fn raise(
        &self,
        name: &Name,
        rules: &Escalation,
        verdict: &Verdict,
    ) -> Result<(ThreatLevel, ThreatLevel), Away> {
        let key = name.key(&self.veil);
        let [old, new] = [false, true].map(|new| Escalation::points(verdict, new).to_string());
        let half_life = rules.half_life.as_micros().to_string();
        let threats = Escalation::threats(verdict).to_string();
        let arguments = [&*half_life, &*threats, &*old, &*new];
        let keys = [key.as_str()];
        let answer = self.place.run(RAISE, &keys, &arguments);
        match answer.await?.as_slice() {
            &[before, after] => Ok((level(thousandths(before)), level(thousandths(after)))),
            _ => Err(Away::Refused("an answer that is none".to_owned())),
        }
    }
}

/// A number that came in thousandths.
#[expect(
    clippy::cast_precision_loss,
    reason = "points are bounded by the number of requests"
)]
fn thousandths(number: i64) -> f64 {
    number as f64 / 1_000.0
}

/// The level of a sum of points.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "points are positive and bounded by the number of requests"
)]
fn level(points: f64) -> ThreatLevel {
    // A point that has just begun to fade is still one.
    ThreatLevel::from_score((points + 0.5) as u32)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::civil::date;

    use super::*;
    use crate::policy::{Action, Cause, Matched, Source, compile};
    use crate::text::Encodings;

    fn rules() -> Escalation {
        let source = Source {
            name: "p".to_owned(),
            file: "p.yaml".to_owned(),
            text: "sessions: {half_life: 10m, high: log, critical: {action: block, message: Later.}}\n"
                .to_owned(),
        };
        let (policy, _) = compile(&source, |_| None, date(2026, 1, 31)).unwrap();
        policy.sessions.unwrap()
    }

    fn verdict(rule: &'static str, count: u32, would: Action) -> Verdict {
        let cause = (would == Action::Block).then(|| Cause {
            rule: rule.into(),
            message: None,
        });
        let rules = vec![Matched {
            id: rule.into(),
            count,
            probability: None,
            encodings: Encodings::default(),
        }];
        Verdict {
            would,
            rules,
            cause,
            ..Verdict::default()
        }
    }

    /// The levels that a session comes to, by the minutes at which verdicts are told.
    fn levels(told: &[(u64, Verdict)]) -> Vec<ThreatLevel> {
        let (sessions, rules) = (Sessions::default(), rules());
        let start = start();
        let name = || Name::Session("ses_1".into());
        let raise = |(minute, verdict): &(u64, Verdict)| {
            let now = start + Duration::from_mins(*minute);
            sessions
                .raise_here(&name(), &rules, verdict, now)
                .unwrap()
                .1
        };
        told.iter().map(raise).collect()
    }

    #[expect(clippy::disallowed_methods, reason = "an instant cannot be made up")]
    fn start() -> Instant {
        Instant::now()
    }

    #[test]
    fn refused_requests_raise_the_level_and_time_lowers_it() {
        use ThreatLevel::{Critical, High, Low, Medium, None};
        let attack = || verdict("injection.override", 1, Action::Block);
        let clean = Verdict::default;
        let told = [
            (0, clean()),
            (0, attack()),
            (1, attack()),
            (2, attack()),
            (3, clean()),
            (12, clean()),
            (22, clean()),
            (32, clean()),
            (62, clean()),
        ];
        assert_eq!(
            levels(&told),
            [
                None, Medium, High, Critical, Critical, Medium, Low, Low, None
            ]
        );
    }

    #[test]
    fn what_is_sent_again_with_a_history_counts_once_and_slips_do_not_count() {
        use ThreatLevel::{Low, Medium, None};
        let suspicion = |count| verdict("classifier.suspicion", count, Action::Log);
        let told = [1, 1, 1, 2, 2].map(|count| (0, suspicion(count)));
        assert_eq!(levels(&told), [Low, Low, Low, Low, Low]);
        let told = [1, 2, 3, 4].map(|count| (0, suspicion(count)));
        assert_eq!(levels(&told), [Low, Low, Low, Medium]);
        let secret = || verdict("secrets.openai_key", 1, Action::Block);
        assert_eq!(levels(&[(0, secret()), (0, secret())]), [None, None]);
    }

    #[test]
    fn sessions_are_apart_and_memory_is_bounded() {
        let (sessions, rules, now) = (Sessions::default(), rules(), start());
        let attack = verdict("injection.override", 1, Action::Block);
        for number in 0..CAPACITY * 2 {
            let user = Name::User("key_1".into(), number.to_string().into());
            let raised = sessions.raise_here(&user, &rules, &attack, now).unwrap();
            assert_eq!(raised, (ThreatLevel::None, ThreatLevel::Medium));
        }
        assert!(sessions.here.len() <= CAPACITY);
    }

    #[test]
    fn a_level_does_what_the_policy_says() {
        let rules = rules();
        let action = |level| rules.step(level).map(|step| step.action);
        assert_eq!(action(ThreatLevel::None), None);
        assert_eq!(action(ThreatLevel::Medium), Some(Action::Allow));
        assert_eq!(action(ThreatLevel::High), Some(Action::Log));
        assert_eq!(action(ThreatLevel::Critical), Some(Action::Block));
    }
}
