//! Whole requests and responses: every text in them is scanned, then the body leaves as it came, edited, or not at all.

use std::sync::Arc;

use bytes::Bytes;

use crate::guard::apart;
use crate::guard::ask::Asking;
use crate::guard::carrier::{self, Coding, Splice};
use crate::guard::count::Counter;
use crate::guard::fence;
use crate::guard::place::Place;
use crate::guard::plant;
use crate::guard::restore::Originals;
use crate::guard::seam::Seams;
use crate::guard::size::Meter;
use crate::guard::tools::{self, Bench, Calls};
use crate::policy::{Direction, Policy, Question, Stage, Tally, Verdict};
use crate::scan::engine::Overflow;
use crate::scan::finding::Finding;
use crate::text::{Encoding, Form, Origin, Span};
use crate::wire::json::{Document, Limits, unescape};
use crate::wire::{Api, Body, Facts, Part, Piece, read_request, read_response};

use super::{
    Cleared, Context, Duty, Failure, Refused, Stop, check_shape, contain, passes_unjudged,
};

/// The most findings that are listed with their places. The verdict counts all.
pub(super) const MAX_PLACES: usize = 1_000;

/// What came of a body.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// What may be written.
    pub outcome: Outcome,
    /// What the policy made of it.
    pub verdict: Verdict,
    /// What the body says about itself.
    pub facts: Facts,
    /// Images, audio and files in it, which nothing scans.
    pub media: u32,
    /// Tokens of its text, if they were to be counted and it does not say them itself.
    pub tokens: Option<u64>,
    /// Where the findings are, in order of place; at most a thousand.
    pub places: Vec<Place>,
    /// Why it was not judged in full, where the policy lets it pass all the same.
    pub unjudged: Option<Failure>,
    /// What models have to be asked; then the outcome is [`Failure::Unasked`].
    pub questions: Vec<Question>,
    /// What the placeholders that went into a request stand for.
    pub originals: Arc<Originals>,
}

impl Inspection {
    /// Why it was not judged in full, whether or not it passes.
    pub fn failure(&self) -> Option<&Failure> {
        match &self.outcome {
            Outcome::Fail(failure) => Some(failure),
            Outcome::Clear(_) | Outcome::Refuse(_) => self.unjudged.as_ref(),
        }
    }
}

/// What may be written.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// The body, edited where the policy says so.
    Clear(Cleared),
    /// Nothing of it: the policy refuses.
    Refuse(Refused),
    /// Nothing of it: it could not be judged. [`Failure::Malformed`] in a request is the client's fault.
    Fail(Failure),
}

/// Inspects a request's body. A body that is not strict JSON is refused whatever the policy says: what cannot be read in one
/// way only must not be passed on.
#[expect(
    clippy::needless_pass_by_value,
    reason = "who hands a body in keeps no way around the guard"
)]
pub fn inspect_request(
    context: Context<'_>,
    api: Api,
    body: Bytes,
    policy: &Policy,
    limits: &Limits,
) -> Inspection {
    let mut inspector = Inspector::new(policy, Direction::Request, &body, context);
    let result = contain(|| {
        let parsed = read_request(api, &body, limits)?;
        inspector.body(parsed)
    });
    match result {
        Err(Stop::Fail(failure @ Failure::Malformed(_))) => inspector.end(Outcome::Fail(failure)),
        result => inspector.conclude(result, &body),
    }
}

/// Inspects a response's body, of whatever status.
#[expect(
    clippy::needless_pass_by_value,
    reason = "who hands a body in keeps no way around the guard"
)]
pub fn inspect_response(
    context: Context<'_>,
    api: Api,
    body: Bytes,
    policy: &Policy,
    limits: &Limits,
) -> Inspection {
    let mut inspector = Inspector::new(policy, Direction::Response, &body, context);
    let result = contain(|| {
        let parsed = read_response(api, &body, limits)?;
        inspector.body(parsed)
    });
    inspector.conclude(result, &body)
}

/// Inspects plain text: what a user says (a request) or a model (a response), or what stands where JSON was expected, such as
/// the error page of a proxy on the way.
#[expect(
    clippy::needless_pass_by_value,
    reason = "who hands a body in keeps no way around the guard"
)]
pub fn inspect_text(
    context: Context<'_>,
    direction: Direction,
    text: Bytes,
    policy: &Policy,
) -> Inspection {
    let mut inspector = Inspector::new(policy, direction, &text, context);
    let result = contain(|| inspector.plain());
    inspector.conclude(result, &text)
}

