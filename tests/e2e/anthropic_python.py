"""The Python SDK `anthropic`, unchanged, with nothing but ANTHROPIC_BASE_URL and ANTHROPIC_API_KEY set."""

import os

import anthropic

from cases import ATTACK, LIMITED_KEY, UNKNOWN_KEY, raises, run

client = anthropic.Anthropic(max_retries=0)
WEATHER = {"name": "weather", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}


def options(text, **more):
    return dict(model="echo", max_tokens=1000, system="Be brief.", messages=[{"role": "user", "content": text}], **more)


def ask(text, client=client, **more):
    return client.messages.create(**options(text, **more))


def stream(text, **more):
    """The text and the final message of a stream."""
    with client.messages.stream(**options(text, **more)) as events:
        text = "".join(events.text_stream)
        return text, events.get_final_message()


def case_messages():
    answer = ask("Grüße, 世界 🌍")
    assert answer.content[0].text == "Grüße, 世界 🌍"
    assert answer.stop_reason == "end_turn" and answer.usage.output_tokens > 0


def case_messages_stream():
    text, final = stream("Grüße, 世界 🌍")
    assert text == "Grüße, 世界 🌍" and final.stop_reason == "end_turn"


def case_tool_call():
    answer = ask('/tool weather {"city": "Zürich"}', tools=[WEATHER])
    call = next(block for block in answer.content if block.type == "tool_use")
    assert (call.name, call.input, answer.stop_reason) == ("weather", {"city": "Zürich"}, "tool_use")


def case_tool_call_stream():
    _, final = stream('/tool weather {"city": "Zürich"}', tools=[WEATHER])
    call = next(block for block in final.content if block.type == "tool_use")
    assert (call.name, call.input) == ("weather", {"city": "Zürich"})


def case_thinking_stream():
    _, final = stream("/think let me see\nHello")
    assert [block.type for block in final.content] == ["thinking", "text"]
    assert final.content[0].thinking == "let me see"


def case_count_tokens():
    counted = client.messages.count_tokens(model="echo", messages=[{"role": "user", "content": "Hello"}])
    assert counted.input_tokens > 0


def case_models():
    at_echo = anthropic.Anthropic(base_url=os.environ["ANTHROPIC_BASE_URL"] + "/echo", max_retries=0)
    assert any(model.id.startswith("echo") for model in at_echo.models.list())


def case_blocked():
    error = raises(anthropic.BadRequestError, lambda: ask(ATTACK))
    assert error.status_code == 400 and error.body["type"] == "error", error.body
    assert error.response.headers["x-sluicegate-request-id"]
    assert "previous instructions" not in str(error), "the refusal repeats the prompt"


def case_blocked_stream():
    raises(anthropic.BadRequestError, lambda: stream(ATTACK))


def case_blocked_tool_result():
    result = [{"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": ATTACK}]}]
    raises(anthropic.BadRequestError, lambda: ask(result))


def case_redacted():
    text = ask("/leak openai-key").content[0].text
    assert "[OPENAI_KEY]" in text and "sk-" not in text, text


def case_redacted_stream():
    text, final = stream("/leak openai-key")
    assert "[OPENAI_KEY]" in text and "sk-" not in text, text
    assert final.content[0].text == text


def case_upstream_error():
    error = raises(anthropic.InternalServerError, lambda: ask("/error 500"))
    assert error.status_code == 500
    error = raises(anthropic.RateLimitError, lambda: ask("/error 429"))
    assert error.response.headers["retry-after"]
    raises(anthropic.APIStatusError, lambda: ask("/error 529"))


def case_cut_stream():
    raises(anthropic.APIError, lambda: stream("Hello\n/cut"))


def case_rate_limit():
    limited = anthropic.Anthropic(api_key=LIMITED_KEY, max_retries=0)
    assert ask("Hello", limited).content[0].text == "Hello"
    error = raises(anthropic.RateLimitError, lambda: ask("Hello", limited))
    assert 1 <= int(error.response.headers["retry-after"]) <= 60


def case_unknown_key():
    stranger = anthropic.Anthropic(api_key=UNKNOWN_KEY, max_retries=0)
    error = raises(anthropic.AuthenticationError, lambda: ask("Hello", stranger))
    assert UNKNOWN_KEY not in str(error)


run(globals())
