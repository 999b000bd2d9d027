"""Files of examples: which shape they have, and each row in its normal form, or by its line why not.

The shapes are those of TRL's dataset formats and OpenAI's fine-tuning files, with the names of Alpaca, Dolly
and ShareGPT (LLaMA-Factory, src/llamafactory/data/converter.py). `text` alone is a document, no example.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

from ..terminal import printable
from ..texts.examples import Row
from . import delimited

Named = tuple[str, ...]  # the columns of question and answer, or none

# The first that fits: (shape, columns). Case and spaces around a name do not matter.
_SHAPES = (
    ("messages", ("messages",)),
    ("messages", ("conversations",)),
    ("prompt + completion", ("prompt", "completion")),
    ("prompt + completion", ("prompt", "response")),
    ("input + output", ("instruction", "output")),
    ("input + output", ("instruction", "response")),
    ("input + output", ("input", "output")),
    ("input + output", ("question", "answer")),
    ("text + label", ("text", "label")),
)
# What follows the first column on a new line, if there is any: Alpaca's `input`, Dolly's `context`.
_APPENDED = {"instruction": ("input", "context"), "question": ("context",)}

_ROLES = {"system": "system", "developer": "system", "user": "user", "human": "user",
          "assistant": "assistant", "gpt": "assistant", "tool": "tool"}  # fmt: skip
_DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_SEEN_ROWS = 20  # the rows that tell what a JSON file is
_SPACE = re.compile(r"[ \t\r\n]*")


@dataclass(frozen=True)
class Examples:
    """The examples of one file. A line is counted from 1; of a .json list it is the number of the item."""

    shape: str  # "messages", "prompt + completion", "input + output" or "text + label"
    rows: tuple[Row, ...]
    bad_rows: tuple[tuple[int, str], ...]  # (line, why)
    dialect: str  # the format, the columns that were used and those that were not

    def to_dict(self) -> dict[str, Any]:
        return {
            "examples": list(self.rows),
            "shape": self.shape,
            "bad_rows": [list(bad) for bad in self.bad_rows],
            "dialect": self.dialect,
        }


def parse(text: str, suffix: str, named: Named = ()) -> Examples | None:
    """The examples of a .jsonl, .ndjson, .json, .csv or .tsv file; None if it is something else.

    Never raises. A table is known by its header, a JSON file by the keys of half of its first 20 rows, a
    .json file only if it is a list. The most frequent shape wins; rows of another are bad. `named` are the columns of
    the question and of the answer, if they are called something else.
    """
    text = text.removeprefix("\ufeff")
    if suffix in (".csv", ".tsv"):
        return _from_table(text, "\t,;|" if suffix == ".tsv" else ",;\t|", named)
    if suffix in (".jsonl", ".ndjson"):
        return _from_json(_json_lines(text), "JSON lines", named)
    if suffix == ".json" and (found := _from_json(_json_items(text), "JSON list", named)):
        bad = tuple((number, f"item {number}: {why}") for number, why in found.bad_rows)
        return Examples(found.shape, found.rows, bad, found.dialect)
    return None


# -- shapes ----------------------------------------------------------------------------------------------
class _BadRow(Exception):
    """Why a row is none."""


_BAD_ANSWER = "marked as a bad answer"


@dataclass(frozen=True)
class _Layout:
    shape: str
    columns: tuple[str, ...]  # as the file names them
    appended: str | None
    ignored: tuple[str, ...]
    twice: str  # a column that two names could mean


def _layout(names: Iterable[str], named: Named) -> _Layout | None:
    """The shape that these column names tell, or None."""
    names = tuple(names)
    plain = [name.strip().casefold() for name in names]
    own = tuple(column.strip().casefold() for column in named)
    for shape, columns in (("input + output", own),) if own else _SHAPES:
        if all(column in plain for column in columns):
            appended = next((name for name in _APPENDED.get(columns[0], ()) if name in plain), None)
            used = (*columns, appended) if appended else columns
            found = [names[plain.index(column)] for column in used]
            twice = next((column for column in used if plain.count(column) > 1), "")
            ignored = tuple(name for name, known in zip(names, plain, strict=True) if known not in used)
            last = found.pop() if appended else None
            return _Layout(shape, tuple(found), last, ignored, twice)
    return None


def _form(record: Mapping[str, Any], layout: _Layout) -> Row:
    """The record in its normal form. Raises _BadRow."""
    if layout.twice:
        raise _BadRow(f"two columns are named {layout.twice}")
    values = [record[name] for name in layout.columns]
    if layout.shape == "prompt + completion" and _is_rejected(record):
        raise _BadRow(_BAD_ANSWER)
    if layout.shape == "messages":
        return {"messages": _messages(values[0])}
    if layout.shape == "prompt + completion" and all(isinstance(value, list) for value in values):
        return {"messages": _messages([*values[0], *values[1]])}  # as TRL has a conversation
    source, target = map(_text, layout.columns, values)
    more = record[layout.appended] if layout.appended else None
    if layout.appended and more is not None and not (isinstance(more, str) and not more.strip()):
        source += "\n" + _text(layout.appended, more)
    first, second = ("text", "label") if layout.shape == "text + label" else ("input", "output")
    return {first: source, second: target}


def _is_rejected(record: Mapping[str, Any]) -> bool:
    """Whether `label` is false, as TRL marks an answer that is not wanted; a table has it as text."""
    labels = [value for name, value in record.items() if name.strip().casefold() == "label"]
    return any(str(label).strip().casefold() == "false" for label in labels if isinstance(label, bool | str))


def _text(name: str, value: Any) -> str:
    """A string, or a number or boolean as JSON writes it. Raises _BadRow."""
    if isinstance(value, bool):
        return "true" if value else "false"
    name = name.strip()
    if value is None:
        raise _BadRow(f"no {name}")
    if not isinstance(value, str):
        raise _BadRow(f"{name} is {_shown(value)}, not one text")
    if not value.strip():
        raise _BadRow(f"{name} is empty")
    if "\0" in value:
        raise _BadRow(f"{name} has a NUL character")
    return value if value.isascii() else printable(value)


def _shown(value: Any) -> str:
    """A JSON value in a few characters; what is nested is not written out, for it may be too deep."""
    if isinstance(value, list):
        return "a list"
    return "an object" if isinstance(value, dict) else f"{value!r:.40}"


def _messages(value: Any) -> list[dict[str, str]]:
    if isinstance(value, str):
        value = _Json().read_all(value)
    if not isinstance(value, list) or not value:
        raise _BadRow("the messages are no list" if value != [] else "there are no messages")
    messages = []
    for number, item in enumerate(value, 1):
        try:
            messages.append(_message(item))
        except _BadRow as bad:
            raise _BadRow(f"message {number}: {bad}") from None
    # Many files have an empty system message in each row.
    messages = [m for m in messages if m["role"] != "system" or m["content"].strip()]
    if not any(m["role"] == "user" for m in messages):
        raise _BadRow("no message is the user's")
    if (last := messages[-1]["role"]) != "assistant":
        raise _BadRow(f"the last message is the {last}'s, not the assistant's")
    if str(value[-1].get("weight")) in ("0", "0.0", "False"):  # so OpenAI marks what is not to be learnt
        raise _BadRow(_BAD_ANSWER)
    return messages


def _message(item: Any) -> dict[str, str]:
    if not isinstance(item, dict):
        raise _BadRow("not an object")
    given = item.get("role", item.get("from"))
    role = _ROLES.get(given.strip().casefold()) if isinstance(given, str) else None
    if role is None:
        raise _BadRow(f"role {_shown(given)}, not system, user, assistant or tool")
    if item.get("tool_calls") or item.get("function_call"):
        raise _BadRow("a call of a tool, not text")
    content = item.get("content", item.get("value"))
    if isinstance(content, list):
        content = "".join(map(_part, content))
    if role == "system" and isinstance(content, str) and not content.strip():
        return {"role": role, "content": ""}
    return {"role": role, "content": _text("content", content)}


def _part(part: Any) -> str:
    kind = part.get("type") if isinstance(part, dict) else None
    if kind != "text" or not isinstance(part.get("text"), str):
        raise _BadRow(f"a part of type {_shown(kind)}, not text")
    return str(part["text"])


# -- files -----------------------------------------------------------------------------------------------
Record = dict[str, Any] | str  # by column, or why it is no row


def _collected(
    records: Iterable[tuple[int, Record]], form: str, named: Named, header: _Layout | None = None
) -> Examples:
    """The records in normal form; `header` is the layout of a table, for a table without rows."""
    layouts = {header.columns: header} if header else {}
    known: dict[tuple[str, ...], _Layout | None] = {}
    shapes: Counter[str] = Counter()
    rows: list[tuple[str, Row]] = []
    bad: list[tuple[int, str]] = []
    for line, record in records:
        if isinstance(record, str):
            bad.append((line, record))
            continue
        if (names := tuple(record)) not in known:
            known[names] = _layout(names, named)
        if (layout := known[names]) is None:
            bad.append((line, "no known columns: " + _list(names)))
            continue
        shapes[layout.shape] += 1
        layouts[names] = layout
        try:
            rows.append((layout.shape, {"line": line, **_form(record, layout)}))
        except _BadRow as why:
            bad.append((line, str(why)))
    shape = shapes.most_common(1)[0][0] if shapes else next(iter(layouts.values())).shape
    bad += [(row["line"], f"{other}, most rows are {shape}") for other, row in rows if other != shape]
    dialect = _dialect(form, [layout for layout in layouts.values() if layout.shape == shape])
    return Examples(shape, tuple(row for own, row in rows if own == shape), tuple(sorted(bad)), dialect)


def _dialect(form: str, layouts: Iterable[_Layout]) -> str:
    used: dict[str, None] = {}
    ignored: dict[str, None] = {}
    for layout in layouts:
        used |= dict.fromkeys((*layout.columns, *filter(None, [layout.appended])))
        ignored |= dict.fromkeys(layout.ignored)
    return f"{form}: {_list(used)}" + (f"; ignored: {_list(ignored)}" if ignored else "")


def _list(names: Iterable[str], most: int = 8) -> str:
    names = [f"{' '.join(name.split()):.40}" for name in names]
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _from_table(text: str, delimiters: str, named: Named) -> Examples | None:
    head = delimited.headed(text, delimiters, lambda names: _layout(names, named) is not None)
    if head is None or (layout := _layout(head[3], named)) is None:
        return None
    text, number, delimiter, names = head
    form = f"table with {_DELIMITERS[delimiter]}"
    if layout.twice:
        why = f"two columns are named {layout.twice}: rename one, until then no row is read"
        return Examples(layout.shape, (), ((number, why),), _dialect(form, [layout]))
    read = delimited.rows(text, delimiter)
    next(read)  # the header
    records = ((line, c if isinstance(c, str) else dict(zip(names, c, strict=True))) for line, c in read)
    first = list(islice(records, _SEEN_ROWS))
    if not first:
        return Examples(layout.shape, (), ((number, "a header without rows"),), _dialect(form, [layout]))
    if layout.shape == "messages" and not any(_is_known(one, named) for one in first):
        return None  # a table that counts messages, for one
    return _collected(chain(first, records), form, named, layout)


def _from_json(records: Iterator[tuple[int, Record]], form: str, named: Named) -> Examples | None:
    first = list(islice(records, _SEEN_ROWS))
    known = sum(_is_known(one, named) for one in first)
    return _collected(chain(first, records), form, named) if known and 2 * known >= len(first) else None


def _is_known(numbered: tuple[int, Record], named: Named) -> bool:
    _, record = numbered
    if isinstance(record, str) or (layout := _layout(record, named)) is None:
        return False
    value = record[layout.columns[0]]
    if layout.shape != "messages" or isinstance(value, list):
        return True
    return isinstance(value, str) and value.lstrip().startswith("[")


# -- JSON ------------------------------------------------------------------------------------------------
class _Json:
    """Reads JSON values; numbers stay as they are written, NaN is nothing, and no key may come twice."""

    def __init__(self) -> None:
        self.twice: str | None = None
        self.decoder = json.JSONDecoder(
            object_pairs_hook=self._object, parse_int=str, parse_float=str, parse_constant=lambda _: None
        )

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) < len(pairs):
            self.twice = next(key for key, n in Counter(key for key, _ in pairs).items() if n > 1)
        return made

    def read(self, text: str, at: int) -> tuple[Any, int]:
        """(the value at `at`, the place after it and white space). Raises _BadRow if there is none."""
        self.twice = None
        try:
            value, end = self.decoder.raw_decode(text, _after_space(text, at))
        except RecursionError:
            raise _BadRow("nested too deep") from None
        except json.JSONDecodeError as error:
            line = f"line {error.lineno}, " if error.lineno > 1 else ""
            raise _BadRow(f"not JSON: {error.msg} in {line}column {error.colno}") from None
        return value, _after_space(text, end)

    def read_all(self, text: str) -> Any:
        """The one value of a text. Raises _BadRow."""
        value, end = self.read(text, 0)
        if end < len(text):
            raise _BadRow(f"not JSON: more after the value in column {end + 1}")
        if self.twice is not None:
            raise _BadRow(f"the key {self.twice!r:.40} comes twice")
        return value


def _after_space(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def _record(value: Any) -> Record:
    return value if isinstance(value, dict) else "not an object"


def _json_lines(text: str) -> Iterator[tuple[int, Record]]:
    reader = _Json()
    for number, line in enumerate(delimited.lines(text), 1):
        if line.strip():
            try:
                yield number, _record(reader.read_all(line.rstrip("\r\n")))
            except _BadRow as bad:
                yield number, str(bad)


def _json_items(text: str) -> Iterator[tuple[int, Record]]:
    """The items of a list; what follows a broken one cannot be told apart, and is one bad row."""
    reader, number = _Json(), 1
    at = _after_space(text, 0)
    if not text.startswith("[", at) or text.startswith("]", _after_space(text, at + 1)):
        return
    while True:
        try:
            value, at = reader.read(text, at + 1)
        except _BadRow as bad:
            yield number, f"{bad}; what follows is not read"
            return
        yield (
            number,
            f"the key {reader.twice!r:.40} comes twice" if reader.twice is not None else _record(value),
        )
        number += 1
        if not text.startswith(",", at):
            break
    if text[at:].strip() != "]":
        yield number, "not JSON: expected a comma or the end of the list; what follows is not read"
