from __future__ import annotations

import asyncio
import os
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from served import FOREVER
from tiny import tiny_gguf
from tiny_gemma import CHAT_TEMPLATE, tiny_gemma

from netsuke.engines.llama import Engine, Events
from netsuke.errors import EngineError

WORDS = "root ::= [a-z ]+"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_gguf(tmp_path_factory.mktemp("model") / "tiny.gguf")


@pytest.fixture(scope="module")
def engine(model: Path) -> Iterator[Engine]:
    with Engine(model, context_tokens=512, threads=1, slots=2) as engine:
        yield engine


def _gone(pid: int) -> bool:
    try:
        return "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return True


def _until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_completes_and_streams_the_same(engine: Engine) -> None:
    fields = {"n_predict": 24, "temperature": 0.0, "grammar": WORDS}
    whole = engine.complete("the", **fields)
    events = list(engine.stream("/completion", {"prompt": "the", **fields}))
    assert 0 < whole["tokens_predicted"] <= 24
    assert "".join(event["content"] for event in events) == whole["content"]
    assert engine.complete(engine.tokenize("the"), **fields)["content"] == whole["content"]


@pytest.mark.parametrize("wants", [False, True], ids=["no start", "a start"])
def test_ids_behind_the_opening_are_asked_as_a_string_is(tmp_path: Path, wants: bool) -> None:
    file = tmp_path / "tiny.gguf"
    tiny_gemma(file, template=CHAT_TEMPLATE) if wants else tiny_gguf(file)
    messages = [{"role": "user", "content": "the and the"}]
    fields = {"n_predict": 8, "temperature": 0.0, "ignore_eos": True, "return_tokens": True, "cache_prompt": False}
    with Engine(file, context_tokens=256, threads=1) as engine:
        assert engine.opening == [2] * wants
        pairs = [("the and the", [*engine.opening, *engine.tokenize("the and the")]),
                 (engine.prompt(messages), engine.asked(messages))]  # fmt: skip
        for text, ids in pairs:
            one, other = (engine.complete(prompt, **fields) for prompt in (text, ids))
            assert one["tokens_evaluated"] == other["tokens_evaluated"] == len(ids)
            assert one["tokens"] == other["tokens"]


def test_tokens(engine: Engine) -> None:
    text = "hi thé\u2028 <|im_end|>"
    assert (
        engine.detokenize(engine.tokenize(text))
        == engine.detokenize(engine.tokenize(text, special=False))
        == text
    )
    assert engine.tokenize("<|im_end|>") == [2]
    assert 2 not in engine.tokenize("<|im_end|>", special=False)
    assert engine.tokenize("") == []


def test_each_slot_has_the_whole_context(engine: Engine) -> None:
    assert engine.complete([5] * 500, n_predict=1)["tokens_evaluated"] == 500
    with pytest.raises(EngineError, match=r"600 tokens.*512 tokens"):
        engine.complete([5] * 600)
    with pytest.raises(EngineError, match=r"600 tokens.*512 tokens"):
        next(engine.stream("/completion", {"prompt": [5] * 600}))


def test_what_the_engine_refuses_is_said(engine: Engine) -> None:
    with pytest.raises(EngineError, match="grammar"):
        engine.complete("a", grammar="root ::= [")
    with pytest.raises(EngineError, match="refused"):
        engine.complete("\ud800")
    with pytest.raises(EngineError, match="refused"):
        next(engine.stream("/nowhere", {}))


def test_a_stream_left_early_frees_its_slot(engine: Engine) -> None:
    for _ in range(4):  # twice as many as there are slots
        stream = engine.stream("/completion", {"prompt": "a", "grammar": FOREVER})
        assert next(stream)["content"] == "a"
        stream.close()
    assert engine.complete("a", n_predict=1)["tokens_predicted"] == 1


def test_async_client(engine: Engine) -> None:
    async def ask() -> dict[str, str]:
        async with engine.async_client() as client:
            health: dict[str, str] = (await client.get("/health")).json()
            return health

    assert asyncio.run(ask()) == {"status": "ok"}


def test_what_is_not_needed_is_off(engine: Engine) -> None:
    with engine.client() as client:
        assert client.get("/").status_code == 404
        assert client.get("/slots").status_code == 501
        assert client.get("/metrics").text.startswith("# HELP llamacpp:")  # numbers alone, which the server passes on
        assert client.post("/props", json={}).status_code == 501


def test_child_listens_on_its_socket_only_and_never_loads_torch(engine: Engine) -> None:
    folder = engine.socket.parent
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert "torch" not in Path(f"/proc/{engine.pid}/maps").read_text()
    sockets = {os.readlink(link) for link in Path(f"/proc/{engine.pid}/fd").iterdir()}
    tcp = Path(f"/proc/{engine.pid}/net/tcp").read_text() + Path(f"/proc/{engine.pid}/net/tcp6").read_text()
    inodes = {line.split()[9] for line in tcp.splitlines() if line.split()[9].isdigit()}
    assert not {f"socket:[{inode}]" for inode in inodes} & sockets


