"""Stamp the steps: `python tests/stamp.py` writes tests/steps.json, which says "this source gives the same output".

A step's version is in its cache key, its source is not. So when the source of a step's folder changes, either its
output changes too (then bump `@step(version=…)`, and stamp), or it does not (then just stamp).
"""

from __future__ import annotations

import ast
import functools
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
SOURCE, STAMPS = HERE.parent / "netsuke", HERE / "steps.json"
Stamps = dict[str, dict[str, str | int]]


def steps_in(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """(name, version) of every function under @step(version=…)."""
    for node in ast.walk(tree):
        for mark in node.decorator_list if isinstance(node, ast.FunctionDef) else ():
            called = mark.func if isinstance(mark, ast.Call) else mark
            if (called.id if isinstance(called, ast.Name) else getattr(called, "attr", "")) == "step":
                version = next(word.value for word in mark.keywords if word.arg == "version")
                yield node.name, ast.literal_eval(version)


def found(source: Path = SOURCE) -> Stamps:
    """Every step in the source: its folder, its version and the sha256 of all .py files of the folder."""
    stamps: Stamps = {}
    once = functools.cache(digest)  # a folder may hold many steps
    for path in sorted(source.rglob("*.py")):
        text = path.read_bytes()
        for name, version in steps_in(ast.parse(text)) if b"step(" in text else ():
            if name in stamps:
                raise SystemExit(f"two steps are named {name}: their runs would pass for each other's")
            folder = path.parent
            stamps[name] = {"folder": folder.name, "version": version, "sha256": once(folder)}
    return stamps


def digest(folder: Path) -> str:
    """sha256 over the names and bytes of a folder's .py files."""
    total = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        data = path.read_bytes()
        total.update(f"{path.relative_to(folder).as_posix()} {len(data)}\n".encode() + data)
    return total.hexdigest()


def complaints(stamped: Stamps, now: Stamps) -> list[str]:
    """What is to be done about each step that is not as it was stamped."""
    told = []
    for name in sorted(stamped.keys() | now.keys()):
        old, new = stamped.get(name), now.get(name)
        if old == new:
            continue
        if old and new and old["version"] == new["version"]:
            told.append(
                f"the source of {name} (netsuke/{new['folder']}/) changed and its version did not: if its output "
                f"changes, bump @step(version={new['version']}); then, or if it does not, python tests/stamp.py"
            )
        else:
            told.append(f"{name} is new, gone or has a new version: python tests/stamp.py")
    return told


def main() -> None:
    """Write the stamps and say what is new."""
    old: Stamps = json.loads(STAMPS.read_text()) if STAMPS.exists() else {}
    now = found()
    STAMPS.write_text(json.dumps(now, indent=1, sort_keys=True) + "\n")
    changed = [name for name in sorted(old.keys() | now.keys()) if old.get(name) != now.get(name)]
    print("stamped:", ", ".join(changed) or "nothing had changed")


if __name__ == "__main__":
    main()
