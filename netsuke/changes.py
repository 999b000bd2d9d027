"""What differs between an earlier run of a step and one that would be: inputs, version, params, libraries; in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .nouns import Ref, Run
from .store import Store


def since(
    last: Run, version: int, params: Mapping[str, Any], inputs: Mapping[str, Ref], libraries: Mapping[str, str],
    store: Store,
) -> str:  # fmt: skip
    """Each difference from the run `last`, with ; between them; "" where there is none."""
    names = [n for n in {**last.inputs, **inputs} if last.inputs.get(n) != inputs.get(n)]
    reasons = [_input(n, last.inputs.get(n), inputs.get(n), store) for n in names]
    if last.version != version:
        reasons.append(f"the step changed (version {last.version} to {version})")
    return "; ".join([*reasons, *_differences(last.params, params), *_differences(last.libraries, libraries)])


def _input(name: str, before: Ref | None, now: Ref | None, store: Store) -> str:
    if not (before and now and store.is_tree(before) and store.is_tree(now)):
        return f"{name} changed"
    old, new = store.tree(before), store.tree(now)
    parts = [
        (sorted(new.keys() - old.keys()), "added"),
        (sorted(old.keys() - new.keys()), "gone"),
        (sorted(k for k in old.keys() & new.keys() if old[k] != new[k]), "changed"),
    ]
    told = [f"{', '.join(names[:3])}{' …' if len(names) > 3 else ''} {what}" for names, what in parts if names]
    return f"{name}: {'; '.join(told)}" if told else f"{name} changed"


def _differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    def told(values: Mapping[str, Any], name: str) -> str:
        return repr(values[name]) if name in values else "not there"

    names = [n for n in {**before, **now} if told(before, n) != told(now, n)]
    return [f"{n} was {told(before, n)}, is {told(now, n)}" for n in names]
