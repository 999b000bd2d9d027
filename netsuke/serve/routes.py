"""The routes: each reads its fields, says which model, and hands the rest to the engine that has it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from .. import __version__
from . import body, completion, dialect, fields, messages, metrics, ollama, openapi, responses
from .chat import Chat
from .feedback import FEEDBACK, Answers, Feedback
from .infill import Infilling
from .keys import Key
from .prompts import prompts_of
from .refused import Refused
from .relay import Asked, Relay
from .search import SEARCH, Searching
from .shelf import Kind, Shelf
from .writer import Writer


class Routes:
    """What a shelf of models can be asked, by whom."""

    def __init__(self, shelf: Shelf, writer: Writer) -> None:
        self.shelf, self.writer, self.documents = shelf, writer, Searching(shelf.models)
        self.answers = Answers(writer.home)
        self.found = Feedback(self.answers, shelf.models)
        self.paths: dict[str, tuple[str, Callable[[Request], Any]]] = {
            "/health": ("GET", self.health),
            "/v1/models": ("GET", self.models),
            "/v1/models/{name}": ("GET", self.one_model),
            "/v1/chat/completions": ("POST", self.chat),
            "/v1/completions": ("POST", self.completions),
            "/v1/embeddings": ("POST", self.embeddings),
            "/v1/responses": ("POST", self.responses),
            "/v1/messages": ("POST", self.messages),
            "/v1/search": ("POST", self.search),
            "/v1/feedback": ("POST", self.feedback),
            "/infill": ("POST", self.infill),
            "/metrics": ("GET", self.metrics),
            "/openapi.json": ("GET", self.openapi),
            "/api/chat": ("POST", self.ollama_chat),
            "/api/generate": ("POST", self.ollama_generate),
            "/api/embed": ("POST", self.ollama_embed),
            "/api/tags": ("GET", self.ollama_tags),
            "/api/ps": ("GET", self.ollama_ps),
            "/api/show": ("POST", self.ollama_show),
            "/api/version": ("GET", self.ollama_version),
        }
        self.numbers = metrics.Metrics(self.paths)

    def all(self) -> list[Route]:
        return [Route(path, endpoint, methods=[method]) for path, (method, endpoint) in self.paths.items()]

    # -- which model ---------------------------------------------------------------------------------------
    def known(self, request: Request) -> list[str]:
        """The models that whoever asks may use."""
        key: Key = request.scope["key"]
        return [name for name in self.shelf.models.names() if key.may_use(name)]

    def model(self, request: Request, wanted: str | None) -> str:
        """The model that is asked. Raises Refused: 403 where it is not theirs, 404 where there is none."""
        key: Key = request.scope["key"]
        known = self.known(request)
        if wanted is None and known:
            return known[0]
        if wanted in known:
            return wanted
        request.scope["record"].model = ""
        if wanted is None and not self.shelf.models.names():
            message = "There is no model here yet: netsuke make FOLDER makes one."
            raise Refused(404, message, code="model_not_found", param="model")
        if wanted is None or not key.may_use(wanted):
            shown = "any model" if wanted is None else f"the model {wanted[:64]!r}"
            raise Refused(403, f"This key may not use {shown}.", code="model_not_allowed", param="model")
        message = f"There is no model {wanted[:64]!r} here; there is {', '.join(known) or 'none'}."
        raise Refused(404, message, code="model_not_found", param="model")

    def _asked(
        self, request: Request, given: Mapping[str, Any], sent: dict[str, Any],
        speak: Callable[[str], dialect.Dialect] = dialect.Dialect, kind: Kind = "text",
    ) -> Asked:  # fmt: skip
        wanted = given.get("model")
        if wanted is not None and request.scope["path"].startswith("/api/"):
            wanted = wanted.removesuffix(":latest")
        name, record = self.model(request, wanted), request.scope["record"]
        if kind == "text":
            record.prompts, record.suggests = prompts_of(sent), "input_prefix" in sent
        voices = given.get("voices") or given.get("options", {}).get("voices", {})
        spoken = speak(name)
        spoken.shown = fields.shown(given)
        return Asked(self.shelf, record, name, sent, spoken, kind, voices)

    # -- OpenAI --------------------------------------------------------------------------------------------
    async def chat(self, request: Request) -> Chat:
        given = fields.checked(await body.read(request), fields.CHAT, "messages")
        return Chat(self._asked(request, given, fields.for_engine(given)))

    async def completions(self, request: Request) -> Relay:
        given = fields.checked(await body.read(request), fields.COMPLETION, "prompt")
        asked = self._asked(request, given, fields.for_engine(given), completion.Completed)
        return Relay(asked, "/v1/completions")

    async def embeddings(self, request: Request) -> Relay:
        given = fields.checked(await body.read(request), fields.EMBEDDING, "input")
        sent = {name: value for name, value in given.items() if name in ("input", "encoding_format")}
        return Relay(self._asked(request, given, sent, kind="vectors"), "/v1/embeddings")

    async def responses(self, request: Request) -> Chat:
        given = fields.checked(await body.read(request), responses.RESPONSES, *responses.REQUIRED)
        return Chat(self._asked(request, given, responses.as_chat(given), responses.Responses))

    async def messages(self, request: Request) -> Chat:
        given = fields.checked(await body.read(request), messages.MESSAGES, *messages.REQUIRED)
        return Chat(self._asked(request, given, messages.as_chat(given), messages.Messages))

    async def infill(self, request: Request) -> Infilling:
        given = fields.infilling(await body.read(request))
        sent = {name: value for name, value in given.items() if name not in ("model", "voices")}
        return Infilling(self._asked(request, given, sent))

    async def models(self, request: Request) -> Response:
        return JSONResponse({"object": "list", "data": [self._listed(name) for name in self.known(request)]})

    async def one_model(self, request: Request) -> Response:
        return JSONResponse(self._listed(self.model(request, request.path_params["name"])))

    def _listed(self, name: str) -> dict[str, Any]:
        facts = self.shelf.models.facts(name)
        card = {"id": name, "object": "model", "created": int(facts.modified) if facts else 0, "owned_by": "netsuke"}
        voices = {"voices": list(facts.voices)} if facts and facts.voices else {}
        return {**card, "context_length": self._context(name), **voices}

    def _context(self, name: str) -> int:
        facts = self.shelf.models.facts(name)
        return self.shelf.context_of(facts.task if facts else False)

    # -- ours ----------------------------------------------------------------------------------------------
    async def search(self, request: Request) -> Response:
        given = fields.checked(await body.read(request), SEARCH, "query")
        if not given["query"].strip():
            raise fields.wrong("query", "is empty")
        name = request.scope["record"].model = self.model(request, given.get("model"))
        return JSONResponse(await self.documents.answer(name, given["query"], given.get("most", 3)))

    async def feedback(self, request: Request) -> Response:
        given = fields.checked(await body.read(request), FEEDBACK, "id")
        model, told = await self.found.take(request.scope["key"].name, given)
        if thumb := told["thumb"]:
            self.numbers.thumbs.labels(model, thumb).inc()
        return JSONResponse(told)

    # -- Ollama --------------------------------------------------------------------------------------------
    async def ollama_chat(self, request: Request) -> Chat | Response:
        given = fields.checked(await body.read(request), ollama.CHAT, "model", "messages")
        if not given["messages"]:
            return await self._loaded(request, given, ollama.Chatted)
        return Chat(self._asked(request, given, ollama.as_chat(given), ollama.Chatted))

    async def ollama_generate(self, request: Request) -> Relay | Response:
        given = fields.checked(await body.read(request), ollama.GENERATE, "model")
        if not given.get("prompt"):
            return await self._loaded(request, given, ollama.Generated)
        if given.get("suffix"):
            return Infilling(self._asked(request, given, ollama.as_infilling(given), ollama.Generated))
        if given.get("raw"):
            asked = self._asked(request, given, ollama.as_completion(given), ollama.Generated)
            return Relay(asked, "/v1/completions")
        return Chat(self._asked(request, given, ollama.as_asked(given), ollama.Generated))

    async def _loaded(self, request: Request, given: Mapping[str, Any], speak: type[ollama.Generated]) -> Response:
        """Their way of asking that a model be there."""
        asked = self._asked(request, given, {}, speak)
        async with self.shelf.lent(asked.model):
            return JSONResponse(speak(asked.model).loaded())

    async def ollama_embed(self, request: Request) -> Relay:
        given = fields.checked(await body.read(request), ollama.EMBED, "model", "input")
        sent = ollama.as_embedding(given)
        return Relay(self._asked(request, given, sent, ollama.Embedded, "vectors"), "/v1/embeddings")

    async def ollama_tags(self, request: Request) -> Response:
        return JSONResponse({"models": [self._card(name) for name in self.known(request)]})

    async def ollama_ps(self, request: Request) -> Response:
        known = self.known(request)
        running = dict.fromkeys(seat.name for seat in self.shelf.seats if seat.name in known)
        more = {name: {"size_vram": 0, "context_length": self._context(name)} for name in running}
        return JSONResponse({"models": [self._card(name) | more[name] for name in running]})

    async def ollama_show(self, request: Request) -> Response:
        given = fields.checked(await body.read(request), ollama.SHOW)
        wanted = given.get("model", given.get("name"))
        if wanted is None:
            raise fields.wrong("model", "is missing")
        name = self.model(request, wanted.removesuffix(":latest"))
        facts, card = self.shelf.models.facts(name), self._card(name)
        told = {"license": facts.licence if facts else "", "modified_at": card["modified_at"]}
        info = {"general.name": name, "netsuke.context_length": self._context(name)}
        able = ["completion", "insert", "embedding"]
        return JSONResponse({**told, "details": card["details"], "model_info": info, "capabilities": able})

    async def ollama_version(self, request: Request) -> Response:
        return JSONResponse({"version": __version__})

    def _card(self, name: str) -> dict[str, Any]:
        facts = self.shelf.models.facts(name)
        details = {"parent_model": facts.base if facts else "", "format": "gguf"}
        card: dict[str, Any] = {"name": name, "model": name, "modified_at": None, "details": details}
        told = {"size": facts.bytes, "digest": facts.sha256, "modified_at": facts.when} if facts else {}
        return card | told

    # -- the server itself ---------------------------------------------------------------------------------
    async def health(self, _: Request) -> Response:
        return JSONResponse({"status": "ok" if self.shelf.up else "starting"})

    async def metrics(self, request: Request) -> Response:
        if not request.scope["key"].is_owner:
            raise Refused(403, "The numbers of the whole server are its owner's.", code="owner_only")
        return Response(await self.numbers.text(self.shelf, self.writer), media_type=metrics.MEDIA_TYPE)

    async def openapi(self, _: Request) -> Response:
        return JSONResponse(openapi.described())
