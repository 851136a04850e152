//! Each format, whole and streamed.

use super::*;

#[tokio::test]
async fn chat_whole() {
    let mut server = Server::start().await;
    let answered = server.chat("Grüße, 世界", false).await;
    let body = answered.json();
    assert_eq!(answered.status, 200);
    assert_eq!(
        answered.headers["content-length"],
        answered.text.len().to_string()
    );
    assert_eq!(body["object"], "chat.completion");
    assert_eq!(body["choices"][0]["message"]["content"], "Grüße, 世界");
    assert_eq!(body["choices"][0]["finish_reason"], "stop");
    let usage = &body["usage"];
    let sum =
        usage["prompt_tokens"].as_u64().unwrap() + usage["completion_tokens"].as_u64().unwrap();
    assert_eq!(usage["total_tokens"], sum);
}

#[tokio::test]
async fn chat_stream() {
    let mut server = Server::start().await;
    let answered = server
        .chat(
            "/think so\n/tool f {\"a\": [1, 2]}\n/tool g\nthe text",
            true,
        )
        .await;
    assert!(
        answered.headers["content-type"]
            .to_str()
            .unwrap()
            .starts_with("text/event-stream")
    );
    assert!(answered.text.ends_with("data: [DONE]\n\n"));
    assert_eq!(answered.joined("/choices/0/delta/content"), "the text");
    assert_eq!(answered.joined("/choices/0/delta/reasoning_content"), "so");
    let events = answered.events();
    let calls: Vec<&Value> = events
        .iter()
        .filter_map(|event| event.pointer("/choices/0/delta/tool_calls/0"))
        .collect();
    let arguments = |index: u64| -> String {
        calls
            .iter()
            .filter(|call| call["index"] == index)
            .filter_map(|call| call["function"]["arguments"].as_str())
            .collect()
    };
    assert_eq!(
        (arguments(0).as_str(), arguments(1).as_str()),
        ("{\"a\": [1, 2]}", "{}")
    );
    assert_eq!(
        calls.iter().filter(|call| call.get("id").is_some()).count(),
        2
    );
    let last = events.last().unwrap();
    assert_eq!(last["choices"][0]["finish_reason"], "tool_calls");
    assert!(last.get("usage").is_none());
}

#[tokio::test]
async fn chat_choices_are_interleaved_and_usage_comes_last() {
    let mut server = Server::start().await;
    let body = json!({
        "model": "echo", "n": 3, "stream": true, "stream_options": {"include_usage": true},
        "messages": [{"role": "user", "content": "many words"}],
    });
    let answered = server.post("/v1/chat/completions", body).await;
    let events = answered.events();
    let of = |index: u64| -> String {
        let choices = events
            .iter()
            .filter_map(|event| event.pointer("/choices/0"));
        choices
            .filter(|choice| choice["index"] == index)
            .filter_map(|choice| choice["delta"]["content"].as_str())
            .collect()
    };
    assert_eq!(
        [of(0), of(1), of(2)],
        ["many words", "[2] many words", "[3] many words"]
    );
    let turns: Vec<_> = events
        .iter()
        .skip(3)
        .take(4)
        .map(|event| event["choices"][0]["index"].clone())
        .collect();
    assert_eq!(turns, [0, 1, 2, 0]);
    let last = events.last().unwrap();
    assert_eq!(last["choices"], json!([]));
    assert!(last["usage"]["total_tokens"].is_u64());
    assert!(
        events
            .iter()
            .rev()
            .skip(1)
            .all(|event| event["usage"].is_null())
    );
}

#[tokio::test]
async fn chat_echoes_tool_results_and_stops_at_a_limit() {
    let mut server = Server::start().await;
    let messages = json!([
        {"role": "user", "content": "/tool f"},
        {"role": "assistant", "tool_calls": []},
        {"role": "tool", "tool_call_id": "x", "content": "sunny and warm"},
    ]);
    let body = json!({"model": "echo", "messages": messages, "max_tokens": 2});
    let body = server.post("/v1/chat/completions", body).await.json();
    assert_eq!(body["choices"][0]["message"]["content"], "sunny an");
    assert_eq!(body["choices"][0]["finish_reason"], "length");
}

#[tokio::test]
async fn refusals() {
    let mut server = Server::start().await;
    let body = server.chat("/refuse Not me.", false).await.json();
    assert_eq!(body["choices"][0]["message"]["refusal"], "Not me.");
    assert!(body["choices"][0]["message"]["content"].is_null());
    assert_eq!(
        server
            .chat("/refuse Not me.", true)
            .await
            .joined("/choices/0/delta/refusal"),
        "Not me."
    );
    assert_eq!(
        server.messages("/refuse", false).await.json()["stop_reason"],
        "refusal"
    );
    let body = server.gemini("/refuse", "generateContent").await.json();
    assert_eq!(body["candidates"][0]["finishReason"], "SAFETY");
}

#[tokio::test]
async fn completions_answer_each_prompt() {
    let mut server = Server::start().await;
    let body = json!({"model": "echo", "prompt": ["one", "two"], "n": 2});
    let body = server.post("/v1/completions", body).await.json();
    let texts: Vec<_> = (0..4)
        .map(|index| body["choices"][index]["text"].clone())
        .collect();
    assert_eq!(texts, ["one", "[2] one", "two", "[2] two"]);
    let body = json!({"model": "echo", "prompt": "a longer text", "stream": true});
    let answered = server.post("/v1/completions", body).await;
    assert_eq!(answered.joined("/choices/0/text"), "a longer text");
    assert_eq!(
        answered.events().last().unwrap()["choices"][0]["finish_reason"],
        "stop"
    );
}

