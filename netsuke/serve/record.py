"""What one request came to."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Record:
    """A request and how it ended; whoever answers it fills it in."""

    method: str
    path: str
    time: float = field(default_factory=time.time)
    who: str = ""
    model: str = ""  # that was asked for
    status: int = 499  # until an answer begins: the client left
    prompt_tokens: int = 0
    completion_tokens: int = 0
    abstained: bool = False
    broke: bool = False  # the answer did not come to its end
    left: bool = False  # whoever asked hung up before its end: that is no failure of ours
    reached: bool = False  # its engine was asked: a turn of it was had
    times: int = 1
    suggests: bool = False  # an editor asked by itself, for somebody who writes
    counted: int = 0  # tokens that were taken off the day's already
    answer: str = ""  # the id that the answer told, where it told one
    first_seconds: float | None = None  # until the first part of a stream
    seconds: float = 0.0  # until its end
    prompts: list[str] = field(default_factory=list)  # until they were looked at, and never written down
    pack: Path | None = None  # whose model answered
    familiar: list[tuple[float, int]] = field(default_factory=list)  # of each prompt: the share known, its words

    @property
    def tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens

    @property
    def failed(self) -> bool:
        return self.broke or self.status >= 500

    @property
    def served(self) -> bool:
        """Whether it reached a model that could answer it, and so counts as used."""
        return self.reached and bool(self.model) and not 400 <= self.status < 499 and self.status != 501

    @property
    def audited(self) -> bool:
        """Acts, and whatever was refused; reading changes nothing and shows nothing of anybody."""
        return self.method not in ("GET", "HEAD") or self.status >= 400
