//! Models for commands beside a gateway: loaded, looked for by policies, and asked.

use std::io::{self, Write as _};
use std::sync::Arc;

use anyhow::Context;
use jiff::Zoned;
use tokio::runtime::Runtime;

use super::Problems;
use crate::config::{self, Config, Environment, Flags, Policies};
use crate::diagnostic::Diagnostic;
use crate::guard::Cleared;
use crate::guard::body::Inspection;
use crate::guard::stream::{Flow, StreamGuard};
use crate::judge::Judges;
use crate::policy::{Answers, Policy};

/// The policy that settings name, and the models to judge by it. Warnings go to standard error.
pub(super) fn policy(flags: &Flags) -> anyhow::Result<(Arc<Policy>, Models)> {
    let config = config::read(flags, &Environment::of_process()).map_err(Problems)?;
    let config = config.config;
    let (folder, named) = (config.policies.as_deref(), &config.policy);
    let today = Zoned::now().date();
    let mut policies = config::policy(folder, named, "policy", today).map_err(Problems)?;
    let models = Models::load(&config)?;
    models.bind(&mut policies).map_err(Problems)?;
    for warning in &policies.warnings {
        writeln!(io::stderr(), "{warning}")?;
    }
    let policy = policies.find(named, "policy").map_err(Problems)?;
    Ok((policy, models))
}

/// The models of a configuration.
pub(super) struct Models {
    judges: Judges,
    runtime: Runtime,
}

impl Models {
    /// Loads them.
    pub(super) fn load(config: &Config) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        Ok(Self {
            judges: config::judges(config),
            runtime: runtime.context("cannot wait for models")?,
        })
    }

    /// Looks for the models that the policies want; what they go on without is warned of on the way.
    pub(super) fn bind(&self, policies: &mut Policies) -> Result<(), Vec<Diagnostic>> {
        policies.bind(&self.judges)
    }

    /// Inspects, asks models where they have to be asked, and inspects again.
    pub(super) fn inspect(&self, work: impl Fn(Option<&Answers>) -> Inspection) -> Inspection {
        let inspection = work(None);
        if inspection.questions.is_empty() {
            return inspection;
        }
        let asked = self.judges.ask(&inspection.questions);
        let (answers, _) = self.runtime.block_on(asked);
        work(Some(&answers))
    }

    /// Asks what a streamed answer wants to know before it goes on.
    pub(super) fn hear(&self, guard: &mut StreamGuard, out: &mut Vec<Cleared>) -> Flow {
        while let Some(questions) = guard.questions() {
            let (answers, _) = self.runtime.block_on(self.judges.ask(&questions));
            if guard.hear(&answers, out) == Flow::End {
                return Flow::End;
            }
        }
        Flow::Continue
    }
}
