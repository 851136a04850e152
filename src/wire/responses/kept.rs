//! Things that the provider of the responses API keeps under ids: which ones a request wants read, and which ones an answer
//! makes.

use crate::wire::json::{Kind, Value};

/// The longest id that is taken for one.
const MAX_ID_BYTES: usize = 128;
/// The most ids of one body.
const MAX_IDS: usize = 256;

/// What a request says of things that the provider keeps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct References {
    /// `"store": false`: nothing is kept of this exchange.
    pub unkept: bool,
    /// Ids of things kept before that are to be read.
    pub ids: Vec<Reference>,
    /// There are more or longer ids than any client has use for, or what should be one is not.
    pub excessive: bool,
}

/// Something kept that a request wants read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// What it is.
    pub referent: Referent,
    /// Its id.
    pub id: String,
}

/// What is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Referent {
    /// An answer, by `previous_response_id`.
    Response,
    /// A conversation, by `conversation`.
    Conversation,
    /// An item of an answer.
    Item,
}

/// What a request refers to.
pub(in crate::wire) fn references(root: Value<'_>) -> References {
    let mut found = References {
        unkept: root
            .get("store")
            .is_some_and(|store| store.kind() == Kind::False),
        ..References::default()
    };
    if let Some(id) = root.get("previous_response_id") {
        found.add(Referent::Response, id);
    }
    if let Some(conversation) = root.get("conversation") {
        let id = conversation.get("id").unwrap_or(conversation);
        found.add(Referent::Conversation, id);
    }
    if let Some(input) = root.get("input") {
        let items = input.items().chain([input]);
        for id in items.filter_map(referring) {
            found.add(Referent::Item, id);
        }
    }
    found
}

impl References {
    fn add(&mut self, referent: Referent, id: Value<'_>) {
        if id.kind() == Kind::Null {
            return;
        }
        let Some(id) = id.text().filter(|_| id.kind() == Kind::String) else {
            // Nobody knows what a provider would make of it.
            self.excessive = true;
            return;
        };
        if id.len() > MAX_ID_BYTES || self.ids.len() >= MAX_IDS {
            self.excessive = true;
            return;
        }
        let id = id.into_owned();
        self.ids.push(Reference { referent, id });
    }
}

