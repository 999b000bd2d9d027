"""What a value in a request may be: kinds of checks, each with the same said as JSON Schema."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Schema = dict[str, Any]
NULL: Schema = {"type": "null"}
MOST_SCHEMA = 65_536  # characters: the engine makes a grammar of it, and nobody else is answered meanwhile


@dataclass(frozen=True)
class Check:
    """What a value must be. Called, it gives the value to pass on, or raises ValueError with what it must be."""

    accept: Callable[[Any], Any]
    schema: Schema  # the same as JSON Schema says it, as far as that can

    def __call__(self, value: Any) -> Any:
        return self.accept(value)


def integer(low: int, high: int) -> Check:
    def check(value: Any) -> int:
        if type(value) is not int or not low <= value <= high:
            raise ValueError(f"must be a whole number from {low} to {high}")
        return value

    return Check(check, {"type": "integer", "minimum": low, "maximum": high})


def number(low: float, high: float) -> Check:
    def check(value: Any) -> float:
        if type(value) not in (int, float) or not low <= value <= high:
            raise ValueError(f"must be a number from {low:g} to {high:g}")
        return float(value)

    return Check(check, {"type": "number", "minimum": low, "maximum": high})


def numbers(low: float, high: float, most: int) -> Check:
    """An object of at most so many such numbers, by name."""
    one = number(low, high)

    def check(value: Any) -> dict[str, float]:
        if len(mapping(value)) > most:
            raise ValueError(f"must have at most {most} names")
        found = {}
        for name, item in value.items():
            try:
                found[name] = one(item)
            except ValueError as error:
                raise ValueError(f"of {name[:64]!r} {error}") from None
        return found

    return Check(check, {"type": "object", "additionalProperties": one.schema, "maxProperties": most})


def text(most: int, least: int = 0) -> Check:
    def check(value: Any) -> str:
        if not isinstance(value, str) or not least <= len(value) <= most:
            raise ValueError(f"must be a text of at most {most} characters" + " and not empty" * (least > 0))
        return value

    return Check(check, {"type": "string", "maxLength": most} | ({"minLength": least} if least else {}))


def one_of(*choices: Any) -> Check:
    def check(value: Any) -> Any:
        if not any(type(value) is type(choice) and value == choice for choice in choices):
            raise ValueError("must be " + " or ".join(repr(choice) for choice in choices))
        return value

    return Check(check, {"enum": list(choices)})


def either(*checks: Check) -> Check:
    """The first of these that takes the value."""

    def check(value: Any) -> Any:
        told = []
        for one in checks:
            try:
                return one(value)
            except ValueError as error:
                told.append(str(error))
        raise ValueError(", or ".join(told))

    return Check(check, {"anyOf": [one.schema for one in checks]})


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


boolean = Check(_boolean, {"type": "boolean"})


def _mapping(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("must be an object")
    return value


mapping = Check(_mapping, {"type": "object"})


def record(checks: Mapping[str, Check], required: tuple[str, ...] = ()) -> Check:
    """An object with these keys and no other; a key whose value is null counts as absent."""

    def check(value: Any) -> dict[str, Any]:
        given = {key: item for key, item in mapping(value).items() if item is not None}
        for key in required:
            if key not in given:
                raise ValueError(f"must have {key!r}")
        for key in given:
            if key not in checks:
                raise ValueError(f"may not have {key[:64]!r}")
        return {key: checks[key](item) for key, item in given.items()}

    return Check(check, object_schema(checks, required))


def object_schema(checks: Mapping[str, Check], required: Sequence[str] = ()) -> Schema:
    """An object of such fields, each of which may be null where it may be absent; of any other, null says nothing."""
    shapes = {
        name: one.schema if name in required else {"anyOf": [one.schema, NULL]}
        for name, one in checks.items()
    }
    return {"type": "object", "properties": shapes, "required": list(required), "additionalProperties": NULL}


def each(check: Check, most: int, least: int = 0) -> Check:
    """A list of at most so many such values."""

    def checked_all(value: Any) -> list[Any]:
        if not isinstance(value, list) or not least <= len(value) <= most:
            raise ValueError(f"must be a list of {least} to {most}")
        return [check(item) for item in value]

    return Check(checked_all, {"type": "array", "items": check.schema, "minItems": least, "maxItems": most})


def parts(part: Check) -> Check:
    """A text, or a list of such parts, whose texts are joined."""
    several = each(part, 1024)
    return either(text(1_000_000), Check(lambda value: "".join(p["text"] for p in several(value)), several.schema))


def _schema(value: Any, depth: int = 0) -> Any:
    """A JSON Schema that is not there to keep the engine busy, and points nowhere but into itself."""
    if depth > 32:
        raise ValueError("must not be deeper than 32 levels")
    if isinstance(value, dict):
        reference = value.get("$ref")
        if isinstance(reference, str) and not reference.startswith("#"):
            raise ValueError("may refer to nothing but its own parts ('#/…'): nothing is fetched")
        for item in value.values():
            _schema(item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            _schema(item, depth + 1)
    return value


def _small_schema(value: Any) -> Any:
    if len(json.dumps(_schema(mapping(value)))) > MOST_SCHEMA:
        raise ValueError(f"must be at most {MOST_SCHEMA} characters as JSON")
    return value


schema = Check(_small_schema, {"type": "object"})
