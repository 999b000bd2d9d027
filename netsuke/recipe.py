"""netsuke.toml and netsuke.lock: the whole of what decides a model, read strictly and written with comments kept.

A step's Params dataclass is the one source of its section: names, types, defaults and help come from there.
"""

from __future__ import annotations

import dataclasses
import difflib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import tomlkit

from .errors import RecipeError
from .nouns import Gates, Recipe, Source
from .store import explained

FILE, LOCK = "netsuke.toml", "netsuke.lock"
DEFAULT_BASE = "smollm2-135m-instruct"
_TOP = {"name": str, "base": str, "mb": float, "minutes": float, "seed": int}
_RANGES = {"mb": (0, 100_000), "minutes": (0.05, 10_000), "seed": (0, 2**31)}


@dataclass(frozen=True)
class Lock:
    """What was measured or found when a recipe was first made, so that a later build gives the same bytes."""

    base: str  # Ref of the base's file or folder
    threads: int
    training: str  # what was timed: method and window
    train_tokens_per_second: float
    score_tokens_per_second: float
    libraries: Mapping[str, str]


class _Reader:
    """Strict reading of one recipe: every complaint names the key, its line and the nearest right key."""

    def __init__(self, path: Path, text: str) -> None:
        self.path, self.lines = path, text.splitlines()

    def line_of(self, section: str, key: str) -> int:
        inside = section == ""
        for number, line in enumerate(self.lines, 1):
            if header := re.match(r"\s*\[+\s*([\w.-]+)\s*\]+", line):
                inside = header[1] == section
                if section and header[1] == key and not inside:
                    return number
            elif inside and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*=", line):
                return number
        return next((n for n, line in enumerate(self.lines, 1) if key in line), 0)

    def error(self, section: str, key: str, what: str, hint: str | None = None) -> RecipeError:
        return RecipeError(what, where=f"{self.path}, line {self.line_of(section, key)}", hint=hint)

    def unknown(self, section: str, key: str, known: list[str]) -> RecipeError:
        near = difflib.get_close_matches(key, known, 1, 0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(known)}"
        name = f"{section}.{key}" if section else key
        return self.error(section, key, f"unknown key {name!r}", hint)

    def value(self, section: str, key: str, kind: Any, value: Any) -> Any:
        """`value` as `kind`, or RecipeError."""
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            return float(value)
        choices = get_args(kind) if get_origin(kind) is not None else ()
        right = value in choices if choices else isinstance(value, kind) and isinstance(value, bool) == (kind is bool)
        if right:
            return value
        wanted = f"one of {', '.join(map(repr, choices))}" if choices else _PLAIN.get(kind, kind.__name__)
        raise self.error(section, key, f"{key!r} must be {wanted}, not {value!r}")

    def fill(self, section: str, kind: type, given: Any) -> Any:
        """A dataclass from a TOML table."""
        if not isinstance(given, dict):
            raise self.error("", section, f"{section!r} must be a table", f"write it as [{section}]")
        hints = get_type_hints(kind)
        for key in given:
            if key not in hints:
                raise self.unknown(section, key, list(hints))
        return kind(**{k: self.value(section, k, hints[k], v) for k, v in given.items()})


_PLAIN = {str: "a text", float: "a number", int: "a whole number", bool: "true or false"}


def load(path: Path, sections: Mapping[str, type]) -> Recipe:
    """The recipe in a file. Raises RecipeError that names the key, the line and the nearest right key."""
    try:
        text = path.read_text(encoding="utf-8")
        given = tomllib.loads(text)
    except FileNotFoundError:
        raise RecipeError("no such recipe", where=str(path)) from None
    except UnicodeDecodeError as error:
        raise RecipeError(f"not UTF-8: {error}", where=str(path)) from error
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"not TOML: {error}", where=str(path)) from error
    reader = _Reader(path, text)
    known = [*_TOP, "sources", "gates", *sections]
    for key in given:
        if key not in known:
            raise reader.unknown("", key, known)
    top = {k: reader.value("", k, kind, given[k]) for k, kind in _TOP.items() if k in given}
    for key, (low, high) in _RANGES.items():
        if key in top and not low <= top[key] <= high:
            raise reader.error("", key, f"{key!r} must be between {low:g} and {high:g}, not {top[key]:g}")
    for key in ("name", "base"):
        if not top.get(key):
            raise RecipeError(f"{key!r} is missing", where=str(path))
    check_name(top["name"], str(path))
    rows = given.get("sources", [])
    if not isinstance(rows, list) or not rows:
        raise RecipeError("a recipe needs at least one [[sources]]", where=str(path))
    sources = tuple(reader.fill("sources", Source, row) for row in rows)
    params = {name: reader.fill(name, kind, given.get(name, {})) for name, kind in sections.items()}
    gates = reader.fill("gates", Gates, given.get("gates", {}))
    return Recipe(sources=sources, params=params, gates=gates, **top)


