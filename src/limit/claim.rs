//! Which limits an exchange meets: rules of the configuration and of its key become claims on cells.

use std::sync::Arc;

use jiff::Timestamp;

use super::window::Window;
use crate::glob;
use crate::rate::Rate;
use crate::rate::quota::{Budget, Cycle, Quota, Unit};

/// Whose use is counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// One key's.
    Key,
    /// All keys' of one team.
    Team,
    /// One end user's of a key.
    User,
    /// Everyone's of one model.
    Model,
    /// Everyone's of one provider.
    Provider,
    /// Everyone's.
    Everyone,
}

impl Scope {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Key,
        Self::Team,
        Self::User,
        Self::Model,
        Self::Provider,
        Self::Everyone,
    ];

    /// The word in files and messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Team => "team",
            Self::User => "user",
            Self::Model => "model",
            Self::Provider => "provider",
            Self::Everyone => "everyone",
        }
    }
}

/// A limit of the configuration. Each name that fits has a quota of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Whose use is counted together.
    pub scope: Scope,
    /// Which of them, `*` standing for any characters. A key fits by its name or its id.
    pub pattern: String,
    /// What each of them may use.
    pub quota: Quota,
}

/// Who asks, as far as the head of a request tells.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'a> {
    /// The key's id.
    pub key: &'a Arc<str>,
    /// The key's name.
    pub name: &'a str,
    /// The key's team.
    pub team: Option<&'a str>,
    /// The key's own quota.
    pub quota: Option<&'a Quota>,
    /// Its team's.
    pub team_quota: Option<&'a Quota>,
}

/// What is asked, as far as the body tells.
#[derive(Clone, Copy, Debug, Default)]
pub struct Target<'a> {
    /// The end user.
    pub user: Option<&'a str>,
    /// The model.
    pub model: Option<&'a str>,
    /// The provider.
    pub provider: Option<&'a str>,
}

/// What is counted in a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Requests(Rate),
    Tokens(Rate),
    Running,
    Streams,
    Spend(Window),
}

/// The name of a cell.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Name {
    pub(super) scope: Scope,
    pub(super) subject: Arc<str>,
    pub(super) kind: Kind,
}

/// How far a cell may be filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cap {
    /// As its rate says.
    Rate,
    /// At a time.
    Most(u32),
    /// Tokens or millionths of a dollar.
    Amount(Unit, u64),
    /// Counted, not limited.
    None,
}

/// A cell that an exchange takes from, and how far it may be filled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) name: Name,
    pub(super) cap: Cap,
    /// Another claim of the same exchange is on the same cell: this one is checked, but takes nothing.
    pub(super) again: bool,
}

/// When claims are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// The head is known: requests and exchanges at a time of key, team and everyone.
    Head,
    /// All is known: the rest.
    Body,
}

/// Limits of the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules(pub Vec<Rule>);

/// The claims of one exchange, put together.
pub(super) struct Plan {
    pub(super) claims: Vec<Claim>,
    stage: Stage,
    stream: bool,
    time: Timestamp,
}

impl Rules {
    /// Adds to `claims` what an exchange claims at a stage.
    pub(super) fn claim(&self, plan: &mut Plan, caller: Caller<'_>, target: Target<'_>) {
        if let Some(quota) = caller.quota {
            plan.quota(Scope::Key, caller.key, quota);
        }
        if let (Some(team), Some(quota)) = (caller.team, caller.team_quota) {
            plan.quota(Scope::Team, &Arc::from(team), quota);
        }
        if plan.stage == Stage::Body {
            let month = Kind::Spend(Window::at(Cycle::Month, plan.time));
            plan.add(Scope::Key, caller.key, month, Cap::None);
        }
        for rule in &self.0 {
            if let Some(subject) = rule.subject(plan.stage, caller, target) {
                plan.quota(rule.scope, &subject, &rule.quota);
            }
        }
    }
}

impl Rules {
    /// Whether tokens have to be counted for a caller.
    pub(super) fn counts_tokens(&self, caller: Caller<'_>) -> bool {
        let quotas = self.0.iter().map(|rule| &rule.quota);
        let own = [caller.quota, caller.team_quota].into_iter().flatten();
        quotas.chain(own).any(counts_tokens)
    }
}

/// Whether a quota is about what an exchange costs.
pub(super) fn counts_tokens(quota: &Quota) -> bool {
    !quota.tokens.is_empty() || !quota.budgets.is_empty()
}

impl Rule {
    /// Whose use the rule counts in an exchange; `None` if the rule does not concern it.
    fn subject(&self, stage: Stage, caller: Caller<'_>, target: Target<'_>) -> Option<Arc<str>> {
        let fits = |name: &str| glob::matches(&self.pattern, name);
        let named = |name: Option<&str>| name.filter(|name| fits(name)).map(clipped);
        match (self.scope, stage) {
            (Scope::Key, _) => {
                (fits(caller.name) || fits(caller.key)).then(|| Arc::clone(caller.key))
            }
            (Scope::Team, _) => caller.team.filter(|team| fits(team)).map(Arc::from),
            (Scope::Everyone, _) => Some(Arc::from("")),
            (Scope::User | Scope::Model | Scope::Provider, Stage::Head) => None,
            (Scope::User, Stage::Body) => {
                let user = target.user.filter(|user| fits(user))?;
                Some(format!("{}/{}", caller.key, clipped(user)).into())
            }
            (Scope::Model, Stage::Body) => named(target.model),
            (Scope::Provider, Stage::Body) => named(target.provider),
        }
    }
}

/// At most 256 bytes of a name that a client chose: what begins alike is counted together.
fn clipped(name: &str) -> Arc<str> {
    let end = (0..=name.len().min(256))
        .rev()
        .find(|end| name.is_char_boundary(*end));
    name.get(..end.unwrap_or(0)).unwrap_or_default().into()
}

impl Plan {
    pub(super) fn new(stage: Stage, stream: bool, time: Timestamp) -> Self {
        Self {
            claims: Vec::with_capacity(8),
            stage,
            stream,
            time,
        }
    }

    fn quota(&mut self, scope: Scope, subject: &Arc<str>, quota: &Quota) {
        let by_head = matches!(scope, Scope::Key | Scope::Team | Scope::Everyone);
        if self.stage == Stage::Head || !by_head {
            for rate in &quota.requests {
                self.add(scope, subject, Kind::Requests(*rate), Cap::Rate);
            }
            if let Some(most) = quota.concurrent {
                self.add(scope, subject, Kind::Running, Cap::Most(most.get()));
            }
        }
        if self.stage == Stage::Head {
            return;
        }
        for rate in &quota.tokens {
            self.add(scope, subject, Kind::Tokens(*rate), Cap::Rate);
        }
        if let Some(most) = quota.streams.filter(|_| self.stream) {
            self.add(scope, subject, Kind::Streams, Cap::Most(most.get()));
        }
        for Budget {
            unit,
            amount,
            cycle,
        } in &quota.budgets
        {
            let kind = Kind::Spend(Window::at(*cycle, self.time));
            self.add(scope, subject, kind, Cap::Amount(*unit, *amount));
        }
    }

    fn add(&mut self, scope: Scope, subject: &Arc<str>, kind: Kind, cap: Cap) {
        let name = Name {
            scope,
            subject: Arc::clone(subject),
            kind,
        };
        let again = self.claims.iter().any(|claim| claim.name == name);
        if !(again && matches!(cap, Cap::Rate | Cap::None)) {
            self.claims.push(Claim { name, cap, again });
        }
    }
}
