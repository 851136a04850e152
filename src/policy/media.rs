//! What nothing scans: images, audio, binary files and texts given as token numbers.

use std::borrow::Cow;

use super::verdict::{Action, Cause, Matched, Verdict};
use super::{Policy, Tally};
use crate::text::Encodings;

/// What happens to images, audio, binary files and texts given as token numbers, which nothing scans.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Media {
    /// They pass and are counted.
    #[default]
    Pass,
    /// What holds any is refused.
    Block,
}

impl Media {
    pub(super) const WORDS: [(&'static str, Self); 2] =
        [("pass", Self::Pass), ("block", Self::Block)];

    /// The rule that refuses them, in verdicts.
    pub const RULE: &'static str = "media.unscanned";
}

impl Tally {
    /// Counts so many images, sounds and files. Whether the policy refuses them.
    pub fn add_media(&mut self, policy: &Policy, media: u32) -> bool {
        if media == 0 || policy.media == Media::Pass {
            return false;
        }
        let rule = Cow::Borrowed(Media::RULE);
        let (count, message, probability) = (media, None, None);
        self.verdict.join(&Verdict {
            action: if policy.observe {
                Action::Log
            } else {
                Action::Block
            },
            would: Action::Block,
            rules: vec![Matched {
                id: rule.clone(),
                count,
                probability,
                encodings: Encodings::default(),
            }],
            cause: Some(Cause { rule, message }),
            ..Verdict::default()
        });
        !policy.observe
    }
}