/// The id of an item of the input that does not bring its own content, but stands for what the provider keeps.
fn referring(item: Value<'_>) -> Option<Value<'_>> {
    let id = item.get("id")?;
    let has = |name| {
        item.get(name)
            .is_some_and(|value| value.kind() != Kind::Null && value.items().next().is_some())
    };
    let says = |name| {
        item.get(name)
            .is_some_and(|value| value.kind() == Kind::String)
    };
    let kind = item.get("type").filter(|kind| kind.kind() == Kind::String);
    let kind = kind.map(Value::name).unwrap_or_default();
    let refers = match &*kind {
        b"item_reference" => true,
        b"reasoning" => !says("encrypted_content") && !has("content"),
        b"image_generation_call" => !says("result"),
        // The schema lets the type be left out, or null.
        _ => kind.is_empty() && item.get("role").is_none(),
    };
    refers.then_some(id)
}

/// The ids in an answer or in an event of one: its own and those of its items.
pub(in crate::wire) fn ids(root: Value<'_>) -> Vec<String> {
    let answer = root.get("response").unwrap_or(root);
    let output = answer.get("output").into_iter().flat_map(Value::items);
    let items = output.chain(root.get("item"));
    let found = [answer].into_iter().chain(items);
    let found = found.filter_map(|kept| kept.get("id")?.text());
    let found = found.filter(|id| !id.is_empty() && id.len() <= MAX_ID_BYTES);
    found.take(MAX_IDS).map(Into::into).collect()
}

#[cfg(test)]
mod tests {
    use crate::wire::json::{Document, Limits};

    use super::*;

    fn with<T>(body: &str, read: impl Fn(Value<'_>) -> T) -> T {
        let document = Document::parse(body.as_bytes(), &Limits::default()).unwrap();
        read(document.root(body.as_bytes()).unwrap())
    }

    #[test]
    fn a_request_refers_to_answers_conversations_and_items() {
        for (body, expected) in [
            (r#"{"previous_response_id":"resp_1"}"#, "Response resp_1"),
            (
                r#"{"previous\u005fresponse_id":"resp_1"}"#,
                "Response resp_1",
            ),
            (r#"{"conversation":"conv_1"}"#, "Conversation conv_1"),
            (r#"{"conversation":{"id":"conv_1"}}"#, "Conversation conv_1"),
            (r#"{"previous_response_id":null,"conversation":null}"#, ""),
            (
                r#"{"input":[{"type":"item_reference","id":"msg_1"},{"id":"msg_2"},{"type":null,"id":"msg_3"}]}"#,
                "Item msg_1, Item msg_2, Item msg_3",
            ),
            (
                r#"{"input":{"type":"item_reference","id":"msg_1"}}"#,
                "Item msg_1",
            ),
            (
                r#"{"input":[{"type":"reasoning","id":"rs_1","summary":[]},{"type":"image_generation_call","id":"ig_1"}]}"#,
                "Item rs_1, Item ig_1",
            ),
            // These bring their content.
            (
                r#"{"input":[{"type":"reasoning","id":"rs_1","encrypted_content":"x"},
                {"type":"reasoning","id":"rs_2","content":[{"type":"reasoning_text","text":"x"}]},
                {"type":"image_generation_call","id":"ig_1","result":"x"},
                {"type":"message","id":"msg_1","role":"assistant","content":[]},
                {"role":"user","id":"msg_2","content":"x"},
                {"type":"function_call","id":"fc_1","call_id":"c","name":"f","arguments":"{}"}, "text"]}"#,
                "",
            ),
        ] {
            let found = with(body, references);
            let shown = |it: &Reference| format!("{:?} {}", it.referent, it.id);
            let ids: Vec<String> = found.ids.iter().map(shown).collect();
            assert_eq!(ids.join(", "), expected, "{body}");
            assert!(!found.unkept && !found.excessive, "{body}");
        }
    }

    #[test]
    fn more_or_longer_ids_than_can_be_looked_up_are_told() {
        assert!(with(r#"{"store":false}"#, references).unkept);
        assert!(!with(r#"{"store":true}"#, references).unkept);
        let long = format!(r#"{{"previous_response_id":"{}"}}"#, "r".repeat(129));
        assert!(with(&long, references).excessive);
        for odd in [r#"["resp_1"]"#, r#"{"id":"resp_1"}"#, "7"] {
            let body = format!(r#"{{"previous_response_id":{odd}}}"#);
            assert!(with(&body, references).excessive, "{body}");
        }
        let items = vec![r#"{"id":"msg_1"}"#; MAX_IDS + 1].join(",");
        assert!(with(&format!(r#"{{"input":[{items}]}}"#), references).excessive);
    }

    #[test]
    fn an_answer_and_its_events_tell_their_ids() {
        let answer = r#"{"id":"resp_1","output":[{"id":"rs_1"},{"type":"message","id":"msg_1"}],"previous_response_id":"resp_0"}"#;
        assert_eq!(with(answer, ids), ["resp_1", "rs_1", "msg_1"]);
        let event = format!(r#"{{"type":"response.completed","response":{answer}}}"#);
        assert_eq!(with(&event, ids), ["resp_1", "rs_1", "msg_1"]);
        let event = r#"{"type":"response.output_item.added","item":{"id":"msg_1"}}"#;
        assert_eq!(with(event, ids), ["msg_1"]);
        assert_eq!(with(r#"{"delta":"x","item_id":"msg_1"}"#, ids), [""; 0]);
    }
}
