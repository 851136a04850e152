//! Views of text: no cut matters, and every place leads back into the source.

use sluicegate::scan::finding::Finding;
use sluicegate::scan::segment::SegmentScan;
use sluicegate::text::view::{Map, Place, Unescape};
use sluicegate::text::{Form, unicode};

use super::Input;
use super::stream::{SHAPE, policy};

pub(crate) fn check(input: &[u8]) {
    let Some(input) = Input::of(input) else {
        return;
    };
    let Ok(text) = str::from_utf8(input.text) else {
        return;
    };
    let pieces = pieces(&input, text);
    let form = if input.choice.is_multiple_of(2) {
        Form::Plain
    } else {
        Form::Json
    };
    unescaped(text, &pieces);
    folded(text);
    scanned(text, &pieces, form);
}

/// The chunks of the input, cut where characters end.
pub(super) fn pieces<'a>(input: &Input<'_>, text: &'a str) -> Vec<&'a str> {
    let (mut pieces, mut start, mut at) = (Vec::new(), 0, 0);
    for chunk in input.chunks() {
        at += chunk.len();
        if let Some(piece) = text.get(start..at) {
            pieces.push(piece);
            start = at;
        }
    }
    assert_eq!(pieces.concat(), text);
    pieces
}

fn unescaped(text: &str, pieces: &[&str]) {
    let (whole, whole_map) = unescape(&[text]);
    let (parts, parts_map) = unescape(pieces);
    assert_eq!(whole, parts, "the cut changes the view");
    let mut before = 0;
    for at in 0..whole.len() {
        let (start, end) = (whole_map.start(at), whole_map.end(at + 1));
        assert_eq!(
            (start, end),
            (parts_map.start(at), parts_map.end(at + 1)),
            "the cut changes the map"
        );
        assert!(
            before <= start && start < end && end <= text.len(),
            "{at}: {start}..{end}"
        );
        before = start;
    }
}

fn unescape(pieces: &[&str]) -> (String, Map) {
    let (mut unescape, mut map, mut view, mut source) =
        (Unescape::default(), Map::default(), String::new(), 0);
    for piece in pieces {
        unescape.push(piece, Place { view: 0, source }, &mut view, &mut map);
        source += piece.len();
        assert!(unescape.pending() <= 12, "no escape is longer");
    }
    unescape.finish(&mut view);
    (view, map)
}

/// Folding leaves ASCII alone, does not grow without bound, and what it made it makes again.
fn folded(text: &str) {
    for character in text.chars() {
        let mut once = String::new();
        unicode::fold(character, &mut once);
        assert!(
            once.len() <= 128,
            "{character:?} becomes {} bytes",
            once.len()
        );
        if character.is_ascii() {
            assert_eq!(once, character.to_string());
        }
        let tag = ('\u{e0020}'..='\u{e007e}').contains(&character);
        if unicode::is_invisible(character) && !tag {
            assert!(once.is_empty());
        }
    }
}

fn scanned(text: &str, pieces: &[&str], form: Form) {
    let policy = policy();
    let engine = &policy.response.engine;
    let whole = findings(engine, &[text], form);
    let parts = findings(engine, pieces, form);
    assert_eq!(whole, parts, "the cut changes the findings");
    for finding in &whole {
        assert!(
            text.get(finding.span.range())
                .is_some_and(|found| !found.is_empty()),
            "{:?}",
            finding.span
        );
    }
    if form == Form::Plain {
        for found in SHAPE.find_iter(text) {
            let found = found.range();
            let covers = |finding: &Finding| {
                finding.span.start <= found.start && found.end <= finding.span.end
            };
            assert!(whole.iter().any(covers), "not found at {found:?}");
        }
    }
}

fn findings(
    engine: &sluicegate::scan::engine::Engine,
    pieces: &[&str],
    form: Form,
) -> Vec<Finding> {
    let (mut scan, mut findings, mut length) = (SegmentScan::new(form), Vec::new(), 0);
    let mut overflow = false;
    for piece in pieces {
        let before = scan.cleared();
        overflow |= scan.push(engine, piece, &mut findings).is_err();
        length += piece.len();
        assert!(
            before <= scan.cleared() && scan.cleared() <= length,
            "what was cleared is taken back"
        );
    }
    overflow |= scan.finish(engine, &mut findings).is_err();
    assert_eq!(scan.cleared(), length);
    if overflow {
        findings.clear();
    }
    findings.sort_unstable_by_key(|finding| (finding.span, finding.rule));
    findings
}
