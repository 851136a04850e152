"""Bodies and events with every field of the providers' published schemas, from the models of their SDKs.

    target/sdk/venv/bin/python tests/fields/published.py

writes tests/fields/published/<api>.jsonl (or those of another folder) anew; `SLUICEGATE_UPDATE=1 cargo test --test golden` then writes how each field is
treated, to be read before it is committed. OpenAI's and Anthropic's models are generated from their OpenAPI descriptions,
Google's from its discovery document. Free text is "free text", so that no field can pass for a word of the protocol.
"""

import datetime
import enum
import importlib.metadata
import inspect
import json
import pathlib
import sys
import typing

import pydantic
import typing_extensions
from anthropic import types as anthropic
from anthropic.types import beta as anthropic_beta
from google.genai import types as google
from openai import types as openai
from openai.types import chat, realtime, responses

TEXT = "free text"
UNIONS = (typing.Union, type(int | str))


class Samples:
    """Values of types; the parts of one that were shown at a place are not shown there again."""

    def __init__(self):
        self.shown = set()

    def of(self, kind, path="", above=()):
        """Values of a type that together have all its fields."""
        origin, inner = typing.get_origin(kind), typing.get_args(kind)
        if origin in (typing.Annotated, typing_extensions.Required, typing_extensions.NotRequired):
            return self.of(inner[0], path, above)
        if origin in (typing.Literal, typing_extensions.Literal):
            return [inner[0]]
        if origin in UNIONS:
            return [value for one in inner for value in self.of(one, path, above)]
        if isinstance(kind, typing.TypeVar) or kind in (typing.Any, object):
            return [{"any key": TEXT}]
        name = getattr(origin or kind, "__name__", "")
        if name in ("List", "list", "Iterable", "Sequence", "SequenceNotStr"):
            items = self.of(inner[0], f"{path}[]", above)
            return [items] if items else []
        if name in ("Dict", "dict", "Mapping"):
            values = self.of(inner[1], f"{path}{{}}", above) if inner else [TEXT]
            return [{f"key {at}": value for at, value in enumerate(values)}] if values else []
        if inspect.isclass(kind) and issubclass(kind, enum.Enum):
            return [next((word.value for word in kind), TEXT)]
        if inspect.isclass(kind) and issubclass(kind, pydantic.BaseModel):
            fields = {
                field.serialization_alias or field.alias or name: (field.annotation, field.is_required())
                for name, field in kind.model_fields.items()
            }
            return self.fields(kind, fields, path, above)
        if typing_extensions.is_typeddict(kind):
            hints = typing_extensions.get_type_hints(kind, include_extras=True)
            fields = {name: (hint, name in kind.__required_keys__) for name, hint in hints.items()}
            return self.fields(kind, fields, path, above)
        return {str: [TEXT], int: [1], float: [0.5], bool: [True], bytes: [TEXT]}.get(kind, self.odd(kind, path))

    def odd(self, kind, path):
        if kind is type(None):
            return []
        if kind in (datetime.datetime, datetime.date):
            return ["2026-01-01T00:00:00Z"]
        if inspect.isclass(kind) or typing.get_origin(kind) in (typing.IO, type, typing.Callable, tuple):
            return []  # files and other things that only live in a program
        raise TypeError(f"{path}: {kind}")

    def fields(self, kind, fields, path, above):
        if above.count(kind):
            return []
        again = (path, kind) in self.shown
        self.shown.add((path, kind))
        first, more = {}, []
        for name, (hint, required) in fields.items():
            if again and not required:
                continue
            values = self.of(hint, f"{path}.{name}", (*above, kind))
            if values:
                first[name] = values[0]
                more += [(name, value) for value in values[1:]]
        tags = {name: value for name, value in first.items() if name in ("type", "role", "object", "model")}
        return [first] + [{**tags, name: value} for name, value in more]


def gemini_request():
    """GenerateContentRequest, as the service takes it; the SDK's own parameters have another shape."""
    parts = {
        "contents": list[google.Content],
        "systemInstruction": google.Content,
        "tools": list[google.Tool],
        "toolConfig": google.ToolConfig,
        "safetySettings": list[google.SafetySetting],
        "generationConfig": google.GenerationConfig,
        "cachedContent": str,
        "labels": dict[str, str],
        "model": str,
        "content": google.Content,
        "taskType": str,
        "title": str,
    }
    return typing_extensions.TypedDict("GenerateContentRequest", parts)


APIS = {
    "chat": (
        "openai",
        [chat.completion_create_params.CompletionCreateParams],
        [chat.ChatCompletion],
        [chat.ChatCompletionChunk],
    ),
    "responses": (
        "openai",
        [responses.response_create_params.ResponseCreateParams],
        [responses.Response, responses.ResponseItemList, responses.CompactedResponse],
        [responses.ResponseStreamEvent],
    ),
    "completions": (
        "openai",
        [openai.completion_create_params.CompletionCreateParams],
        [openai.Completion],
        [openai.Completion],
    ),
    "embeddings": (
        "openai",
        [openai.embedding_create_params.EmbeddingCreateParams],
        [openai.CreateEmbeddingResponse],
        [],
    ),
    "messages": (
        "anthropic",
        [anthropic.message_create_params.MessageCreateParams, anthropic_beta.message_create_params.MessageCreateParams],
        [anthropic.Message, anthropic_beta.BetaMessage],
        [anthropic.RawMessageStreamEvent, anthropic_beta.BetaRawMessageStreamEvent],
    ),
    "gemini": (
        "google-genai",
        [gemini_request()],
        [google.GenerateContentResponse, google.CountTokensResponse, google.EmbedContentResponse],
        [google.GenerateContentResponse],
    ),
    "realtime": ("openai", [realtime.RealtimeClientEvent], [], [realtime.RealtimeServerEvent]),
}


def main():
    folder = pathlib.Path(sys.argv[1]) if sys.argv[1:] else pathlib.Path(__file__).parent / "published"
    folder.mkdir(exist_ok=True)
    for api, (package, *kinds) in APIS.items():
        version = importlib.metadata.version(package)
        lines = [json.dumps({"source": f"{package} {version} (PyPI)"})]
        for way, types in zip(("request", "response", "event"), kinds):
            samples = Samples()
            for value in (value for kind in types for value in samples.of(kind)):
                lines.append(json.dumps({way: value}, separators=(",", ":")))
        (folder / f"{api}.jsonl").write_text("\n".join(lines) + "\n")


main()
