//! Limits on how much text may pass, and code that counts only where it may run.

use super::*;

fn rules(verdict: &sluicegate::policy::Verdict) -> Vec<String> {
    verdict
        .rules
        .iter()
        .map(|rule| rule.id.to_string())
        .collect()
}

fn request(policy: &Policy, texts: &[&str]) -> (Vec<String>, Action) {
    let messages: Vec<_> = texts
        .iter()
        .map(|text| json!({"role": "user", "content": text}))
        .collect();
    let body = json!({"model": "gpt-4o", "messages": messages}).to_string();
    let inspection = inspect_request(
        Context::default(),
        Api::Chat,
        body.into(),
        policy,
        &Limits::default(),
    );
    (rules(&inspection.verdict), inspection.verdict.action)
}

#[test]
fn requests_are_measured_by_text_and_in_total() {
    let policy = policy(
        "request:\n  size: {action: block, segment_chars: 40, segment_tokens: 12, total_chars: 60, total_tokens: 16}\n  rules: {size.total_tokens: log}\n",
    );
    let words = "one two three four five six";
    for (texts, expected, action) in [
        (&["short"][..], &[][..], Action::Allow),
        // 41 characters, few tokens.
        (
            &["aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"],
            &["size.segment_chars"],
            Action::Block,
        ),
        // Few characters, each more than a token.
        (
            &["𓀀𓀁𓀂𓀃𓀄𓀅"],
            &["size.segment_tokens", "size.total_tokens"],
            Action::Block,
        ),
        (&[words, words], &["size.total_tokens"], Action::Log),
        (
            &[words, words, words],
            &["size.total_chars", "size.total_tokens"],
            Action::Block,
        ),
    ] {
        let (mut found, taken) = request(&policy, texts);
        found.sort();
        assert_eq!(found, expected, "{texts:?}");
        assert_eq!(taken, action, "{texts:?}");
    }
}

#[test]
fn an_answer_ends_where_it_becomes_too_long() {
    let word = "word ";
    for (limit, most) in [
        ("total_chars: 100", 100),
        ("total_tokens: 100", 800),
        ("segment_chars: 100", 100),
    ] {
        let policy = policy(&format!("response:\n  size: {{action: block, {limit}}}\n"));
        for shape in SHAPES {
            let deltas = vec![(0, word); 400];
            let bytes = stream(shape, &deltas, plain);
            let whole = run(shape, &policy, [bytes.as_slice()]);
            assert_same(shape, &run(shape, &policy, bytes.chunks(7)), &whole, limit);
            assert!(
                matches!(whole.summary.ending, Ending::Refuse(_)),
                "{limit} {shape:?}"
            );
            let left = String::from_utf8(whole.out).unwrap().matches(word).count();
            assert!(
                left * word.len() <= most && left > 10,
                "{limit} {shape:?}: {left}"
            );
            let short = stream(shape, &deltas[..15], plain);
            let passed = run(shape, &policy, [short.as_slice()]);
            assert_eq!(passed.out, short, "{limit} {shape:?}");
        }
    }
}

#[test]
fn code_counts_in_arguments_and_blocks_unless_the_policy_says_otherwise() {
    let narrow = policy("response:\n  code: {action: block}\n");
    let wide = policy("response:\n  code: {action: block, in: [text]}\n");
    let command = "rm -rf /srv";
    let fenced = format!("Run this:\n```sh\n{command}\n```\nand wait.");
    for (text, in_blocks) in [
        (format!("Never run {command} here."), false),
        (fenced, true),
    ] {
        let blocked = |policy| {
            let body = json!({"choices": [{"index": 0, "message": {"role": "assistant", "content": text}}]});
            let inspection = inspect_response(
                Context::default(),
                Api::Chat,
                body.to_string().into(),
                policy,
                &Limits::default(),
            );
            inspection.verdict.action == Action::Block
        };
        assert_eq!((blocked(&narrow), blocked(&wide)), (in_blocks, !in_blocks));
        for shape in SHAPES {
            let deltas: Vec<Delta<'_>> = text.split_inclusive(' ').map(|word| (0, word)).collect();
            let bytes = stream(shape, &deltas, plain);
            let blocked = |policy| {
                run(shape, policy, bytes.chunks(11)).summary.verdict.action == Action::Block
            };
            assert_eq!(
                (blocked(&narrow), blocked(&wide)),
                (in_blocks, !in_blocks),
                "{shape:?}"
            );
        }
    }
}

#[test]
fn code_counts_in_what_tools_are_given_in_every_api() {
    let narrow = policy("response:\n  code: {action: block}\n");
    let wide = policy("response:\n  code: {action: block, in: [text]}\n");
    let command = "rm -rf /srv";
    let bodies = [
        (
            Api::Chat,
            json!({"choices": [{"message": {"tool_calls": [{"function": {"name": "sh", "arguments": json!({"c": command}).to_string()}}]}}]}),
        ),
        (
            Api::Messages,
            json!({"type": "message", "content": [{"type": "tool_use", "name": "sh", "input": {"c": command}}]}),
        ),
        (
            Api::Gemini,
            json!({"candidates": [{"content": {"parts": [{"functionCall": {"name": "sh", "args": {"c": command}}}]}}]}),
        ),
        (
            Api::Gemini,
            json!({"candidates": [{"content": {"parts": [{"executableCode": {"language": "PYTHON", "code": command}}]}}]}),
        ),
        (
            Api::Responses,
            json!({"output": [{"type": "custom_tool_call", "name": "sh", "input": command}]}),
        ),
        (
            Api::Responses,
            json!({"output": [{"type": "local_shell_call", "action": {"type": "exec", "command": ["sh", "-c", "rm -rf /srv"]}}]}),
        ),
    ];
    for (api, body) in bodies {
        let action = |policy| {
            let body = body.to_string().into();
            inspect_response(Context::default(), api, body, policy, &Limits::default())
                .verdict
                .action
        };
        assert_eq!(
            (action(&narrow), action(&wide)),
            (Action::Block, Action::Allow),
            "{body}"
        );
    }
}
