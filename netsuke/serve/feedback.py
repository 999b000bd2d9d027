"""/v1/feedback: what somebody found an answer that they got, and, with their consent, a better one to learn from."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..consent import corrections
from ..engines import asking
from ..errors import RecipeError, StoreError
from . import events
from .checks import Check, boolean, one_of, record, text
from .fields import wrong
from .models import Models
from .record import Record
from .refused import Refused

_better = record(
    {"prompt": text(corrections.MOST_CHARS, 1), "answer": text(corrections.MOST_CHARS, 1)}, ("prompt", "answer")
)
FEEDBACK: dict[str, Check] = {
    "id": text(128, 1),
    "thumb": one_of("up", "down"),
    "correction": _better,
    "consent": boolean,
    "user": text(256),
}
MOST_KNOWN = 10_000  # answers that are known before they stand in the book


class Answers:
    """Which answers were given lately: to whom, and by which model."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._known: OrderedDict[tuple[str, str], str] = OrderedDict()

    def remember(self, record: Record) -> None:
        """An answer is about to end, and may be spoken of as soon as it has."""
        if record.answer and record.model:
            self.add(record.who, record.answer, record.model)

    def add(self, who: str, answer: str, model: str) -> None:
        self._known[who, answer] = model
        if len(self._known) > MOST_KNOWN:
            self._known.popitem(last=False)

    async def model_of(self, who: str, answer: str) -> str:
        """The model that gave this answer to this key. Raises Refused (404), StoreError."""
        known = self._known.get((who, answer)) or await asyncio.to_thread(events.model_of, self.home, who, answer)
        if known is None:
            message = f"This key got no answer of that id in the last {events.KEEP_DAYS} days."
            raise Refused(404, message, code="answer_not_found", param="id")
        return known


class Feedback:
    """Takes thumbs and corrections."""

    def __init__(self, answers: Answers, models: Models) -> None:
        self.answers, self.models = answers, models

    async def take(self, who: str, given: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """(the model, what was kept) of checked fields. Raises Refused."""
        better = given.get("correction")
        if better is None and "thumb" not in given:
            raise wrong("thumb", "or a correction is needed")
        if better and not given.get("consent"):
            raise wrong("consent", "must be true: a correction is kept and learnt from only with it", "no_consent")
        try:
            model = await self.answers.model_of(who, given["id"])
            kept = await self._corrected(who, model, better) if better else None
            if "thumb" in given:
                home = self.answers.home
                await asyncio.to_thread(events.put_thumb, home, who, given["id"], model, given["thumb"])
        except RecipeError as error:
            raise wrong("correction", f"cannot be kept: {error.what}") from None
        except StoreError as error:
            raise Refused(503, f"{error.what[:200]}.", code="not_kept", headers={"Retry-After": "10"}) from None
        told = {"object": "feedback", "id": given["id"], "thumb": given.get("thumb"), "correction": kept}
        return model, told

    async def _corrected(self, who: str, model: str, better: Mapping[str, str]) -> str:
        """The id of a correction that is kept."""
        task = await asyncio.to_thread(self._task, model)
        labels = task["labels"] if task and task["kind"] == "labels" else None
        answer = better["answer"].strip()
        if labels is not None and answer not in labels:
            shown = ", ".join(map(repr, labels[:12])) + (", …" if len(labels) > 12 else "")
            raise wrong("correction", f"must be one of the labels of {model}: {shown}")
        one = await asyncio.to_thread(
            lambda: corrections.keep(self.answers.home, model, who, better["prompt"], answer, label=labels is not None)
        )
        return one.id

    def _task(self, model: str) -> dict[str, Any] | None:
        stamp = self.models.stamp(model)
        folder = self.models.folder(model, stamp) if stamp else None
        return asking.task_of(folder) if folder and folder.is_dir() else None