/// The inspection of one body while it is under way.
pub(super) struct Inspector<'a> {
    pub(super) policy: &'a Policy,
    pub(super) direction: Direction,
    pub(super) bytes: &'a [u8],
    pub(super) context: Context<'a>,
    /// Of a request, and of those before it in the same conversation.
    pub(super) originals: Arc<Originals>,
    pub(super) tally: Tally,
    /// What lies across texts of the body.
    pub(super) seams: Seams,
    pub(super) findings: Vec<Finding>,
    pub(super) splices: Vec<Splice>,
    pub(super) blocked: bool,
    pub(super) facts: Facts,
    pub(super) media: u32,
    pub(super) counter: Counter,
    pub(super) places: Vec<Place>,
    pub(super) meter: Meter,
    pub(super) unjudged: Option<Failure>,
    pub(super) asking: Asking<'a>,
}

impl<'a> Inspector<'a> {
    fn new(
        policy: &'a Policy,
        direction: Direction,
        bytes: &'a [u8],
        context: Context<'a>,
    ) -> Self {
        Self {
            policy,
            direction,
            bytes,
            context,
            originals: match direction {
                Direction::Request => context.originals.cloned().unwrap_or_default(),
                Direction::Response => Arc::default(),
            },
            tally: Tally::new(),
            seams: Seams::default(),
            findings: Vec::new(),
            splices: Vec::new(),
            blocked: false,
            facts: Facts::default(),
            media: 0,
            counter: Counter::new(context.count_for),
            places: Vec::new(),
            meter: Meter::default(),
            unjudged: None,
            asking: Asking {
                answers: context.answers,
                ..Asking::default()
            },
        }
    }

    fn body(&mut self, mut body: Body) -> Result<(), Stop> {
        self.facts = std::mem::take(&mut body.facts);
        self.meter = Meter::new(self.facts.model.as_deref());
        self.media = body.media;
        self.blocked |= self.tally.add_media(self.policy, body.media);
        self.counter.reads(&self.facts);
        check_shape(self.policy, body.unknown)?;
        self.tools(&body);
        if self.policy.side(self.direction).is_reversible {
            for piece in body.pieces(self.bytes) {
                let raw = self.bytes.get(piece.span.range()).unwrap_or_default();
                self.reserve(&unescape(raw), piece.form);
            }
        }
        let answers = match self.direction {
            Direction::Request => Vec::new(),
            Direction::Response => body.answers(self.bytes),
        };
        let (pieces, side) = (body.pieces(self.bytes), self.policy.side(self.direction));
        match Seams::read((self.bytes, &answers), pieces, side, self.context.verdicts) {
            Ok(seams) => self.seams = seams,
            Err(overflow) => self.overflow(overflow)?,
        }
        let mut keys_changed = false;
        let mut prompt = None;
        for piece in body.pieces(self.bytes) {
            let raw = self.bytes.get(piece.span.range()).unwrap_or_default();
            let text = unescape(raw);
            let before = self.splices.len();
            self.text(&piece, Coding::of(&piece), &text)?;
            if self.direction == Direction::Request && self.policy.fence {
                let secret = self.context.secret;
                fence::mark(self.bytes, &piece, &text, secret, &mut self.splices);
            }
            if piece.said && piece.origin == Origin::System {
                prompt = Some(piece);
            }
            keys_changed |= self.splices.len() > before && Body::is_key(self.bytes, piece.span);
        }
        if let Some(piece) = prompt.filter(|_| self.direction == Direction::Request)
            && self.policy.plants()
        {
            plant::plant(self.bytes, &piece, self.context.secret, &mut self.splices);
        }
        self.splices = carrier::with_nulls(std::mem::take(&mut self.splices), &body.logprobs);
        // Its tape is of no use any more, and the edited body may need one.
        drop(body);
        // Two keys may have become the same placeholder, which parsers would read differently.
        if keys_changed && !self.blocked {
            let edited = carrier::splice(self.bytes, &self.splices);
            Document::parse(&edited, &Limits::NONE).map_err(|_| Stop::Block)?;
        }
        Ok(())
    }

    /// Judges the tools that a request offers, or the calls of tools in an answer.
    fn tools(&mut self, body: &Body) {
        let policy = self.policy;
        let mut bench = Bench {
            policy,
            tally: &mut self.tally,
        };
        let mut found = Vec::new();
        match self.direction {
            Direction::Request if policy.tools.minds(Stage::Offer) => {
                for (name, span) in body.offers(self.bytes) {
                    found.extend(tools::offer(&name, &mut bench).map(|found| (span, found)));
                }
            }
            Direction::Response if policy.tools.minds(Stage::Call) => {
                let mut calls = Calls::default();
                for call in body.calls(self.bytes) {
                    let judged = calls.whole(&call, &mut bench);
                    found.extend(judged.map(|found| (call.span, found)));
                }
            }
            Direction::Request | Direction::Response => {}
        }
        for (span, (rule, action)) in found {
            self.blocked |= matches!(Duty::of(action), Duty::Replace | Duty::Stop);
            self.places.push(Place {
                rule: policy.side(self.direction).id(rule).to_owned(),
                span,
                action,
                encoding: Encoding::None,
                probability: None,
            });
        }
        self.places.truncate(MAX_PLACES);
    }

