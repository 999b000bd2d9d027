"""llama.cpp, in a child process of its own that listens on a Unix socket and nowhere else.

    with Engine(Path("model.gguf")) as engine:
        engine.complete("Once upon a time", n_predict=40)["content"]

The socket lies in a fresh folder that only its owner may enter, so no browser, port scan or other user
reaches it. A crash of the native code ends the child, never the program that asked. The child reads its
stdin and leaves at end of file: it does not outlive a parent that was killed.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import httpx

from ..errors import EngineError
from ..machine import SPIN_COUNT, child_environment, free_threads
from .wire import Wire

START_SECONDS = 60.0
STOP_SECONDS = 3.0
SOCKET_BYTES = 100  # a Unix socket's address holds 108 bytes on Linux, 104 on macOS
JSON = {"Content-Type": "application/json"}
PROMPT_CACHE_MIB = 64  # of prompts beside those in the slots; the engine's own default, 8 GiB, is not pocket-sized

TIMED_PROMPT, TIMED_ANSWER = 256, 64  # tokens


class Engine:
    """llama.cpp on one GGUF, supervised: `start`, ask, `stop`, or a `with` block.

    Each of `slots` requests at a time has `context_tokens` for prompt and answer together. `adapter` is a GGUF of
    that type, applied in full; `voices` are some that only a request applies, by `lora`: [{"id": place, "scale"}].
    With `embedding` it gives vectors of texts and writes none.
    `threads` defaults to the cores that are free at each start.
    """

    def __init__(
        self,
        model: Path,
        *,
        context_tokens: int = 2048,
        threads: int | None = None,
        slots: int = 1,
        adapter: Path | None = None,
        voices: Sequence[Path] = (),
        embedding: bool = False,
        prompt_cache_mib: int = PROMPT_CACHE_MIB,
    ) -> None:
        self.model = Path(model)
        self.context_tokens = context_tokens
        self.slots = slots
        self.adapter = adapter
        self.voices = [Path(voice) for voice in voices]
        self.embedding = embedding
        self.prompt_cache_mib = prompt_cache_mib
        self.threads = threads or free_threads()
        self._fixed_threads = threads
        self._folder: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None

    # -- life ----------------------------------------------------------------------------------

    def start(self) -> Self:
        """The engine itself, once it answers. Raises EngineError with the child's last words otherwise."""
        if self.alive:
            return self
        self.stop()
        if not self.model.is_file():
            raise EngineError("there is no such model file", where=str(self.model))
        self.threads = self._fixed_threads or free_threads()
        try:
            self._folder = _fresh_folder()
            self._process = self._spawn()
            self._await_health()
        except OSError as error:
            self.stop()
            raise EngineError(f"the engine could not be started: {error}", where=str(self.model)) from None
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Ends the child, by SIGTERM and after 3 s by SIGKILL, and removes its folder."""
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdin:
                process.stdin.close()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def alive(self) -> bool:
        """Whether the child runs; whether it also answers, only /health says."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def socket(self) -> Path:
        """The Unix socket, another one after each start. Raises EngineError when not started."""
        if self._folder is None:
            raise EngineError("the engine is not running", where=str(self.model))
        return self._folder / "engine.sock"

    def _spawn(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-P", "-m", "netsuke.engines.llama_child", str(self.model.resolve())]
        command += [str(self.socket), "--context", str(self.context_tokens)]
        command += ["--threads", str(self.threads), "--slots", str(self.slots)]
        command += ["--prompt-cache", str(self.prompt_cache_mib)] + ["--embedding"] * self.embedding
        command += ["--adapter", str(self.adapter.resolve())] if self.adapter else []
        command += [word for voice in self.voices for word in ("--voice", str(voice.resolve()))]
        with _log(self.socket).open("wb") as log:
            return subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=_environment(),
                start_new_session=True,  # Ctrl-C is the parent's to handle
            )

    def _await_health(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while self.alive:
            if _is_healthy(self.socket):
                return
            if time.monotonic() > deadline:
                raise self._failure(f"the engine did not answer within {START_SECONDS:.0f} s")
            time.sleep(0.01)
        raise self._failure("the engine did not start")

    def _failure(self, what: str) -> EngineError:
        lines = _log(self.socket).read_text("utf-8", "replace").splitlines()
        words = [re.sub(r"^[\d.]+ [A-Z] ", "", line).strip() for line in lines if line.strip()]
        return EngineError(
            "\n  ".join([what, *words[-8:]]),
            where=str(self.model),
            hint="is it a whole GGUF file of an architecture that llama.cpp knows?",
        )

    # -- asking --------------------------------------------------------------------------------

    def client(self, timeout_seconds: float | None = 120) -> httpx.Client:
        """An HTTP client whose every path goes to this engine (base URL http://engine)."""
        transport = httpx.HTTPTransport(uds=str(self.socket), verify=False, limits=_ONE_USE)
        return httpx.Client(
            transport=transport, base_url="http://engine", timeout=timeout_seconds, trust_env=False
        )

    def async_client(self, timeout_seconds: float | None = 120) -> httpx.AsyncClient:
        """As `client`, for asyncio."""
        return httpx.AsyncClient(
            transport=Wire(self.socket), base_url="http://engine", timeout=timeout_seconds, trust_env=False
        )

    def complete(self, prompt: str | list[int], **fields: Any) -> dict[str, Any]:
        """The answer of llama.cpp's own POST /completion: `content`, `tokens_predicted`, `timings`, …

        `n_predict` is 256 unless given; every other field is as in llama.cpp's server README.
        """
        return self._post("/completion", {"n_predict": 256, **fields, "prompt": prompt, "stream": False})

    def complete_each(self, prompts: Sequence[list[int]], **fields: Any) -> Iterator[dict[str, Any]]:
        """The answers to several prompts in their order, `slots` of them side by side; fields as in `complete`.

        They go to the engine together, so what is computed beside what depends on nothing but the prompts.
        """
        for start in range(0, len(prompts), self.slots):
            body = {"cache_prompt": False, **fields, "prompt": prompts[start : start + self.slots], "stream": False}
            answers: Any = self._post("/completion", body)
            yield from answers if isinstance(answers, list) else [answers]

    def rates(self, text: str) -> tuple[float, float]:
        """(prompt, generation) tokens a second for the front of a text that shares none with those before."""
        ids = self.tokenize(text)[:TIMED_PROMPT]
        answer = self.complete(
            ids, n_predict=TIMED_ANSWER, ignore_eos=True, temperature=0.0, cache_prompt=False
        )
        return answer["timings"]["prompt_per_second"], answer["timings"]["predicted_per_second"]

    def stream(self, path: str, body: dict[str, Any]) -> Generator[dict[str, Any], None, None]:
        """Yields the events of a streaming route as they come; closing it early frees the slot.

        Raises EngineError if the engine refuses or dies.
        """
        sent = json.dumps({**body, "stream": True})
        with self._asking(), self.client() as client:
            with client.stream("POST", path, content=sent, headers=JSON) as response:
                if response.status_code != 200:
                    response.read()
                    raise _refusal(response)
                events = Events()
                for chunk in response.iter_raw():
                    for data in events.feed(chunk):
                        if data == b"[DONE]":
                            return
                        yield json.loads(data)

    @cached_property
    def opening(self) -> list[int]:
        """The token that this file wants before a prompt, or none: it is put before a string, and not before ids."""
        bodies = ({"content": "x", "add_special": begun} for begun in (False, True))
        plain, begun = (self._post("/tokenize", body)["tokens"] for body in bodies)
        return [int(token) for token in begun[:1] if begun[:1] != plain[:1]]

    def tokenize(self, text: str, *, special: bool = True) -> list[int]:
        """Token ids of `text`, without `opening`; `special`: <|im_end|> and its like are one token."""
        answer = self._post("/tokenize", {"content": text, "parse_special": special})
        return [int(token) for token in answer["tokens"]]

    def prompt(self, messages: Sequence[Mapping[str, str]]) -> str:
        """A conversation in the model's own chat template, up to where the answer begins; `opening` is cut off it."""
        return str(self._post("/apply-template", {"messages": list(messages)})["prompt"])

    def asked(self, messages: Sequence[Mapping[str, str]]) -> list[int]:
        """Token ids of a conversation as `prompt` writes it, behind `opening`."""
        return [*self.opening, *self.tokenize(self.prompt(messages))]

    def detokenize(self, ids: list[int]) -> str:
        """The text of token ids, special tokens included."""
        return str(self._post("/detokenize", {"tokens": ids})["content"])

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        with self._asking(), self.client() as client:
            response = client.post(path, content=json.dumps(body), headers=JSON)
            if response.status_code != 200:
                raise _refusal(response)
            answer: dict[str, Any] = response.json()
            return answer

    @contextlib.contextmanager
    def _asking(self) -> Iterator[None]:
        if not self.alive:
            raise EngineError("the engine is not running", where=str(self.model))
        try:
            yield
        except httpx.TimeoutException as error:
            raise EngineError("the engine took too long to answer", where=str(self.model)) from error
        except httpx.TransportError as error:
            raise EngineError("the engine did not finish its answer", where=str(self.model)) from error


class RefusedError(EngineError):
    """The engine is well and does not take this request."""


class Events:
    """Cuts the bytes of a server-sent stream into the contents of its `data:` lines.

    httpx's own `iter_lines` also cuts at U+0085 and U+2028, which a model may well write.
    """

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, chunk: bytes) -> list[bytes]:
        """The events that this chunk completes."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        return [line.removeprefix(b"data: ") for line in lines if line.startswith(b"data: ")]


# The engine closes a connection after a stream although it announces keep-alive; a new one on a Unix
# socket costs some 50 microseconds, so none is used twice.
_ONE_USE = httpx.Limits(max_keepalive_connections=0)


def _refusal(response: httpx.Response) -> EngineError:
    try:
        return RefusedError(f"the engine refused: {response.json()['error']['message']}")
    except (ValueError, KeyError, TypeError):
        return EngineError(f"the engine answered with status {response.status_code}")


def _log(place: Path) -> Path:
    return place.with_name("engine.log")


def _is_healthy(place: Path) -> bool:
    """Whether the engine there answers /health with 200; httpx would leave a socket open where it is refused."""
    with socket.socket(socket.AF_UNIX) as probe, contextlib.suppress(OSError):
        probe.settimeout(5)
        probe.connect(str(place))
        probe.sendall(b"GET /health HTTP/1.1\r\nHost: engine\r\nConnection: close\r\n\r\n")
        return b" 200 " in probe.recv(1024).partition(b"\r\n")[0]
    return False


def _fresh_folder() -> Path:
    """A new folder of mode 0700 whose path is short enough to hold a Unix socket."""
    folder = Path(tempfile.mkdtemp(prefix="netsuke-"))
    if len(os.fsencode(folder / "engine.sock")) <= SOCKET_BYTES:
        return folder
    folder.rmdir()
    return Path(tempfile.mkdtemp(prefix="netsuke-", dir="/tmp"))


def _environment() -> dict[str, str]:
    """The child's environment: OpenMP threads that soon sleep when they wait.

    OpenMP's default is to spin for milliseconds. Beside another busy process that cost 10 to 50 times the
    speed (2 cores); 500 turns cost nothing on an idle machine, and OMP_WAIT_POLICY=passive two thirds there.
    """
    return child_environment(GOMP_SPINCOUNT=os.environ.get("GOMP_SPINCOUNT", SPIN_COUNT))
