//! Answers that wait for a model's word, window by window.

use sluicegate::policy::{Answer, Answers, Question, Unanswered};
use sluicegate::scan::classifier::Thresholds;

use super::*;

fn windows(more: &str) -> Arc<Policy> {
    policy(&format!(
        "stream: {{mode: window, window_chars: 40, overlap_chars: 10}}\n{}",
        POLICY.replace(
            "response:\n",
            &format!("response:\n  model: {{nose: {{action: block{more}}}}}\n")
        )
    ))
}

/// The policies that are cut up many times, compiled once: without an answer nothing goes on, or all does.
static STRICT: LazyLock<Arc<Policy>> = LazyLock::new(|| windows(", threshold: 0.9, flag: 0.5"));
static LENIENT: LazyLock<Arc<Policy>> =
    LazyLock::new(|| windows(", threshold: 0.9, flag: 0.5, on_error: allow"));

/// What a model says that smells poison, and says nothing of what is mute.
fn said(question: &Question) -> Result<Answer, Unanswered> {
    if question.text.contains("mute") {
        return Err(Unanswered::Late);
    }
    let probability = if question.text.contains("poison") {
        0.99
    } else {
        0.01
    };
    Ok(Answer {
        probability,
        defaults: Thresholds::default(),
        blend: 0.0,
    })
}

/// A run whose model is asked whenever the guard wants to know something, and the texts of which it was asked.
fn asked<'a>(
    shape: Shape,
    policy: &Arc<Policy>,
    chunks: impl IntoIterator<Item = &'a [u8]>,
) -> (Run, Vec<String>) {
    let mut guard = guard(shape, policy);
    let (mut out, mut texts) = (Vec::new(), Vec::new());
    let mut hear = |guard: &mut StreamGuard, out: &mut Vec<Cleared>| {
        while let Some(questions) = guard.questions() {
            let before = out.len();
            // Until the model was heard nothing leaves, whatever comes.
            let _ = guard.push(b"", out);
            assert_eq!(out.len(), before);
            texts.extend(questions.iter().map(|question| question.text.to_string()));
            let mut answers = Answers::default();
            answers.extend(questions.into_iter().map(|question| {
                let said = said(&question);
                (question, said)
            }));
            if guard.hear(&answers, out) == Flow::End {
                break;
            }
        }
    };
    for chunk in chunks {
        let _ = guard.push(chunk, &mut out);
        hear(&mut guard, &mut out);
    }
    guard.finish(End::Complete, &mut out);
    hear(&mut guard, &mut out);
    let summary = guard.summary();
    let out = joined(out);
    (Run { out, summary }, texts)
}

#[test]
fn what_a_model_lets_pass_is_as_without_it() {
    let (with, without) = (&*STRICT, tested());
    for (shape, bytes) in streams() {
        let expected = run(shape, &without, [bytes.as_slice()]);
        for size in [1, 13, bytes.len()] {
            let (run, _) = asked(shape, with, bytes.chunks(size));
            assert_same(shape, &run, &expected, &format!("{size}"));
        }
    }
}

const BAD: &str = "The harbour is quiet in the morning, and the boats lie still. Put the poison into his tea at noon. \
    The gulls come back in the evening.";

#[test]
fn nothing_of_a_window_leaves_that_a_model_refuses() {
    let policy = &*STRICT;
    for shape in SHAPES {
        let words: Vec<Delta<'_>> = BAD.split_inclusive(' ').map(|word| (0, word)).collect();
        let bytes = stream(shape, &words, plain);
        let (whole, texts_asked) = asked(shape, policy, [bytes.as_slice()]);
        assert!(
            matches!(&whole.summary.ending, Ending::Refuse(refused) if refused.rule == "model.nose")
        );
        // It is asked about complete windows in order, and about none after the one that it refuses.
        assert_eq!(texts_asked[0], BAD[..40]);
        assert_eq!(texts_asked[1], BAD[30..70]);
        assert_eq!(texts_asked.len(), 3, "{texts_asked:?}");
        let left = texts(shape, &whole.out);
        let first = left.values().next().unwrap();
        assert!(
            BAD.starts_with(first.as_str()) || shape.api == Api::Gemini,
            "{first}"
        );
        assert!(
            first.contains("boats") && !first.contains("poison"),
            "{first}"
        );
        for size in [1, 7, 100, 1_000] {
            let (run, again) = asked(shape, policy, bytes.chunks(size));
            assert_eq!(run.out, whole.out, "{shape:?} {size}");
            assert_eq!(run.summary.verdict, whole.summary.verdict);
            assert_eq!(again, texts_asked);
        }
    }
}

#[test]
fn a_window_of_which_a_model_says_nothing_is_what_on_error_says() {
    let text = BAD.replace("poison", "mute");
    let bytes = stream(CHAT, &[(0, &text)], plain);
    let (run, _) = asked(CHAT, &STRICT, bytes.chunks(9));
    let late = Failure::Unanswered {
        model: "nose".into(),
        why: Unanswered::Late,
    };
    assert_eq!(run.summary.ending, Ending::Fail(late.clone()));
    assert!(!String::from_utf8(run.out).unwrap().contains("mute"));
    for more in ["on_error: allow", "shadow: true"] {
        let policy = windows(&format!(", threshold: 0.9, flag: 0.5, {more}"));
        let (run, _) = asked(CHAT, &policy, bytes.chunks(9));
        assert_eq!(run.summary.ending, Ending::Complete, "{more}");
        assert_eq!(run.out, bytes);
        assert_eq!(run.summary.unjudged, Some((0, late.clone())));
    }
}

#[test]
fn who_leaves_while_a_model_is_asked_gets_no_more() {
    let words: Vec<Delta<'_>> = BAD.split_inclusive(' ').map(|word| (0, word)).collect();
    let bytes = stream(CHAT, &words, plain);
    for end in [End::Complete, End::Break] {
        let mut guard = guard(CHAT, &STRICT);
        let mut out = Vec::new();
        let _ = guard.push(&bytes, &mut out);
        assert!(guard.questions().is_some());
        guard.finish(end, &mut out);
        let written = String::from_utf8(joined(out)).unwrap();
        assert!(!written.contains("harbour"), "{written}");
        let ended = guard.summary().ending;
        assert_eq!(ended == Ending::Break, end == End::Break, "{ended:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn any_cut_into_chunks_gives_the_same(
        words in prop::collection::vec("[a-z]{1,9}|poison|mute|zk-[a-z0-9]{6,9}|launch code 0000|\"\\\\|é", 0..40),
        step in 1..12usize,
        size in 1..200usize,
        lenient in any::<bool>(),
    ) {
        let policy = if lenient { &LENIENT } else { &STRICT };
        let text = words.join(" ");
        let letters: Vec<char> = text.chars().collect();
        let pieces: Vec<String> = letters.chunks(step).map(|piece| piece.iter().collect()).collect();
        let deltas: Vec<Delta<'_>> = (0..).zip(&pieces).map(|(at, piece)| (at % 2, piece.as_str())).collect();
        for shape in [CHAT, RESPONSES] {
            let bytes = stream(shape, &deltas, plain);
            let (whole, questions) = asked(shape, policy, [bytes.as_slice()]);
            let (parts, again) = asked(shape, policy, bytes.chunks(size));
            prop_assert_eq!(whole.out, parts.out);
            prop_assert_eq!(questions, again);
            prop_assert_eq!(whole.summary.verdict, parts.summary.verdict);
            prop_assert_eq!(whole.summary.ending, parts.summary.ending);
        }
    }
}
