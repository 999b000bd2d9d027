"""What writing needs of each model and is kept between requests: its voice, its material, and how it is settled."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import asdict
from typing import Any

from ..errors import NetsukeError
from ..serve.refused import Refused
from . import shelf, texts
from .lending import Lending
from .overlap import Material
from .voice import TooLittleError, Voice


class Desk:
    """By the Ref of a pack, so that a new pack of a name begins afresh."""

    def __init__(self, engines: Lending) -> None:
        self.engines = engines
        self._voices: dict[str, Voice] = {}
        self._materials: dict[str, Material] = {}
        self._settling: dict[str, asyncio.Task[Any]] = {}
        self._shares: dict[str, float] = {}

    def voice(self, model: shelf.Model) -> Voice:
        if model.ref not in self._voices:
            self._voices[model.ref] = Voice(self.engines, model)
        return self._voices[model.ref]

    def material(self, model: shelf.Model) -> Material:
        """What the model learnt from; blocks while it is read for the first time."""
        if model.ref not in self._materials:
            self._materials[model.ref] = Material(texts.learnt(model))
        return self._materials[model.ref]

    def state(self, voice: Voice) -> dict[str, Any]:
        """What is known of where off-voice begins; settling it begins here where that was not yet done."""
        if settled := voice.calibration():
            return {"state": "settled", **asdict(settled)}
        ref = voice.model.ref
        if ref not in self._settling:
            self._settling[ref] = asyncio.create_task(
                voice.calibrate(lambda share: self._shares.update({ref: share}))
            )
        task = self._settling[ref]
        if not task.done():
            return {"state": "settling", "share": round(self._shares.get(ref, 0.0), 2)}
        error = task.exception() if not task.cancelled() else None
        if not isinstance(error, TooLittleError):  # the material stays as it is; all else passes
            del self._settling[ref]
        why = str(error) if isinstance(error, NetsukeError | Refused) else "The engine failed."
        return {"state": "none", "why": why, "hint": getattr(error, "hint", None) or ""}

    async def close(self) -> None:
        """Give up what is still being settled."""
        for task in self._settling.values():
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, NetsukeError, Refused):
                await task
