"""The child processes that read files: started on first use and after they died, ended with the parent."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..errors import EngineError

START_SECONDS = 120.0  # to load what reading needs, from a slow disk
_CODE = "from netsuke.curate.worker import main; main()"
# The package's folder comes last on the path: a file of the person's must not pass for a library.
_PATH = "import sys; sys.path.append(sys.argv[1]); "
# One thread a child, as many children as cores; and a set's order is the same each time.
_ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}


class ChildDied(Exception):
    """The child ended, or was ended, before it answered."""


class ChildKilled(ChildDied):
    """Somebody else ended it; the kernel does where memory is short. It says nothing of the file."""


class Child:
    """One child process. Used by one thread at a time."""

    def __init__(self, code: str = _CODE) -> None:
        self._code = code
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def ask(self, request: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        """The child's answer.

        Raises ChildDied on a crash or after `seconds` (the next call starts another child), EngineError if no
        child starts.
        """
        if self.pid is None:
            self.close()  # it may have died since the last file
            self._start()
        assert self._process and self._process.stdin
        try:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.write(json.dumps(request).encode() + b"\n")
            return self._answer(self._process, seconds)
        except TimeoutError:
            self.close()
            raise ChildDied(f"not read within {seconds:g} seconds") from None
        except BaseException:
            self.close()  # half an answer in the pipe would be taken for the next file's
            raise

    def _start(self) -> None:
        # No `-m`: it would put the current folder, which may hold the person's own json.py, on the path.
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", _PATH + self._code, str(Path(__file__).parents[2])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            env=os.environ | _ENVIRONMENT,
            start_new_session=True,  # Ctrl-C is for the parent, which ends the child
        )
        try:
            if failed := self._answer(self._process, START_SECONDS).get("failed"):
                raise ChildDied(failed)
        except (ChildDied, TimeoutError) as error:
            self.close()
            told = str(error) or f"not ready within {START_SECONDS:.0f} seconds"
            hint = "is the extra netsuke[make] installed?"
            raise EngineError(f"the reader of files does not start: {told}", hint=hint) from None
        except BaseException:
            self.close()
            raise

    def _answer(self, process: subprocess.Popen[bytes], seconds: float) -> dict[str, Any]:
        """The next line. Raises TimeoutError, or ChildDied at the end of the pipe."""
        assert process.stdout
        deadline = time.monotonic() + seconds
        line = bytearray()
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            while not line.endswith(b"\n"):
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    raise TimeoutError
                block = os.read(process.stdout.fileno(), 1 << 16)
                if not block:
                    raise _ended(process)
                line += block
        result: dict[str, Any] = json.loads(line)
        return result

    def close(self) -> None:
        """End the process, if there is one."""
        if process := self._drop():
            process.kill()
            process.wait()

    def abandon(self) -> None:
        """After a fork: close our copies of the pipes; the process is the parent's."""
        if process := self._drop():
            process.returncode = 0  # so that nobody here waits for it

    def _drop(self) -> subprocess.Popen[bytes] | None:
        process, self._process = self._process, None
        for pipe in (process.stdin, process.stdout) if process else ():
            if pipe:
                pipe.close()
        return process


def _ended(process: subprocess.Popen[bytes]) -> ChildDied:
    code = process.wait()
    if code == -signal.SIGKILL:
        return ChildKilled("the reader was killed (SIGKILL)")
    if code == -signal.SIGABRT:
        return ChildDied("the reader gave up (SIGABRT): out of memory?")
    if code == -signal.SIGXCPU:
        return ChildDied("it takes longer to read than a file of its size may")
    if code < 0:
        return ChildDied(f"the reader crashed ({signal.Signals(-code).name})")
    return ChildDied(f"the reader ended with exit code {code}")


class Children:
    """Up to `most` children; a thread that asks has one to itself, and waits where all are busy."""

    def __init__(self, most: int, code: str = _CODE) -> None:
        self._most, self._code = most, code
        self._all: list[Child] = []
        self._renew()
        _POOLS.add(self)

    def _renew(self) -> None:
        self._room = threading.BoundedSemaphore(self._most)
        self._lock = threading.Lock()
        self._free: list[Child] = []

    @property
    def pids(self) -> list[int]:
        """The process ids of those that run."""
        return [child.pid for child in self._all if child.pid]

    def ask(self, request: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        """The answer of a free child. Raises as Child.ask."""
        with self._one() as child:
            return child.ask(request, seconds)

    @contextlib.contextmanager
    def _one(self) -> Iterator[Child]:
        with self._room:
            with self._lock:
                if self._free:
                    child = self._free.pop()  # the one used last: its memory is warm
                else:
                    child = Child(self._code)
                    self._all.append(child)
            try:
                yield child
            finally:
                self._free.append(child)

    def close(self) -> None:
        """End them all."""
        for child in self._all:
            child.close()

    def abandon(self) -> None:
        """After a fork: they are the parent's; this process starts its own."""
        for child in self._all:
            child.abandon()
        self._all = []
        self._renew()


_POOLS: weakref.WeakSet[Children] = weakref.WeakSet()


def _close_all() -> None:
    for pool in list(_POOLS):
        pool.close()


def _abandon_all() -> None:
    for pool in list(_POOLS):
        pool.abandon()


atexit.register(_close_all)
os.register_at_fork(after_in_child=_abandon_all)