def check_name(name: str, where: str) -> None:
    """Raise RecipeError for a name that cannot be a file's and a model's."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name):
        raise RecipeError(f"{name!r} cannot be a model's name", where=where,
                          hint="use letters, digits, dots, hyphens and underscores, at most 64")


def fresh(name: str, sections: Mapping[str, type], base: str = DEFAULT_BASE) -> Recipe:
    """The recipe of a folder that has none: its own material, everything by default."""
    return Recipe(name, base, (Source("."),), params={n: kind() for n, kind in sections.items()})


def save(recipe: Recipe, path: Path) -> None:
    """Write a recipe: what differs from the defaults; keys that are there keep their place and comments."""
    old = path.read_text(encoding="utf-8") if path.exists() else ""
    document = tomlkit.parse(old) if old else _blank()
    for key in _TOP:
        value = getattr(recipe, key)
        if key in document or value != _default(Recipe, key):
            if document.get(key) != value:
                document[key] = int(value) if isinstance(value, float) and value.is_integer() else value
    if "sources" not in document:
        rows = tomlkit.aot()
        for source in recipe.sources:
            rows.append(tomlkit.item({k: v for k, v in asdict(source).items()}))
        document["sources"] = rows
    for name, params in {**recipe.params, "gates": recipe.gates}.items():
        changed = {f.name: getattr(params, f.name) for f in dataclasses.fields(params)
                   if getattr(params, f.name) != f.default}
        for key, value in changed.items():
            table = document.setdefault(name, tomlkit.table())
            if table.get(key) != value:
                table[key] = value
    text = tomlkit.dumps(document)
    if text != old:
        with explained("write the recipe", path.parent):
            part = path.with_suffix(".part")
            part.write_text(text, encoding="utf-8")
            part.replace(path)


def _blank() -> tomlkit.TOMLDocument:
    document = tomlkit.document()
    document.add(tomlkit.comment("The recipe of this model. `netsuke make` with this file makes it again."))
    return document


def _default(kind: type, name: str) -> Any:
    return next(f.default for f in dataclasses.fields(kind) if f.name == name)


def with_settings(recipe: Recipe, settings: Mapping[str, str], sections: Mapping[str, type]) -> Recipe:
    """The recipe with `--set section.key=value` applied. Raises RecipeError like load()."""
    params = dict(recipe.params)
    reader = _Reader(Path("--set"), "")
    for name, text in settings.items():
        section, _, key = name.partition(".")
        if section not in {*sections, "gates"} or not key:
            raise RecipeError(f"--set {name}: no such setting", hint=f"sections: {', '.join([*sections, 'gates'])}")
        current = recipe.gates if section == "gates" else params[section]
        hints = get_type_hints(type(current))
        if key not in hints:
            raise reader.unknown(section, key, list(hints))
        try:
            value = tomllib.loads(f"v = {text}")["v"]
        except tomllib.TOMLDecodeError:
            value = text
        new = dataclasses.replace(current, **{key: reader.value(section, key, hints[key], value)})
        if section == "gates":
            recipe = dataclasses.replace(recipe, gates=new)
        else:
            params[section] = new
    return dataclasses.replace(recipe, params=params)


def load_lock(path: Path) -> Lock | None:
    """The lock in a file, or None if there is none or it is not whole (then it is measured anew)."""
    try:
        return Lock(**tomllib.loads(path.read_text(encoding="utf-8")))
    except (FileNotFoundError, tomllib.TOMLDecodeError, TypeError, UnicodeDecodeError):
        return None


def save_lock(lock: Lock, path: Path) -> None:
    document = tomlkit.document()
    document.add(tomlkit.comment("Measured when the recipe was made; the same lock gives the same bytes."))
    document.add(tomlkit.comment("`netsuke make --relock` measures anew."))
    for key, value in asdict(lock).items():
        document[key] = dict(sorted(value.items())) if isinstance(value, dict) else value
    with explained("write the lock", path.parent):
        part = path.with_suffix(".lock.part")
        part.write_text(tomlkit.dumps(document), encoding="utf-8")
        part.replace(path)
