//! The file of a trained judge: a header, then one byte for each entry of the table and each label.
//!
//! Little-endian: `SGW2`, labels (u32), bits (u32), then for each origin (system, user, assistant, tool) the probabilities from which to
//! flag and to act, and for each label `scale`, `bias`, `sentence`, `brief`, `slope`, `offset` (f32 all), then the table, entry by entry, one signed
//! byte for each label. The score of a window is `bias + scale * sum / sqrt(n)` over its `n` distinct
//! entries, less `sentence` for a single sentence, and less `brief` for one of none, falling to nothing at `FEW`; the probability is the logistic function of `slope * score + offset` (Platt 1999).

use thiserror::Error;

use super::Probability;
use super::windows::Kind;
use crate::text::Origin;

/// Every table has two to the power of so many entries.
pub(super) const BITS: u32 = 19;
/// A window of fewer entries says too little to be taken as it stands.
const FEW: f64 = 150.0;
/// More labels than any judge has.
const MAX_LABELS: usize = 4;

/// A sum of weights for each label, as far as a judge has so many.
pub(super) type Sums = [i32; MAX_LABELS];

/// The weights of one judge.
#[derive(Clone, Debug)]
pub struct Weights {
    defaults: [Thresholds; 4],
    heads: Vec<Head>,
    table: &'static [u8],
}

/// The probabilities of the first label from which something is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Thresholds {
    /// From here on it is worth a line in the log.
    pub flag: Probability,
    /// From here on it is acted on without further signs.
    pub act: Probability,
}

/// What turns a sum into a probability.
#[derive(Clone, Copy, Debug)]
struct Head {
    scale: f64,
    bias: f64,
    sentence: f64,
    brief: f64,
    slope: f64,
    offset: f64,
}

/// A file that is no weights of this version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the classifier's weights are not whole or of another version")]
pub struct InvalidWeights;

impl Weights {
    /// Reads a file.
    ///
    /// # Errors
    /// [`InvalidWeights`].
    pub fn read(bytes: &'static [u8]) -> Result<Self, InvalidWeights> {
        let rest = bytes.strip_prefix(b"SGW2").ok_or(InvalidWeights)?;
        let (labels, rest) = rest.split_first_chunk().ok_or(InvalidWeights)?;
        let (bits, mut rest) = rest.split_first_chunk().ok_or(InvalidWeights)?;
        let labels = u32::from_le_bytes(*labels) as usize;
        if u32::from_le_bytes(*bits) != BITS || !(1..=MAX_LABELS).contains(&labels) {
            return Err(InvalidWeights);
        }
        let mut number = || {
            let (number, after) = rest.split_first_chunk().ok_or(InvalidWeights)?;
            rest = after;
            let number = f64::from(f32::from_le_bytes(*number));
            number.is_finite().then_some(number).ok_or(InvalidWeights)
        };
        let mut defaults = [Thresholds::default(); 4];
        for thresholds in &mut defaults {
            *thresholds = Thresholds {
                flag: Probability::new(number()?),
                act: Probability::new(number()?),
            };
        }
        let mut heads = Vec::with_capacity(labels);
        for _ in 0..labels {
            heads.push(Head {
                scale: number()?,
                bias: number()?,
                sentence: number()?,
                brief: number()?,
                slope: number()?,
                offset: number()?,
            });
        }
        if rest.len() == labels << BITS {
            Ok(Self {
                defaults,
                heads,
                table: rest,
            })
        } else {
            Err(InvalidWeights)
        }
    }

    /// What is done where a policy does not say, chosen on the trainer's own choice of ordinary text.
    pub const fn thresholds(&self, origin: Origin) -> Thresholds {
        let [system, user, assistant, tool] = self.defaults;
        match origin {
            Origin::System => system,
            Origin::User => user,
            Origin::Assistant => assistant,
            Origin::Tool => tool,
        }
    }

    /// The label and the probability of the first one, from the [sums](Self::sums) over a window's entries, so many.
    pub(super) fn judge(&self, sums: Sums, entries: usize, kind: Kind) -> (usize, f64) {
        let root = f64::from(u32::try_from(entries).unwrap_or(u32::MAX).max(1)).sqrt();
        let of = |head: &Head, sum: i32| {
            let score = head.bias + head.scale * f64::from(sum) / root;
            let score = score - head.brief * (1.0 - root * root / FEW).max(0.0);
            let score = match kind {
                Kind::Sentence => score - head.sentence,
                Kind::Many => score,
            };
            1.0 / (1.0 + (-(head.slope * score + head.offset)).exp())
        };
        let mut probabilities = self.heads.iter().zip(sums).map(|(head, sum)| of(head, sum));
        let first = probabilities.next().unwrap_or_default();
        let kind = probabilities
            .enumerate()
            .filter(|(_, probability)| *probability >= 0.5)
            .max_by(|(_, one), (_, other)| one.total_cmp(other));
        (kind.map_or(0, |(index, _)| index + 1), first)
    }

    /// The sum of each label's weights over the entries that features select.
    pub(super) fn sums(&self, entries: &[u32]) -> Sums {
        match self.heads.len() {
            1 => self.sums_of::<1>(entries),
            2 => self.sums_of::<2>(entries),
            3 => self.sums_of::<3>(entries),
            _ => self.sums_of::<4>(entries),
        }
    }

    fn sums_of<const LABELS: usize>(&self, entries: &[u32]) -> Sums {
        let mut sums = [0; LABELS];
        let (table, _) = self.table.as_chunks::<LABELS>();
        if let Some(table) = table.first_chunk::<{ 1 << BITS }>() {
            for entry in entries {
                let weights = table.get(*entry as usize % table.len());
                let weights = weights.copied().unwrap_or([0; LABELS]);
                for (sum, weight) in sums.iter_mut().zip(weights) {
                    *sum += i32::from(weight.cast_signed());
                }
            }
        }
        let mut all = Sums::default();
        for (all, sum) in all.iter_mut().zip(sums) {
            *all = sum;
        }
        all
    }
}