    fn plain(&mut self) -> Result<(), Stop> {
        let text = str::from_utf8(self.bytes).map_err(|_| Failure::NotText)?;
        let origin = match self.direction {
            Direction::Request => Origin::User,
            Direction::Response => Origin::Assistant,
        };
        if self.policy.side(self.direction).is_reversible {
            self.reserve(text, Form::Plain);
        }
        self.text(
            &Piece {
                span: Span::new(0, text.len()),
                origin,
                form: Form::Plain,
                part: Part::Whole,
                argument: false,
                said: false,
                credential: false,
                bare: false,
            },
            Coding::Plain,
            text,
        )
    }

    /// Keeps what looks like a placeholder in a request from becoming one.
    fn reserve(&mut self, text: &str, form: Form) {
        if text.contains('<') || form == Form::Json {
            Arc::make_mut(&mut self.originals).reserve(text, form);
        }
    }

    /// Scans one whole text. Goes on after a refusal, so that the verdict is complete.
    fn text(&mut self, piece: &Piece, coding: Coding, text: &str) -> Result<(), Stop> {
        self.counter.whole(text);
        let side = self.policy.side(self.direction);
        self.findings.clear();
        let who = (side.generation(), piece.origin, piece.form);
        let known = self.context.verdicts.filter(|_| side.reads_text());
        let known = known.and_then(|verdicts| Some((verdicts, verdicts.key(who, text)?)));
        let recalled = known.is_some_and(|(known, key)| known.recall(key, &mut self.findings));
        let mut scanned = Ok(());
        if !recalled {
            let what = (text, piece.form);
            scanned = apart::read(side, what, piece.origin, &mut self.findings);
            if let (Some((known, key)), Ok(())) = (known, &scanned) {
                known.remember(key, &self.findings);
            }
        }
        let asked = self
            .asking
            .ask(side, (text, piece.form), piece.origin, &mut self.findings);
        self.seams
            .add_to(piece.span.start, text, &mut self.findings);
        self.meter.whole(&side.limits, text, &mut self.findings);
        if !self.findings.is_empty() {
            self.judge(piece, coding, text);
        }
        self.asking.note(self.policy, asked);
        scanned.or_else(|overflow| self.overflow(overflow))
    }

    /// Goes on where not all can have been found, if the policy lets that pass.
    fn overflow(&mut self, overflow: Overflow) -> Result<(), Stop> {
        let failure = Failure::from(overflow);
        if !passes_unjudged(self.policy, &failure) {
            return Err(failure.into());
        }
        self.unjudged = Some(failure);
        Ok(())
    }

    /// Turns the result of inspecting into what may be written.
    fn conclude(mut self, result: Result<(), Stop>, body: &Bytes) -> Inspection {
        let outcome = match result {
            Ok(()) if self.blocked => {
                Outcome::Refuse(Refused::new(self.policy, self.tally.verdict()))
            }
            Ok(()) if self.asking.failed.is_some() => {
                Outcome::Fail(self.asking.failed.take().unwrap_or(Failure::Unasked))
            }
            Ok(()) if !self.asking.questions.is_empty() => {
                let questions = std::mem::take(&mut self.asking.questions);
                let inspection = self.end(Outcome::Fail(Failure::Unasked));
                return Inspection {
                    questions,
                    ..inspection
                };
            }
            Ok(()) if self.splices.is_empty() => Outcome::Clear(Cleared(body.clone())),
            Ok(()) => Outcome::Clear(Cleared(carrier::splice(self.bytes, &self.splices).into())),
            Err(Stop::Block) => Outcome::Refuse(Refused::new(self.policy, self.tally.verdict())),
            Err(Stop::Fail(failure)) if passes_unjudged(self.policy, &failure) => {
                self.unjudged = Some(failure);
                Outcome::Clear(Cleared(body.clone()))
            }
            Err(Stop::Fail(failure)) => Outcome::Fail(failure),
        };
        self.end(outcome)
    }

    fn end(mut self, outcome: Outcome) -> Inspection {
        self.places.sort_by_key(|place| place.span);
        Inspection {
            outcome,
            verdict: self.tally.verdict().clone(),
            facts: self.facts,
            media: self.media,
            tokens: self.counter.tokens(),
            places: self.places,
            unjudged: self.unjudged.or(self.asking.missing),
            questions: Vec::new(),
            originals: self.originals,
        }
    }
}
