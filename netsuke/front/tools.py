"""A pack as the tools of an agent: an MCP server on standard input and output, with the official SDK.

Nothing is said on stdout but the protocol. The engine starts at the first text that is asked for, and stays. Before
each call it is looked what the name means now: a pack that was withdrawn or made again is not asked any more.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import __version__, search
from ..engines import asking
from ..engines.asking import CONTEXT_TOKENS
from ..engines.llama import Engine
from ..errors import EngineError, NetsukeError, RecipeError, StoreError
from ..pack import manifest
from ..store import Store
from . import targets

if TYPE_CHECKING:
    from ..search.find import Index

MOST_TOKENS = 1024
LONGEST_PROMPT = 20_000  # characters
HINT = "pip install 'netsuke[mcp]'"


class Tools:
    """What an agent may do with a pack; `close` ends what was started for it."""

    def __init__(self, name: str, pack: Path, store: Store | None = None) -> None:
        self.name = name
        self._store = store if store and targets.named_pack(name, store) else None  # a folder stays as it is
        self._ref: str | None = None  # what the name meant when this was opened
        self.index: Index | None = None
        self._engine: Engine | None = None
        self._asker: asking.Asker | None = None
        self._turn = threading.Lock()  # one slot: one request after the other
        self._looking = threading.Lock()
        if self._store:
            self._follow()
        else:
            self._open(pack)

    def close(self) -> None:
        if self._engine:
            self._engine.stop()
        if self.index:
            self.index.close()
        self._engine = self._asker = self.index = None

    def _open(self, pack: Path) -> None:
        record = manifest.read(pack)
        self.pack, self.task = pack, asking.task_of(pack)
        self.index = search.open_pack(pack, record, self.name) if "search.db" in record["files"] else None

    def _follow(self) -> None:
        """Close the pack that the name means no more, open the one that it means now. Raises StoreError for none."""
        if self._store is None:
            return
        ref = (self._store.named("packs", self.name) or {"ref": None})["ref"]
        if ref != self._ref:
            with self._turn, self._looking:
                self.close()
                self._ref = None
                if ref:
                    self._open(self._store.path(ref))
                    self._ref = ref
        if ref is None:
            raise StoreError(f"{self.name} is withdrawn: there is no model of this name", hint="netsuke list")

    @contextlib.contextmanager
    def _engine_up(self) -> Iterator[Engine]:
        self._follow()
        with self._turn:
            if self._engine is None or not self._engine.alive:
                self._engine = Engine(self.pack / "model.gguf", context_tokens=CONTEXT_TOKENS).start()
                self._asker = None
            yield self._engine

    def search(self, question: str, most: int = 3) -> dict[str, Any]:
        """Quotes from the documents."""
        if not question.strip() or not 1 <= most <= 10:
            raise RecipeError("a question, and from 1 to 10 quotes at most, are needed")
        self._follow()
        with self._looking:
            if self.index is None:
                raise StoreError(f"{self.name} holds no documents to search any more")
            return search.answer(self.index, question, most).row

    def complete(self, prompt: str, max_tokens: int = 128, temperature: float = 0.3) -> dict[str, Any]:
        """The model's continuation."""
        if not prompt or len(prompt) > LONGEST_PROMPT:
            raise RecipeError(f"a prompt of 1 to {LONGEST_PROMPT:,} characters is needed")
        if not 1 <= max_tokens <= MOST_TOKENS or not 0 <= temperature <= 2:
            raise RecipeError(f"max_tokens goes from 1 to {MOST_TOKENS}, temperature from 0 to 2")
        with self._engine_up() as engine:
            answer = engine.complete(prompt, n_predict=max_tokens, temperature=temperature)
        return {"completion": answer["content"], "generated": True}

    def ask(self, question: str) -> dict[str, Any]:
        """The answer of the task that the pack was taught."""
        if not question.strip() or len(question) > LONGEST_PROMPT:
            raise RecipeError(f"a question of 1 to {LONGEST_PROMPT:,} characters is needed")
        with self._engine_up() as engine:
            if self.task is None:
                raise StoreError(f"{self.name} is taught no task any more")
            if self._asker is None:
                self._asker = asking.Asker(engine, asking.Way.of(self.task), asking.shots_of(self.pack))
            return self._asker.ask([{"role": "user", "content": question}]).row


def serve(name: str, pack: Path, store: Store) -> None:
    """Serve a pack to whoever holds the other end of stdin and stdout, until that is closed.

    Raises RecipeError where the SDK is not installed, StoreError where the documents are damaged.
    """
    tools = Tools(name, pack, store)
    try:
        build(tools).run("stdio")
    finally:
        tools.close()


def build(tools: Tools) -> Any:
    """The server with the tools that this pack has: no search without documents, no ask without a task."""
    try:
        from mcp.server.mcpserver import MCPServer
        from mcp.server.mcpserver.exceptions import ToolError
        from mcp.types import ToolAnnotations
    except ImportError as error:
        raise RecipeError(f"the MCP SDK is not installed: {error}", hint=HINT) from None
    words = (
        f"{tools.name} is a small language model made from its owner's documents. `search` quotes those documents word "
        "for word and says where; facts come from there alone. `complete` writes on in their style and makes things up."
    )
    server = MCPServer("netsuke", instructions=words, version=__version__, log_level="ERROR")
    looks = ToolAnnotations(read_only_hint=True, open_world_hint=False)

    def told(call: Any) -> Any:
        try:
            return call()
        except NetsukeError as error:
            if isinstance(error, EngineError):
                raise ToolError(error.what) from None  # without the path in `where`
            raise ToolError(f"{error.what}{f' ({error.hint})' if error.hint else ''}") from None

    def find(question: str, most: int = 3) -> dict[str, Any]:
        return told(lambda: tools.search(question, most))

    def complete(prompt: str, max_tokens: int = 128, temperature: float = 0.3) -> dict[str, Any]:
        return told(lambda: tools.complete(prompt, max_tokens, temperature))

    def ask(question: str) -> dict[str, Any]:
        return told(lambda: tools.ask(question))

    if tools.index:
        server.add_tool(find, name="search", annotations=looks, description="Find what the documents say about a "
                        "question: verbatim quotes with file, headings, page and line, or found: false.")  # fmt: skip
    server.add_tool(complete, annotations=looks, description="Go on writing from a prompt in the documents' "
                    "style. What comes back is generated and no fact.")  # fmt: skip
    if tools.task:
        server.add_tool(ask, annotations=looks, description="Answer as the examples taught: a label with its "
                        "confidence, or a text.")  # fmt: skip
    return server
