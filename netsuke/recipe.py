"""netsuke.toml and netsuke.lock: the whole of what decides a model, read strictly and written with comments kept.

A step's Params dataclass is the one source of its section: names, types, defaults and help come from there.
"""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import math
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import tomlkit

from . import disk
from .errors import BudgetError, RecipeError, explained
from .nouns import Device, FloatType, Gates, Recipe, Source

FILE = "netsuke.toml"
DEFAULT_BASE = "smollm2-135m-instruct"
_TOP = {"name": str, "base": str, "mb": float, "minutes": float, "seed": int}
RANGES = {"mb": (0, 100_000), "minutes": (0.05, 10_000), "seed": (0, 2**31)}
_THREADS, _ANY = {"least": 1, "most": 4096}, {"least": 0, "most": 1e15}  # of what stands in a lock


@dataclass(frozen=True)
class Lock:
    """What was measured or found when a recipe was first made, so that a later build gives the same bytes."""

    base: str  # Ref of the base's file or folder
    threads: int = field(metadata=_THREADS)
    training: str  # what was timed: method and window
    train_tokens_per_second: float = field(metadata=_ANY)
    score_tokens_per_second: float = field(metadata=_ANY)
    libraries: Mapping[str, str]
    float_type: FloatType = "bfloat16"  # what the model computes in
    device: Device = "cpu"  # what it is trained on
    gflops: float = field(default=0.0, metadata=_ANY)  # in that type: how long a make will take; 0 in older locks
    unit_minutes: float = field(default=0.0, metadata=_ANY)  # divided among the owners (tune.units); 0: not yet
    unit_epochs: float = field(default=0.0, metadata=_ANY)  # that each owner's text is learnt
    unit_valid_bytes: int = field(default=0, metadata=_ANY)


class _Reader:
    """Strict reading of one recipe: every complaint names the key, its line and the nearest right key."""

    def __init__(self, path: Path, text: str) -> None:
        self.path, self.lines = path, text.split("\n")
        self.row = 0  # which table of an array of tables is being read

    def line_of(self, section: str, key: str) -> int:
        """The line of a key in a section, or with "" of a key or section at the top; 0 if it cannot be told."""
        inside, row, table = not section, -1, section or key
        for number, line in enumerate(self.lines, 1):
            if header := _HEADER.match(line):
                row += header[1] == table
                here = header[1] == table and row == self.row
                if here and not section or section and header[1] == f"{section}.{key}":
                    return number
                inside = here
            elif inside and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*[=.]", line):
                return number
        assigned = re.compile(rf"\b{re.escape(key)}[\"']?\s*=")  # in an inline table, say
        return next((n for n, line in enumerate(self.lines, 1) if assigned.search(line)), 0)

    def error(self, section: str, key: str, what: str, hint: str | None = None) -> RecipeError:
        line = self.line_of(section, key)
        return RecipeError(what, where=f"{self.path}, line {line}" if line else str(self.path), hint=hint)

    def unknown(self, section: str, key: str, known: list[str]) -> RecipeError:
        near = difflib.get_close_matches(key, known, 1, 0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(known)}"
        name = f"{section}.{key}" if section else key
        return self.error(section, key, f"unknown key {name!r}", hint)

    def value(self, section: str, key: str, kind: Any, value: Any) -> Any:
        """`value` as `kind`, or RecipeError."""
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value) if abs(value) < 1e300 else math.inf
        if get_origin(kind) is tuple and isinstance(value, list):
            return tuple(self.value(section, key, get_args(kind)[0], item) for item in value)
        choices = get_args(kind) if get_origin(kind) is Literal else ()
        if choices:
            right = any(type(value) is type(choice) and value == choice for choice in choices)
        else:
            right = isinstance(value, get_origin(kind) or kind) and isinstance(value, bool) == (kind is bool)
        if right and (kind is not float or math.isfinite(value)):
            return value
        wanted = f"one of {', '.join(map(repr, choices))}" if choices else _PLAIN.get(kind, kind.__name__)
        raise self.error(section, key, f"{key!r} must be {wanted}, not {value!r}")

    def fill(self, section: str, kind: type, given: Any, row: int = 0) -> Any:
        """A dataclass from a TOML table, the `row`-th of its name."""
        self.row = row
        if not isinstance(given, dict):
            raise self.error("", section, f"{section!r} must be a table", f"write it as [{section}]")
        hints = get_type_hints(kind)
        for key in given:
            if key not in hints:
                raise self.unknown(section, key, list(hints))
        for key in (f.name for f in fields(kind) if f.default is f.default_factory is dataclasses.MISSING):
            if key not in given:
                raise self.error("", section, f"'{section}.{key}' is missing")
        try:
            return kind(**{key: self.set(section, kind, key, value) for key, value in given.items()})
        except RecipeError as error:
            if error.where == f"[{section}]":  # of the values together, or in a language of their own
                raise RecipeError(error.what, where=f"{self.path}, [{section}]", hint=error.hint) from None
            raise

    def set(self, section: str, kind: type, key: str, value: Any) -> Any:
        """`value` for a field of a dataclass, of its type and in its range, or RecipeError."""
        value = self.value(section, key, get_type_hints(kind)[key], value)
        limits = next(f.metadata for f in fields(kind) if f.name == key)
        least, most = limits.get("least"), limits.get("most")
        if least is not None and not least <= value <= most:
            raise self.error(section, key, f"{key!r} must be between {least:g} and {most:g}, not {value:g}")
        return value


