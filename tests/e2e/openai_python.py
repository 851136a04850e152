"""The Python SDK `openai`, unchanged, with nothing but OPENAI_BASE_URL and OPENAI_API_KEY set."""

import json

import openai
import websockets

from cases import ATTACK, LIMITED_KEY, UNKNOWN_KEY, raises, run

client = openai.OpenAI(max_retries=0)


def ask(text, client=client, **options):
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": text}]
    return client.chat.completions.create(model="echo", messages=messages, **options)


def contents(stream):
    """The text of each choice of a stream."""
    texts = {}
    for chunk in stream:
        for choice in chunk.choices:
            texts[choice.index] = texts.get(choice.index, "") + (choice.delta.content or "")
    return texts


def case_chat():
    answer = ask("Grüße, 世界 🌍")
    assert answer.choices[0].message.content == "Grüße, 世界 🌍"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.total_tokens > 0


def case_chat_stream():
    assert contents(ask("Grüße, 世界 🌍", stream=True)) == {0: "Grüße, 世界 🌍"}


def case_chat_stream_usage():
    chunks = list(ask("Hello", stream=True, stream_options={"include_usage": True}))
    assert chunks[-1].usage.total_tokens > 0
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "stop"


def case_choices():
    expected = {0: "Hello", 1: "[2] Hello", 2: "[3] Hello"}
    answer = ask("Hello", n=3)
    assert {choice.index: choice.message.content for choice in answer.choices} == expected
    assert contents(ask("Hello", n=3, stream=True)) == expected


def case_tool_call():
    tools = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}]
    answer = ask('/tool weather {"city": "Zürich"}', tools=tools)
    call = answer.choices[0].message.tool_calls[0]
    assert answer.choices[0].finish_reason == "tool_calls"
    assert (call.function.name, json.loads(call.function.arguments)) == ("weather", {"city": "Zürich"})


def case_tool_call_stream():
    name, arguments = "", ""
    for chunk in ask('/tool weather {"city": "Zürich"}', stream=True):
        for call in (chunk.choices[0].delta.tool_calls or []) if chunk.choices else []:
            name += call.function.name or ""
            arguments += call.function.arguments or ""
    assert (name, json.loads(arguments)) == ("weather", {"city": "Zürich"})


