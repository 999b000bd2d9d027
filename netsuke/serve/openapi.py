"""What the server answers, as OpenAPI 3.1: made from the same checks that the routes use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import __version__
from . import fields, messages, ollama, responses
from .checks import Check, object_schema
from .feedback import FEEDBACK
from .search import SEARCH

_BODIES: dict[str, tuple[str, Mapping[str, Check], tuple[str, ...]]] = {
    "/v1/chat/completions": ("A conversation, as OpenAI has it.", fields.CHAT, ("messages",)),
    "/v1/completions": ("Goes on writing.", fields.COMPLETION, ("prompt",)),
    "/v1/embeddings": ("Vectors of texts.", fields.EMBEDDING, ("input",)),
    "/v1/responses": ("A conversation, as OpenAI's newer API has it.", responses.RESPONSES, responses.REQUIRED),
    "/v1/messages": ("A conversation, as Anthropic has it.", messages.MESSAGES, messages.REQUIRED),
    "/v1/search": ("What the documents say, in their own words.", SEARCH, ("query",)),
    "/v1/feedback": ("A thumb for an answer, and a better one to learn from.", FEEDBACK, ("id",)),
    "/infill": ("Fills a hole in code, as llama.cpp has it.", fields.INFILL, ()),
    "/api/chat": ("A conversation, as Ollama has it.", ollama.CHAT, ("model", "messages")),
    "/api/generate": ("Answers or goes on writing, as Ollama has it.", ollama.GENERATE, ("model",)),
    "/api/embed": ("Vectors of texts, as Ollama has it.", ollama.EMBED, ("model", "input")),
    "/api/show": ("A model, as Ollama has it.", ollama.SHOW, ()),
}
_READ = {
    "/v1/models": ("The models, as OpenAI lists them.", {"object": "string", "data": "array"}),
    "/api/tags": ("The models, as Ollama lists them.", {"models": "array"}),
    "/api/ps": ("Those that run.", {"models": "array"}),
    "/api/version": ("The version.", {"version": "string"}),
    "/openapi.json": ("This description.", {"openapi": "string", "paths": "object"}),
}
_ANSWERS = {
    "/v1/chat/completions": {"id": "string", "object": "string", "model": "string", "choices": "array"},
    "/v1/completions": {"object": "string", "model": "string", "choices": "array"},
    "/v1/embeddings": {"object": "string", "model": "string", "data": "array"},
    "/v1/responses": {"id": "string", "object": "string", "status": "string", "output": "array"},
    "/v1/messages": {"id": "string", "type": "string", "role": "string", "content": "array"},
    "/v1/search": {"object": "string", "model": "string", "found": "boolean", "quotes": "array"},
    "/v1/feedback": {"object": "string", "id": "string"},
    "/infill": {"model": "string"},
    "/api/chat": {"model": "string", "message": "object", "done": "boolean"},
    "/api/generate": {"model": "string", "response": "string", "done": "boolean"},
    "/api/embed": {"model": "string", "embeddings": "array"},
    "/api/show": {"details": "object", "capabilities": "array"},
}
_BY_NAME = {"parameters": [{"name": "name", "in": "path", "required": True, "schema": {"type": "string"}}]}
_NO = {
    "400": "A field is wrong; the answer names it.",
    "401": "No key of this server, or a wrong one.",
    "403": "This key may not, or the request came from another web page.",
    "404": "There is no such model, or no such answer.",
    "405": "Another verb.",
    "408": "The body did not arrive in time.",
    "413": "The body is too large.",
    "415": "The body is not said to be JSON.",
    "421": "Another host name.",
    "429": "Too many requests, or too many tokens for today; Retry-After says when.",
    "501": "This model cannot.",
    "503": "The engine is not there just now; Retry-After says when.",
}


def described() -> dict[str, Any]:
    """The description, as plain values."""
    paths: dict[str, Any] = {"/health": {"get": _told("Whether it is up.", {"status": "string"}) | {"security": []}}}
    for path, (summary, checks, required) in _BODIES.items():
        sent = {"application/json": {"schema": object_schema(checks, required)}}
        told = _told(summary, _ANSWERS[path], streams="stream" in checks, error=path)
        paths[path] = {"post": {**told, "requestBody": {"required": True, "content": sent}}}
    for path, (summary, shape) in _READ.items():
        paths[path] = {"get": _told(summary, shape, error=path)}
    paths["/v1/models/{name}"] = {"get": _told("One of them.", {"id": "string", "object": "string"}) | _BY_NAME}
    numbers = _told("Numbers, as Prometheus reads them.", {})
    numbers["responses"]["200"]["content"] = {"text/plain": {"schema": {"type": "string"}}}
    paths["/metrics"] = {"get": numbers}
    schemes = {
        "bearer": {"type": "http", "scheme": "bearer"},
        "header": {"type": "apiKey", "in": "header", "name": "x-api-key"},
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "netsuke", "version": __version__},
        "security": [{"bearer": []}, {"header": []}],
        "components": {"securitySchemes": schemes},
        "paths": paths,
    }


def _told(summary: str, shape: Mapping[str, str], *, streams: bool = False, error: str = "") -> dict[str, Any]:
    properties = {name: {"type": kind} for name, kind in shape.items()}
    whole = {"schema": {"type": "object", "properties": properties, "required": list(shape)}}
    content: dict[str, Any] = {"application/json": whole}
    if streams:
        kind = "application/x-ndjson" if error.startswith("/api/") else "text/event-stream"
        content[kind] = {}  # line after line, which this version has no words for
    refusals = {status: {"description": what, "content": _error(error)} for status, what in _NO.items()}
    return {"summary": summary, "responses": {"200": {"description": "Done.", "content": content}, **refusals}}


def _error(path: str) -> dict[str, Any]:
    kind = "string" if path.startswith("/api/") else "object"
    shape = {"type": "object", "properties": {"error": {"type": kind}}, "required": ["error"]}
    return {"application/json": {"schema": shape}}
