//! Where inspections run: short ones where they are asked for, long ones where they delay nobody.

use std::sync::Arc;

use tokio::time::Instant;

use super::Gateway;
use super::respond::Problem;
use crate::guard::body::Inspection;
use crate::policy::{Answers, Question};
use crate::telemetry::Direction;

/// Bodies longer than this are inspected on a thread of their own: 5 MB on a shared one delay its streams by 100 ms.
const HEAVY_BYTES: usize = 64 * 1024;

/// Runs an inspection here if it is short, as its `effort` in bytes says, else on a thread where it delays nobody.
pub(super) async fn inspect<F, T>(
    gateway: &Gateway,
    direction: Direction,
    effort: usize,
    work: F,
) -> Result<T, Problem>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let timed = |work: F| {
        let began = Instant::now();
        (work(), began.elapsed())
    };
    let (inspection, took) = if effort <= HEAVY_BYTES {
        timed(work)
    } else {
        let heavy = Arc::clone(&gateway.load.heavy);
        let place = heavy.acquire_owned().await.map_err(|_| Problem::Internal)?;
        let work = move || {
            let result = timed(work);
            drop(place);
            result
        };
        tokio::task::spawn_blocking(work)
            .await
            .map_err(|_| Problem::Internal)?
    };
    gateway.metrics.inspected(direction, took);
    Ok(inspection)
}

/// Inspects a body; where models have to be asked, they are, and the body is inspected again with their answers.
pub(super) async fn inspect_asking<F>(
    gateway: &Gateway,
    direction: Direction,
    effort: usize,
    work: F,
) -> Result<Inspection, Problem>
where
    F: Fn(Option<&Answers>) -> Result<Inspection, Problem> + Send + Sync + 'static,
{
    let work = Arc::new(work);
    let first = Arc::clone(&work);
    let inspection = inspect(gateway, direction, effort, move || first(None)).await??;
    if inspection.questions.is_empty() {
        return Ok(inspection);
    }
    let answers = ask(gateway, &inspection.questions).await;
    inspect(gateway, direction, effort, move || work(Some(&answers))).await?
}

/// Asks models, and counts what came of it.
pub(super) async fn ask(gateway: &Gateway, questions: &[Question]) -> Answers {
    let (answers, told) = gateway.judges.ask(questions).await;
    for told in told {
        gateway.metrics.asked(&told.model, told.outcome, told.took);
    }
    answers
}
