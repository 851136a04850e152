//! Calls of tools in an answer, against the policy's rules.
//!
//! In a stream a call is undecided until its name is known, and where a rule is about what the tool is given, until that is complete. The
//! event that begins it waits, and with it all that comes later: nothing of a call that is refused leaves.

use serde_json::Value as Json;

use crate::policy::{Action, Policy, Stage, Tally};
use crate::scan::finding::{Finding, RuleIndex};
use crate::text::{Form, Origin};
use crate::wire::json::{Document, Limits};
use crate::wire::{Api, Call, Event, Field, Lane, free_text};

use super::{Duty, Failure, Stop};

/// The most calls of one answer that are told apart.
const MAX_CALLS: usize = 1024;
/// More arguments than this are not read, and count as unreadable.
const MAX_ARGUMENT_BYTES: usize = 16 << 20;
/// So often arguments are read that are JSON in a string in JSON.
const MAX_WRITTEN: usize = 4;

/// What calls are judged by.
#[derive(Debug)]
pub(super) struct Bench<'a> {
    pub(super) policy: &'a Policy,
    pub(super) tally: &'a mut Tally,
}

/// The calls of one answer so far.
#[derive(Debug, Default)]
pub(super) struct Calls {
    running: Vec<Running>,
    /// What was found in calls of which tools: an answer repeats its calls.
    found: Vec<(RuleIndex, String)>,
    /// How many have begun.
    begun: u64,
}

/// A call that comes in deltas.
#[derive(Debug)]
struct Running {
    number: u64,
    /// Choice and index of its lanes.
    lane: (u32, u32),
    /// The tool, one that is repeated with each delta taken once.
    name: String,
    /// The same as clients join it.
    joined: String,
    /// What it is given, as it begins.
    given: Option<String>,
    arguments: String,
    form: Form,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// More of the name may come.
    Names,
    /// The arguments matter and are not all here.
    Waits,
    Decided,
}

/// What is found where a client offers a tool of this name, if anything.
pub(super) fn offer(name: &str, bench: &mut Bench<'_>) -> Option<(RuleIndex, Action)> {
    let rule = bench.policy.tools.offer(name)?;
    Some((rule, bench.add(Stage::Offer, rule, name)))
}

impl Bench<'_> {
    fn add(&mut self, stage: Stage, rule: RuleIndex, name: &str) -> Action {
        let finding = Finding::of(rule);
        let (side, origin) = match stage {
            Stage::Offer => (&self.policy.request, Origin::System),
            Stage::Call => (&self.policy.response, Origin::Assistant),
        };
        self.tally.add(side, &finding, name, origin)
    }
}

impl Calls {
    /// Judges a call that is whole. What was found, if anything that was not before.
    pub(super) fn whole(
        &mut self,
        call: &Call,
        bench: &mut Bench<'_>,
    ) -> Option<(RuleIndex, Action)> {
        let arguments = match &call.arguments {
            _ if call.in_parts => Err(()),
            Some(arguments) => parse(arguments),
            None => Ok(Json::Null),
        };
        self.judge(&call.name, arguments.as_ref(), bench)
    }

    /// Judges what an event says of calls outside running texts.
    pub(super) fn event(
        &mut self,
        (api, data): (Api, &[u8]),
        event: &Event,
        bench: &mut Bench<'_>,
    ) -> Result<(), Stop> {
        // All that streamed completions say of calls is running text.
        if matches!(api, Api::Chat | Api::Completions) {
            return Ok(());
        }
        for call in event.calls(data) {
            let Some(lane) = event.call else {
                stop(self.whole(&call, bench))?;
                continue;
            };
            // It may be all that the tool is given, or the start.
            let running = self.begin(lane, Form::Json)?;
            running.name.clone_from(&call.name);
            running.joined = call.name;
            running.given = call.arguments.filter(|given| !is_nothing(given));
            self.named(lane, bench)?;
        }
        Ok(())
    }

    /// Takes the next piece of a name or of arguments.
    pub(super) fn delta(
        &mut self,
        lane: Lane,
        (text, form): (&str, Form),
        bench: &mut Bench<'_>,
    ) -> Result<(), Stop> {
        let key = (lane.choice, lane.index);
        match lane.field {
            Field::ToolName => {
                let running = self.begin(key, form)?;
                if running.state != State::Names {
                    // Some servers repeat the name with each part of the arguments.
                    return if running.name == text || text.is_empty() {
                        Ok(())
                    } else {
                        Err(Failure::LateText.into())
                    };
                }
                running.joined.push_str(text);
                if running.name != text {
                    running.name.push_str(text);
                }
                Ok(())
            }
            Field::ToolArguments => {
                let running = self.begin(key, form)?;
                if running.state == State::Names && running.name.is_empty() {
                    // Once the name is known, they would have left.
                    return Err(Failure::UnnamedCall.into());
                }
                self.named(key, bench)?;
                let running = self.begin(key, form)?;
                running.form = form;
                if running.state == State::Waits && running.arguments.len() <= MAX_ARGUMENT_BYTES {
                    running.arguments.push_str(text);
                }
                Ok(())
            }
            Field::Content
            | Field::Reasoning
            | Field::Refusal
            | Field::Transcript
            | Field::Other => Ok(()),
        }
    }

