//! `GET /sluicegate/usage`: what a key has used, and what is left to it.

use std::sync::Arc;

use http::header::HeaderMap;
use http::{Response, StatusCode};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::charge::caller;
use super::exchange::Exchange;
use super::outgoing::{self, Outgoing};
use super::respond::Problem;
use crate::audit;
use crate::auth::Principal;
use crate::guard::Cleared;
use crate::limit::{Limit, Spend, Used};
use crate::rate::quota::{Unit, dollars};

impl Exchange {
    /// Tells a key what it has used this month, and how its limits and its team's stand. Asking takes nothing from them.
    pub(super) async fn tell_usage(
        &mut self,
        principal: &Principal,
    ) -> Result<Response<Outgoing>, Problem> {
        let limiter = &self.gateway.limiter;
        let (now, time) = (Instant::now().into_std(), Timestamp::now());
        let reported = limiter.report(caller(principal), now, time).await;
        let (month, used) = reported.map_err(Problem::Limited)?;
        let (all, key) = (Arc::clone(limiter), Arc::clone(&principal.key.id));
        let all = tokio::task::spawn_blocking(move || all.spent_by_all(&key, time)).await;
        let all = all.map_err(|_| Problem::Internal)?;
        let all = all.map_err(|error| Problem::Unchecked(format!("{error}: {}", error.source)))?;
        let month = all.unwrap_or(month);
        let told = json!({
            "key": &*principal.key.id,
            "month": spent(month),
            "limits": used.iter().map(line).collect::<Vec<_>>(),
        });
        let closed = self.account.close(audit::Outcome::Allowed, 200, None);
        closed.map_err(|_| Problem::Unrecorded)?;
        let body = Cleared::said(&told);
        Ok(outgoing::json(StatusCode::OK, body, HeaderMap::new()))
    }
}

fn spent(spend: Spend) -> Value {
    json!({
        "requests": spend.requests,
        "input_tokens": spend.input,
        "output_tokens": spend.output,
        "cost_usd": dollars(spend.money),
    })
}

fn line(used: &Used) -> Value {
    let (of, written, most) = match used.limit {
        Limit::Requests(rate) => ("requests", rate.to_string(), rate.count.get().into()),
        Limit::Tokens(rate) => ("tokens", rate.to_string(), rate.count.get().into()),
        Limit::Concurrent(most) => ("concurrent", most.to_string(), most.into()),
        Limit::Streams(most) => ("streams", most.to_string(), most.into()),
        Limit::Budget(budget) => (budget.unit.name(), budget.to_string(), budget.amount),
        Limit::Unpriced | Limit::Turn | Limit::Away => return Value::Null,
    };
    let is_money = matches!(used.limit, Limit::Budget(budget) if budget.unit == Unit::Money);
    let number = |number: u64| {
        if is_money {
            Value::from(dollars(number))
        } else {
            Value::from(number)
        }
    };
    let left = most.saturating_sub(used.used).saturating_sub(used.reserved);
    json!({
        "scope": used.scope.name(),
        "of": of,
        "limit": written,
        "used": number(used.used),
        "reserved": number(used.reserved),
        "left": number(left),
        "whole_at": used.whole.map(|time| time.to_string()),
    })
}
