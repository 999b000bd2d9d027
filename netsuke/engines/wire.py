"""httpx's way to an engine's Unix socket, without the layers that a network needs.

httpx's own way (httpcore on anyio) takes 0.6 ms more a request and 0.1 ms more a token of a stream, of cores that the
engine wants (docs/log.md). Here h11 reads and writes HTTP, and the socket is read when somebody asks for more: what
comes meanwhile gathers in the kernel and wakes nobody.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import h11
import httpx

RECEIVE_BYTES = 65_536


class Wire(httpx.AsyncBaseTransport):
    """A connection for each request: the engine closes one after a stream although it announces keep-alive."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The answer, its body to come. Raises httpx.TransportError."""
        connection = _Connection(request)
        try:
            head = await connection.ask(self.path)
        except BaseException:
            await connection.aclose()
            raise
        return httpx.Response(head.status_code, headers=head.headers.raw_items(), stream=connection)


class _Connection(httpx.AsyncByteStream):
    """One request and its answer, whose body it is."""

    def __init__(self, request: httpx.Request) -> None:
        self.request = request
        self.silent_seconds = request.extensions.get("timeout", {}).get("read")  # that the engine may be
        self.http = h11.Connection(h11.CLIENT)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.setblocking(False)

    async def ask(self, path: str) -> h11.Response:
        """Sends the request; the head of the answer."""
        loop, request = asyncio.get_running_loop(), self.request
        head = h11.Request(method=request.method, target=request.url.raw_path, headers=request.headers.raw)
        parts = (head, h11.Data(data=await request.aread()), h11.EndOfMessage())
        with self._errors():
            async with asyncio.timeout(self.silent_seconds):
                await loop.sock_connect(self.socket, path)
                await loop.sock_sendall(self.socket, b"".join(self.http.send(part) or b"" for part in parts))
            while not isinstance(event := await self._event(), h11.Response):
                pass  # a head before the head (100 to 199)
            return event

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with self._errors():
            while isinstance(event := await self._event(), h11.Data):
                yield bytes(event.data)

    async def aclose(self) -> None:
        self.socket.close()

    async def _event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        loop = asyncio.get_running_loop()
        while (event := self.http.next_event()) is h11.NEED_DATA:
            async with asyncio.timeout(self.silent_seconds):
                self.http.receive_data(await loop.sock_recv(self.socket, RECEIVE_BYTES))
        return event

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        """What goes wrong, by httpx's names."""
        try:
            yield
        except TimeoutError:
            raise httpx.ReadTimeout("the engine is silent", request=self.request) from None
        except OSError as error:
            raise httpx.NetworkError(str(error), request=self.request) from error
        except h11.RemoteProtocolError as error:
            raise httpx.RemoteProtocolError(str(error), request=self.request) from error