    /// Decides about the calls that are complete now.
    pub(super) fn close(
        &mut self,
        ends: impl Fn(Lane) -> bool,
        bench: &mut Bench<'_>,
    ) -> Result<(), Stop> {
        let lanes: Vec<(u32, u32)> = self
            .running
            .iter()
            .filter(|running| {
                let (choice, index) = running.lane;
                running.state != State::Decided
                    && ends(Lane {
                        choice,
                        index,
                        field: Field::ToolArguments,
                        path: 0,
                    })
            })
            .map(|running| running.lane)
            .collect();
        for lane in lanes {
            self.named(lane, bench)?;
            self.complete(lane, bench)?;
        }
        Ok(())
    }

    /// The newest call that is not decided.
    pub(super) fn waits(&self) -> Option<u64> {
        let undecided = |running: &&Running| running.state != State::Decided;
        let last = self.running.iter().rev().find(undecided)?;
        Some(last.number)
    }

    /// Whether that one and all before it are decided.
    pub(super) fn are_decided(&self, number: u64) -> bool {
        self.running
            .iter()
            .all(|running| running.number > number || running.state == State::Decided)
    }

    /// Forgets calls that are decided: a conversation has any number.
    pub(super) fn forget(&mut self) {
        self.running
            .retain(|running| running.state != State::Decided);
        if self.found.len() >= MAX_CALLS {
            self.found.clear();
        }
    }

    /// The call of a lane, which begins here if it is new.
    fn begin(&mut self, lane: (u32, u32), form: Form) -> Result<&mut Running, Stop> {
        let known = self.running.iter().rposition(|own| own.lane == lane);
        let index = known.unwrap_or(self.running.len());
        if known.is_none() {
            if self.running.len() >= MAX_CALLS {
                return Err(Failure::TooManyLanes { max: MAX_CALLS }.into());
            }
            self.running.push(Running {
                number: self.begun,
                lane,
                name: String::new(),
                joined: String::new(),
                given: None,
                arguments: String::new(),
                form,
                state: State::Names,
            });
            self.begun += 1;
        }
        self.running.get_mut(index).ok_or(Stop::Block)
    }

    /// Decides about a call whose name is complete now, if its arguments do not matter.
    fn named(&mut self, lane: (u32, u32), bench: &mut Bench<'_>) -> Result<(), Stop> {
        let tools = &bench.policy.tools;
        let running = self.begin(lane, Form::Json)?;
        if running.state != State::Names {
            return Ok(());
        }
        let reads =
            tools.reads_arguments_of(&running.name) || tools.reads_arguments_of(&running.joined);
        running.state = State::Waits;
        if reads {
            return Ok(());
        }
        self.complete(lane, bench)
    }

    /// Decides about a call of which all is known that matters.
    fn complete(&mut self, lane: (u32, u32), bench: &mut Bench<'_>) -> Result<(), Stop> {
        let running = self.begin(lane, Form::Json)?;
        if running.state == State::Decided {
            return Ok(());
        }
        running.state = State::Decided;
        let arguments = std::mem::take(&mut running.arguments);
        let mut names = vec![std::mem::take(&mut running.joined)];
        if running.name != *names.concat() {
            names.push(running.name.clone());
        }
        let mut given: Vec<Result<Json, ()>> = Vec::new();
        given.extend(running.given.take().map(|text| parse(&text)));
        if !arguments.is_empty() || given.is_empty() {
            given.push(match running.form {
                _ if arguments.len() > MAX_ARGUMENT_BYTES => Err(()),
                Form::Json => parse(&arguments),
                Form::Plain => parse(&free_text(&arguments)),
            });
        }
        for name in &names {
            for arguments in &given {
                stop(self.judge(name, arguments.as_ref(), bench))?;
            }
        }
        Ok(())
    }

    fn judge(
        &mut self,
        name: &str,
        arguments: Result<&Json, &()>,
        bench: &mut Bench<'_>,
    ) -> Option<(RuleIndex, Action)> {
        let rule = bench.policy.tools.call(name, arguments)?;
        let known = |(own, tool): &(RuleIndex, String)| *own == rule && tool == name;
        if self.found.iter().any(known) {
            return None;
        }
        self.found.push((rule, name.to_owned()));
        Some((rule, bench.add(Stage::Call, rule, name)))
    }
}

fn stop(found: Option<(RuleIndex, Action)>) -> Result<(), Stop> {
    match found.map(|(_, action)| Duty::of(action)) {
        Some(Duty::Replace | Duty::Stop) => Err(Stop::Block),
        Some(Duty::Pass | Duty::Edit) | None => Ok(()),
    }
}

/// Arguments as a value. Text that two parsers could read differently cannot be read; nothing at all is an empty object. Some models write
/// the JSON as a string once more, which some clients undo.
fn parse(arguments: &str) -> Result<Json, ()> {
    if arguments.trim().is_empty() {
        return Ok(Json::Object(serde_json::Map::new()));
    }
    let mut value = Json::String(arguments.to_owned());
    for _ in 0..MAX_WRITTEN {
        let Json::String(text) = value else {
            return Ok(value);
        };
        Document::parse(text.as_bytes(), &Limits::NONE).map_err(|_| ())?;
        value = serde_json::from_str(&text).map_err(|_| ())?;
    }
    if value.is_string() {
        return Err(());
    }
    Ok(value)
}

/// Whether a call says nothing yet of what it is given.
fn is_nothing(given: &str) -> bool {
    matches!(given, "" | "{}" | "null") || given == free_text("")
}
