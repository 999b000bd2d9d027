"""Where the server listens, to whom, for how long: loopback unless told otherwise, TLS, and no patience without end."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import errno
import ipaddress
import resource
import signal
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from ..errors import EngineError
from .guard import LOOPBACK, with_port

HEAD_SECONDS = 10.0  # in which the head of a request must have come
KEEP_SECONDS = 30  # that a connection is kept after an answer
MOST_CONNECTIONS = 2048
FILES = 4 * MOST_CONNECTIONS  # that the process may open, where the system lets it


@dataclass(frozen=True)
class Address:
    """A host and a port. `names` are what a request's Host may say beside the loopback names, with a port of their
    own where a proxy has another one.

    Without `certificate` and `private_key` (PEM files) it must be a loopback address, or `plain` must say that
    this is meant: then keys and prompts can be read on the way.
    """

    host: str = "127.0.0.1"
    port: int = 8177
    names: tuple[str, ...] = ()
    certificate: Path | None = None
    private_key: Path | None = None
    plain: bool = False

    @property
    def tls(self) -> bool:
        return self.certificate is not None

    @property
    def is_loopback(self) -> bool:
        if self.host == "localhost":
            return True
        with contextlib.suppress(ValueError):
            return ipaddress.ip_address(self.host).is_loopback
        return False

    @property
    def url(self) -> str:
        shown = next(iter(self.names), _bracketed(self.host))
        return f"{'https' if self.tls else 'http'}://{with_port(shown, self.port)}"

    def checked(self) -> Address:
        """The address with its own host among the names. Raises EngineError where it may not or cannot be used.

        To be called once.
        """
        where = f"{self.host}:{self.port}"
        if (self.certificate is None) != (self.private_key is None):
            raise EngineError("a certificate needs its key, and a key its certificate", where=where)
        if not self.is_loopback and not self.tls and not self.plain:
            hint = "keep 127.0.0.1; or --cert and --key-file; or --without-tls behind a proxy that has TLS"
            raise EngineError("this address is open to the network", where=where, hint=hint)
        if not 0 < self.port < 65536:
            raise EngineError("there is no such port", where=where, hint="choose another one with --port")
        if self.host in ("0.0.0.0", "::") and not self.names:
            hint = "--hostname notes.example.org: what others write in the address bar"
            raise EngineError("every address of this machine, by which name?", where=where, hint=hint)
        own = () if self.host in ("0.0.0.0", "::", *(name.strip("[]") for name in LOOPBACK)) else (self.host,)
        names = dict.fromkeys(map(_bracketed, (*own, *self.names)))
        return dataclasses.replace(self, names=tuple(names))

    def listening(self) -> socket.socket:
        """A listening socket. Raises EngineError."""
        where = f"{self.host}:{self.port}"
        try:
            family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
            listener = socket.create_server((self.host, self.port), family=family, backlog=1024)
            # Inherited by what is accepted, where asyncio does not set it: else an answer waits 40 ms for an ACK.
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return listener
        except OSError as error:
            taken = error.errno == errno.EADDRINUSE
            what = "the port is taken" if taken else f"the port cannot be used: {error}"
            hint = "does `netsuke open` or `netsuke serve` run already? choose another one with --port"
            raise EngineError(what, where=where, hint=hint) from None

    def run(self, app: ASGIApp, listener: socket.socket, on_ready: Callable[[], None] | None = None) -> None:
        """An application on a listening socket, until SIGINT or SIGTERM. Raises EngineError for a bad certificate."""
        _allow_files()
        config = uvicorn.Config(app, **settings(app))
        if self.certificate and self.private_key:
            config.ssl_certfile, config.ssl_keyfile = str(self.certificate), str(self.private_key)
            try:
                config.load()
            except (OSError, ssl.SSLError) as error:
                raise EngineError(f"the certificate cannot be used: {error}", where=str(self.certificate)) from None
        _Front(config, on_ready).run(sockets=[listener])


def _bracketed(name: str) -> str:
    """A name as it stands in front of a port: an IPv6 address in brackets."""
    with contextlib.suppress(ValueError):
        if ipaddress.ip_address(name).version == 6:
            return f"[{name}]"
    return name


def settings(app: ASGIApp) -> dict[str, Any]:
    """uvicorn's settings for an application of ours."""
    return {
        "log_level": "warning",
        "access_log": False,
        "server_header": False,
        "date_header": False,
        "http": Patient,
        "ws": "none",
        "lifespan": "on" if isinstance(app, Starlette) else "off",
        "timeout_keep_alive": KEEP_SECONDS,
        "timeout_graceful_shutdown": 2,
    }


def _allow_files() -> None:
    """A connection needs a file or two, and the usual limit is 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    if soft < wanted:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class Patient(H11Protocol):
    """uvicorn's connection, that closes where no head of a request comes; of too many, the oldest idle one does."""

    _timer: asyncio.TimerHandle | None = None
    since = 0.0  # when it was made, on the loop's clock

    @property
    def busy(self) -> bool:
        """Whether a request is being answered."""
        return self.cycle is not None and not self.cycle.response_complete

    @property
    def is_idle(self) -> bool:
        return not self.busy and not self.transport.is_closing()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect()
        self.since = self.loop.time()
        if len(self.connections) > MOST_CONNECTIONS:
            others = [one for one in self.connections if isinstance(one, Patient) and one is not self]
            idle = [one for one in others if one.is_idle]
            min(idle, key=lambda one: one.since, default=self).transport.abort()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.busy:
            self._cancel()
        elif self._timer is None and self.timeout_keep_alive_task is None:
            self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel()
        super().connection_lost(exc)

    def _expect(self) -> None:
        self._timer = self.loop.call_later(HEAD_SECONDS, self._give_up)

    def _give_up(self) -> None:
        self._timer = None
        if not self.busy:
            self.transport.abort()

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class _Front(uvicorn.Server):
    """uvicorn's server, which says when it is ready and leaves quietly."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None] | None) -> None:
        super().__init__(config)
        self.on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and self.on_ready:
            self.on_ready()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        # uvicorn's own raises the signal again at the end, which would skip whatever follows `serve`
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {one: signal.signal(one, self.handle_exit) for one in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for one, handler in before.items():
                signal.signal(one, handler)