_HEADER = re.compile(r"\s*\[+\s*[\"']?([\w.-]+)[\"']?\s*\]+\s*(#.*)?$")
_PLAIN = {str: "a text", float: "a number", int: "a whole number", bool: "true or false"}
_PLAIN |= {tuple[str, ...]: "a list of texts", dict[str, Any]: "a table"}


def load(path: Path, sections: Mapping[str, type]) -> Recipe:
    """The recipe in a file. Raises RecipeError that names the key, the line and the nearest right key."""
    return _recipe(*_opened(path), sections)


def _recipe(reader: _Reader, given: Mapping[str, Any], sections: Mapping[str, type]) -> Recipe:
    path, known = reader.path, [*_TOP, "sources", "gates", *sections]
    for key in given:
        if key not in known:
            raise reader.unknown("", key, known)
    top = {k: reader.value("", k, kind, given[k]) for k, kind in _TOP.items() if k in given}
    for key in RANGES:
        if key in top and (wrong := _out_of_range(key, top[key])):
            raise reader.error("", key, wrong)
    for key in ("name", "base"):
        if not top.get(key):
            raise RecipeError(f"{key!r} is missing", where=str(path))
    check_name(top["name"], str(path))
    rows = given.get("sources", [])
    if not isinstance(rows, list) or not rows:
        raise RecipeError("a recipe needs at least one [[sources]]", where=str(path))
    sources = tuple(reader.fill("sources", Source, row, number) for number, row in enumerate(rows))
    params = {name: reader.fill(name, kind, given.get(name, {})) for name, kind in sections.items()}
    gates = reader.fill("gates", Gates, given.get("gates", {}))
    return Recipe(sources=sources, params=params, gates=gates, **top)


def tables(path: Path, name: str, kind: type) -> tuple[Any, ...]:
    """The tables [[name]] of a file that holds nothing else, each as a `kind`. Raises RecipeError as `load` does."""
    reader, given = _opened(path)
    for key in given:
        if key != name:
            raise reader.unknown("", key, [name])
    rows = given.get(name, [])
    if not isinstance(rows, list):
        raise reader.error("", name, f"{name!r} must be tables", f"write [[{name}]] above each")
    return tuple(reader.fill(name, kind, row, number) for number, row in enumerate(rows))