#[tokio::test]
async fn embeddings_depend_on_the_text_alone() {
    let mut server = Server::start().await;
    let body = json!({"model": "echo", "input": ["a", "b", "a"], "dimensions": 5});
    let floats = server.post("/v1/embeddings", body).await.json();
    let vector = |index: usize| -> Vec<f64> {
        let numbers = floats["data"][index]["embedding"].as_array().unwrap();
        numbers
            .iter()
            .map(|number| number.as_f64().unwrap())
            .collect()
    };
    assert_eq!(vector(0), vector(2));
    assert_ne!(vector(0), vector(1));
    assert!((vector(0).iter().map(|number| number * number).sum::<f64>() - 1.0).abs() < 1e-5);
    let body = json!({"model": "echo", "input": "a", "dimensions": 5, "encoding_format": "base64"});
    let base64 = server.post("/v1/embeddings", body).await.json();
    let bytes = STANDARD
        .decode(base64["data"][0]["embedding"].as_str().unwrap())
        .unwrap();
    let decoded: Vec<f64> = bytes
        .chunks(4)
        .map(|four| f64::from(f32::from_le_bytes(four.try_into().unwrap())))
        .collect();
    assert_eq!(decoded, vector(0));
    let body = json!({"content": {"parts": [{"text": "a"}]}, "outputDimensionality": 5});
    let gemini = server
        .post("/v1beta/models/echo:embedContent", body.clone())
        .await
        .json();
    assert_eq!(
        gemini["embedding"]["values"],
        floats["data"][0]["embedding"]
    );
    let batch = server
        .post(
            "/v1beta/models/echo:batchEmbedContents",
            json!({"requests": [body]}),
        )
        .await
        .json();
    assert_eq!(batch["embeddings"][0], gemini["embedding"]);
}

#[tokio::test]
async fn messages_whole() {
    let mut server = Server::start().await;
    let body = server
        .messages("/think hm\n/tool f {\"a\": 1}\nhello", false)
        .await
        .json();
    let kinds: Vec<_> = (0..3)
        .map(|index| body["content"][index]["type"].clone())
        .collect();
    assert_eq!(kinds, ["thinking", "text", "tool_use"]);
    assert_eq!(body["content"][1]["text"], "hello");
    assert_eq!(body["content"][2]["input"], json!({"a": 1}));
    assert_eq!(body["stop_reason"], "tool_use");
    let body = json!({"model": "echo", "messages": [{"role": "user", "content": "12345678"}]});
    let body = server.post("/v1/messages/count_tokens", body).await.json();
    assert_eq!(body["input_tokens"], 4);
}

#[tokio::test]
async fn messages_stream() {
    let mut server = Server::start().await;
    let answered = server
        .messages("/think hm\n/tool f {\"a\": 1}\nhello you", true)
        .await;
    let events = answered.events();
    let mut kinds: Vec<&str> = events
        .iter()
        .map(|event| event["type"].as_str().unwrap())
        .collect();
    kinds.dedup();
    let block = [
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
    ];
    let mut expected = vec!["message_start", block[0], "ping", block[1], block[2]];
    expected.extend([block, block].concat());
    expected.extend(["message_delta", "message_stop"]);
    assert_eq!(kinds, expected);
    for event in &events {
        assert!(answered.text.contains(&format!(
            "event: {}\ndata: {event}\n\n",
            event["type"].as_str().unwrap()
        )));
    }
    assert_eq!(answered.joined("/delta/thinking"), "hm");
    assert_eq!(answered.joined("/delta/text"), "hello you");
    assert_eq!(answered.joined("/delta/partial_json"), "{\"a\": 1}");
    assert_eq!(answered.joined("/delta/stop_reason"), "tool_use");
}

#[tokio::test]
async fn gemini_in_three_framings() {
    let mut server = Server::start().await;
    let prompt = "/think hm\n/tool f {\"a\": 1}\nhello you";
    let whole = server.gemini(prompt, "generateContent").await.json();
    let parts = &whole["candidates"][0]["content"]["parts"];
    assert_eq!(parts[0], json!({"text": "hm", "thought": true}));
    assert_eq!(parts[1]["text"], "hello you");
    assert_eq!(parts[2]["functionCall"]["args"], json!({"a": 1}));
    assert_eq!(whole["candidates"][0]["finishReason"], "STOP");

    let sse = server.gemini(prompt, "streamGenerateContent?alt=sse").await;
    let array = server.gemini(prompt, "streamGenerateContent").await;
    assert_eq!(
        array.headers["content-type"],
        "application/json; charset=UTF-8"
    );
    let array: Vec<Value> = serde_json::from_str(&array.text).unwrap();
    for chunks in [sse.events(), array] {
        let parts: Vec<&Value> = chunks
            .iter()
            .map(|chunk| &chunk["candidates"][0]["content"]["parts"][0])
            .collect();
        let texts = parts.iter().filter(|part| part.get("thought").is_none());
        assert_eq!(
            texts
                .filter_map(|part| part["text"].as_str())
                .collect::<String>(),
            "hello you"
        );
        assert_eq!(
            parts
                .iter()
                .filter(|part| part.get("functionCall").is_some())
                .count(),
            1
        );
        let last = chunks.last().unwrap();
        assert_eq!(last["candidates"][0]["finishReason"], "STOP");
        assert_eq!(last["usageMetadata"], whole["usageMetadata"]);
    }
    let tokens = server.gemini("12345678", "countTokens").await.json();
    assert_eq!(tokens["totalTokens"], 3);
}