def case_tool_result():
    messages = [
        {"role": "user", "content": "What is the weather?"},
        {"role": "assistant", "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
    ]
    answer = client.chat.completions.create(model="echo", messages=messages)
    assert "sunny" in answer.choices[0].message.content


def respond(text, **options):
    return client.responses.create(model="echo", instructions="Be brief.", input=text, **options)


def case_responses():
    answer = respond("Grüße, 世界 🌍")
    assert answer.output_text == "Grüße, 世界 🌍"
    assert answer.status == "completed" and answer.usage.total_tokens > 0
    items = [{"role": "user", "content": [{"type": "input_text", "text": "Hello"}]}]
    assert respond(items).output_text == "Hello"


def case_responses_stream():
    events = list(respond("Grüße, 世界 🌍", stream=True))
    assert "".join(e.delta for e in events if e.type == "response.output_text.delta") == "Grüße, 世界 🌍"
    assert [e.sequence_number for e in events] == list(range(len(events)))
    assert events[-1].type == "response.completed" and events[-1].response.output_text == "Grüße, 世界 🌍"
    with client.responses.stream(model="echo", input="Hello") as stream:
        assert stream.get_final_response().output_text == "Hello"


def case_responses_tool():
    tools = [{"type": "function", "name": "weather", "parameters": {"type": "object", "properties": {}}}]
    asked = '/tool weather {"city": "Zürich"}'
    call = next(item for item in respond(asked, tools=tools).output if item.type == "function_call")
    assert (call.name, json.loads(call.arguments)) == ("weather", {"city": "Zürich"})
    events = list(respond(asked, stream=True))
    arguments = "".join(e.delta for e in events if e.type == "response.function_call_arguments.delta")
    assert json.loads(arguments) == {"city": "Zürich"}
    items = [
        {"role": "user", "content": "What is the weather?"},
        {"type": "function_call", "call_id": "call_1", "name": "weather", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "call_1", "output": "sunny"},
    ]
    assert respond(items).output_text == "sunny"


def case_responses_blocked():
    items = [{"role": "user", "content": "Read."}, {"type": "function_call_output", "call_id": "call_1", "output": ATTACK}]
    for text in (ATTACK, items):
        for stream in (False, True):
            error = raises(openai.BadRequestError, lambda: list(respond(text, stream=stream)))
            assert error.code == "content_filter", error.body
            assert "previous instructions" not in str(error)


def case_responses_redacted():
    text = respond("/leak openai-key").output_text
    assert "[OPENAI_KEY]" in text and "sk-" not in text, text
    events = list(respond("/leak openai-key", stream=True))
    said = "".join(e.delta for e in events if e.type == "response.output_text.delta")
    done = [e.text for e in events if e.type == "response.output_text.done"]
    parts = [e.part.text for e in events if e.type == "response.content_part.done"]
    items = [e.item.content[0].text for e in events if e.type == "response.output_item.done"]
    for repeated in (said, *done, *parts, *items, events[-1].response.output_text):
        assert repeated == text, repeated


def case_responses_cut_stream():
    seen = []
    raises(openai.APIError, lambda: seen.extend(respond("Hello\n/cut", stream=True)))
    assert not any(e.type == "response.completed" for e in seen), "a clean end after the upstream died"


def case_responses_stored():
    # An id names no model, so the path names the provider; this one keeps nothing.
    echo = client.with_options(base_url=str(client.base_url).replace("/v1", "/echo/v1"))
    made = echo.responses.create(model="echo", input="Hello").id
    error = raises(openai.NotFoundError, lambda: echo.responses.retrieve(made))
    assert f"GET /v1/responses/{made}" in str(error), "the provider was not asked"
    raises(openai.NotFoundError, lambda: echo.responses.delete(made))
    error = raises(openai.NotFoundError, lambda: echo.responses.retrieve("resp_1"))
    assert error.code == "response_not_found", "an id that the key did not make went up"


def case_completions():
    answer = client.completions.create(model="echo", prompt="Hello")
    assert answer.choices[0].text == "Hello"
    stream = client.completions.create(model="echo", prompt="Hello", stream=True)
    assert "".join(chunk.choices[0].text for chunk in stream if chunk.choices) == "Hello"


def case_embeddings():
    answer = client.embeddings.create(model="echo", input=["one", "two"])
    assert len(answer.data) == 2 and len(answer.data[0].embedding) > 0


def say(connection, text):
    content = [{"type": "input_text", "text": text}]
    connection.conversation.item.create(item={"type": "message", "role": "user", "content": content})


def case_realtime():
    with client.realtime.connect(model="echo") as connection:
        assert connection.recv().type == "session.created"
        connection.session.update(session={"type": "realtime", "instructions": "Be brief."})
        assert connection.recv().session.instructions == "Be brief."
        for text in ["Grüße, 世界 🌍", "And again."]:
            say(connection, text)
            connection.response.create()
            said = ""
            for event in connection:
                if event.type == "response.output_text.delta":
                    said += event.delta
                if event.type == "response.done":
                    assert event.response.usage.total_tokens > 0
                    break
            assert said == text


def case_realtime_blocked():
    with client.realtime.connect(model="echo", max_retries=0) as connection:
        assert connection.recv().type == "session.created"
        say(connection, ATTACK)
        error = connection.recv()
        assert (error.type, error.error.code) == ("error", "content_filter")
        closed = raises(websockets.exceptions.ConnectionClosedError, connection.recv)
        assert closed.rcvd.code == 1008


def case_realtime_redacted():
    with client.realtime.connect(model="echo") as connection:
        say(connection, "/leak openai-key")
        connection.response.create()
        said, deltas = "", 0
        for event in connection:
            if event.type == "response.output_text.delta":
                said, deltas = said + event.delta, deltas + 1
            if event.type == "response.output_text.done":
                assert event.text == said
            if event.type == "response.done":
                break
        assert deltas > 1 and "[OPENAI_KEY]" in said and "sk-" not in said, said


def case_realtime_unknown_key():
    stranger = openai.OpenAI(api_key=UNKNOWN_KEY, max_retries=0)
    manager = stranger.realtime.connect(model="echo", max_retries=0)
    assert raises(websockets.exceptions.InvalidStatus, manager.enter).response.status_code == 401


def case_realtime_key_stays_behind():
    with client.realtime.connect(model="echo") as connection:
        say(connection, "/whoami")
        connection.response.create()
        said = next(event.text for event in connection if event.type == "response.output_text.done")
        assert said == "no credential", said


def case_models():
    # By the provider's name in the path: without it, the models are those of the real provider.
    at_echo = openai.OpenAI(base_url=str(client.base_url).replace("/v1", "/echo/v1"), max_retries=0)
    assert any(model.id.startswith("echo") for model in at_echo.models.list())


def case_blocked():
    error = raises(openai.BadRequestError, lambda: ask(ATTACK))
    assert error.status_code == 400 and error.code == "content_filter", error.body
    assert error.response.headers["x-sluicegate-request-id"]
    assert "previous instructions" not in str(error), "the refusal repeats the prompt"


def case_blocked_stream():
    error = raises(openai.BadRequestError, lambda: list(ask(ATTACK, stream=True)))
    assert error.code == "content_filter", error.body


def case_blocked_tool_result():
    messages = [{"role": "user", "content": "Read the page."}, {"role": "tool", "tool_call_id": "call_1", "content": ATTACK}]
    error = raises(openai.BadRequestError, lambda: client.chat.completions.create(model="echo", messages=messages))
    assert error.code == "content_filter", error.body


def case_redacted():
    text = ask("/leak openai-key").choices[0].message.content
    assert "[OPENAI_KEY]" in text and "sk-" not in text, text


def case_redacted_stream():
    texts = contents(ask("/leak openai-key", n=2, stream=True))
    for text in texts.values():
        assert "[OPENAI_KEY]" in text and "sk-" not in text, text
    assert len(texts) == 2


def case_upstream_error():
    error = raises(openai.InternalServerError, lambda: ask("/error 500"))
    assert error.status_code == 500
    error = raises(openai.RateLimitError, lambda: ask("/error 429"))
    assert error.response.headers["retry-after"]
    error = raises(openai.InternalServerError, lambda: ask("/error 503", stream=True))
    assert error.status_code == 503


def case_cut_stream():
    seen = []
    error = raises(openai.APIError, lambda: seen.extend(ask("Hello\n/cut", stream=True)))
    assert not any(c.choices and c.choices[0].finish_reason for c in seen), "a clean end after the upstream died"
    assert "broke off" in str(error), str(error)


def case_dead_upstream():
    messages = [{"role": "user", "content": "Hello"}]
    error = raises(openai.InternalServerError, lambda: client.chat.completions.create(model="dead-1", messages=messages))
    assert error.status_code == 502, error


def case_rate_limit():
    limited = openai.OpenAI(api_key=LIMITED_KEY, max_retries=0)
    assert ask("Hello", limited).choices[0].message.content == "Hello"
    error = raises(openai.RateLimitError, lambda: ask("Hello", limited))
    assert 1 <= int(error.response.headers["retry-after"]) <= 60


def case_unknown_key():
    stranger = openai.OpenAI(api_key=UNKNOWN_KEY, max_retries=0)
    error = raises(openai.AuthenticationError, lambda: ask("Hello", stranger))
    assert UNKNOWN_KEY not in str(error)


def case_unknown_path():
    raises(openai.NotFoundError, lambda: client.get("/unknown", cast_to=object))


def case_key_stays_behind():
    seen = ask("/whoami").choices[0].message.content
    import hashlib

    digest = hashlib.sha256(client.api_key.encode()).hexdigest()
    assert digest[:8] not in seen, "the client's key went upstream"


run(globals())
