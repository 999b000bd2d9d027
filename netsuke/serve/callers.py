"""Who asks, by whatever credential, and whether there is still something left for them."""

from __future__ import annotations

import hmac
import secrets
import sqlite3
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from starlette.datastructures import Headers

from . import book, keys, usage
from .keys import OWNER, Key
from .refused import Refused

SESSION = "netsuke_session"  # the cookie of a page that the owner opened from a link
MINUTE, DAY = 60.0, 86_400.0


class Callers:
    """The owner and the named keys of a home; the one place that says who somebody is. Not for several threads."""

    def __init__(
        self, home: Path, key: str, *, cookie: str = SESSION, clock: Callable[[], float] = time.time
    ) -> None:
        if not key:
            raise ValueError("the server needs a key")
        self.home, self.cookie, self.clock = home, cookie, clock
        self._owner = keys.digest(key)
        self._sessions: set[str] = set()
        self._database: sqlite3.Connection | None = None
        self._asked: dict[str, deque[float]] = {}
        self._spent: dict[str, tuple[str, int]] = {}  # by name: the day, tokens on it

    def session(self) -> str:
        """A new value for the cookie, good until the server ends: the owner's, for pages."""
        self._sessions.add(keys.digest(token := secrets.token_urlsafe(32)))
        return token

    # -- who -----------------------------------------------------------------------------------------------
    def authorise(self, method: str, headers: Headers) -> Key | None:
        """Whose the credentials are: Bearer, x-api-key or a session's cookie; None where one of them is wrong.

        A cookie comes along with requests that the owner did not make, so it counts for reading, and for acts of a
        page that says it is ours (its Origin was looked at before).
        """
        shown = headers.getlist("x-api-key")
        for value in headers.getlist("authorization"):
            scheme, _, credential = value.partition(" ")
            shown.append(credential.strip() if scheme.lower() == "bearer" else "")
        found = [self._of_key(one) for one in shown]
        if not shown and (method in ("GET", "HEAD") or "origin" in headers):
            found = [self._of_session(one) for one in _cookies(headers, self.cookie)]
        first = found[0] if found else None
        return first if all(one == first for one in found) else None

    def _of_key(self, shown: str) -> Key | None:
        digest = keys.digest(shown)
        if hmac.compare_digest(digest, self._owner):
            return Key(OWNER)
        return keys.of_digest(self._connection(), digest)

    def _of_session(self, shown: str) -> Key | None:
        return Key(OWNER) if keys.digest(shown) in self._sessions else None

    def _connection(self) -> sqlite3.Connection:
        if self._database is None:
            self._database = book.connected(self.home, 5.0)
        return self._database

    # -- how much ------------------------------------------------------------------------------------------
    def admit(self, key: Key) -> None:
        """Counts a request. Raises Refused (429) with the seconds to wait."""
        if key.tokens_per_day is not None:
            left = key.tokens_per_day - self.spent(key.name)
            if left <= 0:
                wait = DAY - self.clock() % DAY
                message = f"This key has used its {key.tokens_per_day} tokens of today (UTC)."
                raise _too_much(message, "token_quota", wait)
        if key.rpm is not None:
            asked, now = self._asked.setdefault(key.name, deque()), time.monotonic()
            while asked and now - asked[0] >= MINUTE:
                asked.popleft()
            if len(asked) >= key.rpm:
                wait = MINUTE - (now - asked[0]) if asked else MINUTE
                raise _too_much(f"This key may ask {key.rpm} times a minute.", "rate_limit", wait)
            asked.append(now)

    def spent(self, name: str) -> int:
        """Tokens of today."""
        today = usage.day(self.clock())
        if self._spent.get(name, ("", 0))[0] != today:
            self._spent[name] = (today, usage.tokens(self._connection(), today, name))
        return self._spent[name][1]

    def spend(self, name: str, tokens: int) -> None:
        """Counts tokens against the day's."""
        if tokens and name not in ("", OWNER):
            total = self.spent(name) + tokens
            self._spent[name] = (self._spent[name][0], total)

    def close(self) -> None:
        if self._database is not None:
            self._database.close()
            self._database = None


def _cookies(headers: Headers, cookie: str) -> list[str]:
    pairs = (pair.strip().partition("=") for value in headers.getlist("cookie") for pair in value.split(";"))
    return [value for name, _, value in pairs if name == cookie]


def _too_much(message: str, code: str, wait_seconds: float) -> Refused:
    return Refused(429, message, code=code, headers={"Retry-After": str(int(wait_seconds) + 1)})