def test_start_and_stop_again(model: Path) -> None:
    engine = Engine(model, threads=1)
    assert not engine.alive and engine.pid is None
    with pytest.raises(EngineError, match="not running"):
        engine.complete("a")
    engine.stop()
    for _ in range(2):
        assert engine.start() is engine.start()
        folder = engine.socket.parent
        assert engine.alive and engine.complete("a", n_predict=1)
        engine.stop()
        assert not engine.alive and not folder.exists()


def test_killed_child(model: Path) -> None:
    with Engine(model, threads=1, context_tokens=32768) as engine:
        stream = engine.stream("/completion", {"prompt": "a", "grammar": FOREVER})
        next(stream)
        assert engine.pid
        os.kill(engine.pid, signal.SIGKILL)
        with pytest.raises(EngineError, match="did not finish"):
            list(stream)
        _until(lambda: not engine.alive)
        with pytest.raises(EngineError, match="not running"):
            engine.complete("a")
        assert engine.start().complete("a", n_predict=1)


def test_frozen_child_is_stopped_all_the_same(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netsuke.engines.llama.STOP_SECONDS", 0.1)
    with Engine(model, threads=1) as engine:
        assert (pid := engine.pid)
        os.kill(pid, signal.SIGSTOP)
    assert _gone(pid)


@pytest.mark.parametrize("content", [b"", b"GGUF", b"\x00" * 4096, b"GGUF\x03\x00\x00\x00" + b"\xff" * 64])
def test_garbage_is_an_engine_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "garbage.gguf"
    path.write_bytes(content)
    engine = Engine(path)
    with pytest.raises(EngineError, match="did not start") as caught:
        engine.start()
    assert "Traceback" not in str(caught.value) and "failed to load model" in str(caught.value)
    assert "invalid magic" in str(caught.value) or len(content) < 4096
    assert caught.value.where == str(path) and caught.value.hint
    assert not engine.alive


def test_half_a_model_and_no_model(model: Path, tmp_path: Path) -> None:
    half = tmp_path / "half.gguf"
    half.write_bytes(model.read_bytes()[:-1000])
    with pytest.raises(EngineError, match="corrupted or incomplete"):
        Engine(half).start()
    with pytest.raises(EngineError, match="no such model"):
        Engine(tmp_path / "none.gguf").start()


def test_a_long_temporary_path_still_holds_a_socket(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / ("d" * 100)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    with Engine(model, threads=1) as engine:
        assert engine.complete("a", n_predict=1)
        assert list(deep.iterdir()) == []


def test_no_room_for_the_folder(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    with pytest.raises(EngineError, match="could not be started"):
        Engine(model).start()


PARENT = """
import os, signal, sys
from pathlib import Path
from netsuke.engines.llama import Engine
engine = Engine(Path(sys.argv[1]), threads=1).start()
print(engine.pid, engine.socket.parent, flush=True)
stream = engine.stream("/completion", {"prompt": "a", "grammar": sys.argv[2]})
next(stream)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_child_dies_with_its_parent(model: Path) -> None:
    command = [sys.executable, "-c", PARENT, str(model), FOREVER]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    assert done.returncode == -signal.SIGKILL
    pid, folder = done.stdout.split()
    _until(lambda: _gone(int(pid)))
    assert not Path(folder).exists()


def test_child_binds_over_a_stale_socket_and_keeps_others_files(model: Path, tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "engine.sock"
        with socket.socket(socket.AF_UNIX) as stale:
            stale.bind(str(place))
        (Path(folder) / "mine").write_text("keep")
        command = [sys.executable, "-m", "netsuke.engines.llama_child", str(model), str(place)]
        with subprocess.Popen(command, stdin=subprocess.PIPE) as child:
            with socket.socket(socket.AF_UNIX) as probe:
                _until(lambda: probe.connect_ex(str(place)) == 0)
            assert child.stdin
            child.stdin.close()
            assert child.wait(30) == 0
        assert [each.name for each in Path(folder).iterdir()] == ["mine"]


def test_importing_the_module_loads_no_engine() -> None:
    code = "import sys, netsuke.engines.llama; print([m for m in ('xllamacpp', 'torch') if m in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "[]\n"


def test_threads_are_as_given() -> None:
    assert Engine(Path("m"), threads=3).threads == 3


def test_events_are_cut_at_newlines_only() -> None:
    events = Events()
    stream = ": ping\n\ndata: {\u2028\x85}\n\nda".encode()
    cut = [event for at in range(len(stream)) for event in events.feed(stream[at : at + 1])]
    assert cut == ["{\u2028\x85}".encode()]
    assert events.feed(b"ta: [DONE]\n\n") == [b"[DONE]"]
