"""Every test has a home of its own and nothing of the person's; a disk that fills up; the same examples each time."""

import builtins
import contextlib
import errno
import functools
import gc
import io
import os
import subprocess
import sys

import httpx._transports.default
import hypothesis
import pytest

from netsuke.cli import main
from netsuke.machine import wait_passively
from netsuke.store import Store

wait_passively()  # two workers share the cores, and torch is imported after this

hypothesis.settings.register_profile("same each time", derandomize=True, database=None, deadline=None)
hypothesis.settings.load_profile("same each time")

# Each of a thousand clients would read all certificates of the world anew, 17 ms, to speak plain HTTP.
_transports = httpx._transports.default
_transports.create_ssl_context = functools.cache(_transports.create_ssl_context)


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("NETSUKE_HOME", str(tmp_path / "netsuke-home"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NO_COLOR", "1")


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "netsuke-home")


@pytest.fixture
def command(monkeypatch, capsys):
    """`command(home, *words)` is material.netsuke in this process: as much said, and no second to import it all."""

    def call(home, *words):
        with monkeypatch.context() as patch:
            patch.setenv("NETSUKE_HOME", str(home))
            patch.setenv("COLUMNS", "80")
            patch.setattr(sys, "argv", ["netsuke", *words])
            patch.setattr(sys, "stdin", io.StringIO())
            capsys.readouterr()
            code = 0
            try:
                main()
            except SystemExit as stop:
                code = int(stop.code or 0)
            return subprocess.CompletedProcess(words, code, *capsys.readouterr())

    return call


class FullDisk:
    """Counts what is asked of the disk; the `at`-th request (and those after it, if it `stays`) finds no space."""

    def __init__(self, at, stays):
        self.at, self.stays, self.calls = at, stays, 0

    @property
    def struck(self):
        return self.calls >= self.at

    def take(self):
        self.calls += 1
        if self.calls == self.at or (self.stays and self.struck):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def guarded(self, function):
        def call(*args, **kwargs):
            self.take()
            return function(*args, **kwargs)

        return call

    def opening(self, real):
        def call(file, mode="r", *args, **kwargs):
            if not set(mode) & set("wxa+"):
                return real(file, mode, *args, **kwargs)
            self.take()
            return _Written(real(file, mode, *args, **kwargs), self)

        return call


class _Written:
    """A file whose writes and whose closing ask the disk."""

    def __init__(self, file, disk):
        self.file, self.disk, self.written = file, disk, False

    def __getattr__(self, name):
        return getattr(self.file, name)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.file.close()
        if self.written and error[0] is None:
            self.disk.take()

    def write(self, data):
        self.disk.take()
        self.written = True
        return self.file.write(data)


@pytest.fixture
def full_disk():
    """`with full_disk(at=3) as disk:`, see FullDisk."""

    @contextlib.contextmanager
    def filled(at, *, stays=True):
        disk = FullDisk(at, stays)
        with pytest.MonkeyPatch.context() as patch:
            for name in ("fsync", "replace", "rename", "link", "mkdir", "sendfile"):
                patch.setattr(os, name, disk.guarded(getattr(os, name)))
            patch.setattr(builtins, "open", disk.opening(builtins.open))
            patch.setattr(io, "open", disk.opening(io.open))
            yield disk

    return filled


LONGEST = (  # the first two beside each other: no second one that waits for the whole make of the first
    "test_loop.py", "test_forget.py", "test_task.py", "test_train.py", "test_in_browser.py", "test_shelf.py",
)  # fmt: skip


def pytest_collection_modifyitems(items):
    """The longest files first, so that no core waits for the other at the end."""
    items.sort(key=lambda item: LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST))


def pytest_collection_finish():
    """What is imported by now stays: the collector need not walk through all of torch again and again."""
    gc.collect()
    gc.freeze()


def pytest_terminal_summary(terminalreporter):
    """Say it loudly where the tests in a browser did not run."""
    import browser

    skipped = [one for one in terminalreporter.stats.get("skipped", ()) if browser.MISSING in str(one.longrepr)]
    if skipped:
        terminalreporter.section("TESTS IN A BROWSER WERE SKIPPED", sep="!", red=True)
        terminalreporter.line(f"{len(skipped)} tests did not run: {browser.MISSING}")