def _opened(path: Path) -> tuple[_Reader, dict[str, Any]]:
    """A file of TOML: its reader and its tables. Raises RecipeError."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        return _Reader(path, text), tomllib.loads(text)
    except FileNotFoundError:
        raise RecipeError("no such recipe", where=str(path)) from None
    except UnicodeDecodeError as error:
        raise RecipeError(f"not UTF-8: {error}", where=str(path)) from error
    except (ValueError, RecursionError) as error:
        raise RecipeError(f"not TOML: {error}", where=str(path)) from error


def _out_of_range(key: str, value: float) -> str | None:
    low, high = RANGES[key]
    fits = low <= value <= high and not 0 < value < 1e-3
    return None if fits else f"{key!r} must be between {low:g} and {high:g}, not {value}"


def check_top(recipe: Recipe, where: str) -> None:
    """Raise RecipeError for a name or a dial that `load` would refuse."""
    check_name(recipe.name, where)
    for key in RANGES:
        if wrong := _out_of_range(key, getattr(recipe, key)):
            raise RecipeError(wrong, where=where)


def check_name(name: str, where: str) -> None:
    """Raise RecipeError for a name that cannot be a file's and a model's."""
    if not is_name(name):
        hint = "begin with a letter or digit, then also dots, hyphens and underscores, at most 64"
        raise RecipeError(f"{name!r} cannot be a model's name", where=where, hint=hint)


def is_name(name: str) -> bool:
    """Whether a text can be a file's and a model's name."""
    return bool(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name))


def fresh(name: str, sections: Mapping[str, type], base: str = DEFAULT_BASE) -> Recipe:
    """The recipe of a folder that has none: its own material, everything by default."""
    return Recipe(name, base, (Source("."),), params={n: kind() for n, kind in sections.items()})


def save(recipe: Recipe, path: Path) -> None:
    """Write a recipe: what differs from the defaults; keys that are there keep their place and comments."""
    mark, old = _read(path) if path.exists() else ("", "")
    document = tomlkit.parse(old) if old else _blank()
    for key in _TOP:
        value = getattr(recipe, key)
        if key in document or value != _default(Recipe, key):
            if document.get(key) != value:
                document[key] = int(value) if isinstance(value, float) and value.is_integer() else value
    if tuple(_source(row) for row in document.get("sources", ())) != recipe.sources:
        rows = tomlkit.aot()
        for source in recipe.sources:
            values = {key: value for key, value in asdict(source).items() if value != ()}
            rows.append(tomlkit.item(values | ({"columns": list(source.columns)} if source.columns else {})))
        document["sources"] = rows
    for name, params in {**recipe.params, "gates": recipe.gates}.items():
        for one in fields(params):
            value = getattr(params, one.name)
            if value != one.default or one.name in document.get(name, ()):
                table = document.setdefault(name, tomlkit.table())
                plain = list(value) if isinstance(value, tuple) else value
                if table.get(one.name) != plain:
                    table[one.name] = plain
    text = _ended_as(old, tomlkit.dumps(document))
    if text != old:
        _write(path, mark + text, "write the recipe")


def change(path: Path, section: str, key: str, value: Any, sections: Mapping[str, type]) -> Recipe:
    """The recipe with one key set, in its file too, where nothing else moves but sources that stood apart.

    Raises RecipeError as `load` does, and leaves the file alone where the recipe would be none.
    """
    _opened(path)
    with disk.alone_in(path.resolve().parent):
        return _changed(path, section, key, value, sections)


def _changed(path: Path, section: str, key: str, value: Any, sections: Mapping[str, type]) -> Recipe:
    mark, old = _read(path)
    document = tomlkit.parse(old)
    table = document.get(section, {})
    if not isinstance(table, dict):
        raise _Reader(path, old).error("", section, f"{section!r} must be a table", f"write it as [{section}]")
    if _plain(table.get(key, _default(sections[section], key))) != _plain(value):
        _put(document.setdefault(section, tomlkit.table()), key, _plain(value))
    text = _ended_as(old, tomlkit.dumps(document))
    changed = _recipe(_Reader(path, text), tomllib.loads(text), sections)
    if text != old:
        _write(path, mark + text, "write the recipe")
    return changed


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple | list) else value


def _put(table: Any, key: str, value: Any) -> None:
    """Set a key. Of a list that is there, entries come and go one by one, so that its comments stay."""
    there = table.get(key)
    if isinstance(there, list) and isinstance(value, list):
        for one in [one for one in there if one not in value]:
            there.remove(one)
        for one in [one for one in value if one not in there]:
            there.append(one)
    if _plain(table.get(key)) != value:
        table[key] = value


def _source(row: Mapping[str, Any]) -> Source:
    return Source(**{**row, "columns": tuple(row.get("columns", ()))})


def _read(path: Path) -> tuple[str, str]:
    """(its byte order mark or "", its text with the ends of lines that it has)."""
    with path.open(encoding="utf-8", newline="") as file:
        text = file.read()
    mark = "\ufeff" * text.startswith("\ufeff")
    return mark, text.removeprefix(mark)


def _ended_as(old: str, text: str) -> str:
    """`text` with the ends of lines of `old`, where those are of one kind."""
    if "\n" in old.replace("\r\n", "") or "\r\n" not in old:
        return text
    return text.replace("\r\n", "\n").replace("\n", "\r\n")


def _write(path: Path, text: str, doing: str) -> None:
    """Replace a small file, whole or not at all."""
    with explained(doing, path.parent):
        try:
            disk.replace(path, text.encode())
        except PermissionError as error:
            hint = "netsuke needs to write there: copy the folder, its recipe with it, to where you may"
            raise RecipeError(f"cannot {doing}: {error.strerror}", where=str(path.parent), hint=hint) from error
        except UnicodeEncodeError as error:
            told = f"cannot {doing}: a name in it is not UTF-8"
            raise RecipeError(told, where=str(path), hint="rename that file or folder") from error


@contextlib.contextmanager
def written(recipe: Recipe, path: Path) -> Iterator[None]:
    """Save a recipe for the length of a make; a size that cannot be reached is taken back, edits since then are not."""
    before = path.read_bytes() if path.exists() else None
    save(recipe, path)
    ours = path.read_bytes()
    try:
        yield
    except BudgetError:
        if not path.exists() or path.read_bytes() != ours:
            raise
        if before is None:
            path.unlink(missing_ok=True)
        else:
            path.write_bytes(before)
        raise


def _blank() -> tomlkit.TOMLDocument:
    document = tomlkit.document()
    document.add(tomlkit.comment("The recipe of this model. `netsuke make` with this file makes it again."))
    return document


def _default(kind: type, name: str) -> Any:
    return next(f.default for f in fields(kind) if f.name == name)


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
        except (ValueError, RecursionError):
            value = text
        if hints[key] is str and not isinstance(value, str):
            value = text
        new = dataclasses.replace(current, **{key: reader.set(section, type(current), key, value)})
        if section == "gates":
            recipe = dataclasses.replace(recipe, gates=new)
        else:
            params[section] = new
    return dataclasses.replace(recipe, params=params)


def load_lock(path: Path) -> Lock | None:
    """The lock in a file, or None if there is none or it is not whole (then it is measured anew).

    Raises RecipeError for a whole one with a value that no measurement gives: it was edited by hand.
    """
    try:
        text = path.read_text(encoding="utf-8")
        given = tomllib.loads(text)
    except (FileNotFoundError, ValueError, RecursionError):
        return None
    except OSError as error:
        raise RecipeError(f"the lock cannot be read: {error.strerror}", where=str(path)) from error
    needed = {f.name for f in fields(Lock) if f.default is dataclasses.MISSING}
    if not (text.endswith("\n") and needed <= given.keys() <= {f.name for f in fields(Lock)}):
        return None
    try:
        return _Reader(path, text).fill("", Lock, given)
    except RecipeError as error:
        raise RecipeError(error.what, where=error.where, hint="`netsuke make --relock` measures anew") from None


def save_lock(lock: Lock, path: Path) -> None:
    """Write a lock, whole or not at all."""
    document = tomlkit.document()
    document.add(tomlkit.comment("Measured when the recipe was made; the same lock gives the same bytes."))
    document.add(tomlkit.comment("`netsuke make --relock` measures anew."))
    for key, value in asdict(lock).items():
        document[key] = value
    document["libraries"] = tomlkit.inline_table()  # one line, so that half a lock lacks a key
    document["libraries"].update(dict(sorted(lock.libraries.items())))
    _write(path, tomlkit.dumps(document), "write the lock")
