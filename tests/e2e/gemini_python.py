"""The Python SDK `google-genai`, unchanged, with nothing but GOOGLE_GEMINI_BASE_URL and GEMINI_API_KEY set."""

import os

from google import genai
from google.genai import errors, types

from cases import ATTACK, LIMITED_KEY, UNKNOWN_KEY, raises, run

ONCE = types.HttpOptions(retry_options=types.HttpRetryOptions(attempts=1))
client = genai.Client(http_options=ONCE)


def ask(text, client=client, **more):
    return client.models.generate_content(model="echo", contents=text, **more)


def stream(text):
    return "".join(chunk.text or "" for chunk in client.models.generate_content_stream(model="echo", contents=text))


def case_generate():
    answer = ask("Grüße, 世界 🌍")
    assert answer.text == "Grüße, 世界 🌍"
    assert answer.usage_metadata.total_token_count > 0


def case_generate_stream():
    assert stream("Grüße, 世界 🌍") == "Grüße, 世界 🌍"


def case_candidates():
    answer = ask("Hello", config=types.GenerateContentConfig(candidate_count=2))
    assert [candidate.content.parts[0].text for candidate in answer.candidates] == ["Hello", "[2] Hello"]


def case_tool_call():
    declared = types.FunctionDeclaration(name="weather", parameters_json_schema={"type": "object", "properties": {}})
    config = types.GenerateContentConfig(tools=[types.Tool(function_declarations=[declared])])
    call = ask('/tool weather {"city": "Zürich"}', config=config).function_calls[0]
    assert (call.name, call.args) == ("weather", {"city": "Zürich"})


def case_count_tokens():
    assert client.models.count_tokens(model="echo", contents="Hello").total_tokens > 0


def case_embeddings():
    answer = client.models.embed_content(model="echo", contents=["one", "two"])
    assert len(answer.embeddings) == 2 and len(answer.embeddings[0].values) > 0


def case_models():
    options = types.HttpOptions(base_url=os.environ["GOOGLE_GEMINI_BASE_URL"] + "/echo")
    at_echo = genai.Client(http_options=options)
    assert any("echo" in model.name for model in at_echo.models.list())


def case_blocked():
    error = raises(errors.ClientError, lambda: ask(ATTACK))
    assert error.code == 400, error
    assert "previous instructions" not in str(error), "the refusal repeats the prompt"


def case_blocked_stream():
    assert raises(errors.ClientError, lambda: stream(ATTACK)).code == 400


def case_redacted():
    text = ask("/leak openai-key").text
    assert "[OPENAI_KEY]" in text and "sk-" not in text, text


def case_redacted_stream():
    text = stream("/leak openai-key")
    assert "[OPENAI_KEY]" in text and "sk-" not in text, text


def case_upstream_error():
    assert raises(errors.ServerError, lambda: ask("/error 500")).code == 500
    assert raises(errors.ClientError, lambda: ask("/error 429")).code == 429


def case_rate_limit():
    limited = genai.Client(api_key=LIMITED_KEY, http_options=ONCE)
    assert ask("Hello", limited).text == "Hello"
    error = raises(errors.ClientError, lambda: ask("Hello", limited))
    assert error.code == 429 and 1 <= int(error.response.headers["retry-after"]) <= 60


def case_unknown_key():
    stranger = genai.Client(api_key=UNKNOWN_KEY, http_options=ONCE)
    error = raises(errors.ClientError, lambda: ask("Hello", stranger))
    assert error.code in (400, 401) and UNKNOWN_KEY not in str(error)


run(globals())
