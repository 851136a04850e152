//! Places in a document as people write them.

use super::json::Value;
use super::words::is_name;
use crate::text::Span;

/// Where `span` lies below `root`.
pub(super) fn of(root: Option<Value<'_>>, span: Span) -> String {
    let holds = |value: Value<'_>| value.span().start <= span.start && span.end <= value.span().end;
    let mut steps: Vec<String> = Vec::new();
    let mut here = root;
    while let Some(value) = here {
        here = None;
        for (position, (key, member)) in value.members().enumerate() {
            if holds(key) {
                steps.push(format!("{{key {position}}}"));
            } else if holds(member) {
                let name = key.name();
                if is_name(&name) {
                    let dot = if steps.is_empty() { "" } else { "." };
                    steps.push(format!("{dot}{}", String::from_utf8_lossy(&name)));
                } else {
                    steps.push(format!("{{{position}}}"));
                }
                here = Some(member);
            }
        }
        if let Some((position, item)) = value.items().enumerate().find(|(_, item)| holds(*item)) {
            steps.push(format!("[{position}]"));
            here = Some(item);
        }
    }
    steps.concat()
}
