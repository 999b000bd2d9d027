"""The way to the engine's socket: answers in any pieces, and every way in which one can fail to come."""

import asyncio
import contextlib

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsuke.engines.wire import Wire

WHOLE = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 4\r\n\r\nabcd"
PARTS = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n2\r\ncd\r\n0\r\n\r\n"
EARLY = b"HTTP/1.1 103 Early Hints\r\nlink: <a>\r\n\r\n"


@contextlib.asynccontextmanager
async def engine(place, pieces, heard=None, stays=False):
    """A client of a socket whose every answer is these pieces; `stays`: it then says nothing and hangs on."""

    async def answer(reader, writer):
        ends.append(asyncio.current_task())
        head = await reader.readuntil(b"\r\n\r\n")
        if heard is not None:
            heard.extend([head, await reader.readexactly(2)])
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
        if stays and heard is not None:
            heard.append(await reader.read())
        writer.close()
        await writer.wait_closed()

    ends = []
    server = await asyncio.start_unix_server(answer, place)
    client = httpx.AsyncClient(transport=Wire(place), base_url="http://engine", timeout=0.2)
    try:
        async with server, client:
            yield client
    finally:
        await asyncio.gather(*ends, return_exceptions=True)  # who is left in the middle may find the pipe broken


async def asked(place, pieces, **more):
    async with engine(place, pieces, **more) as client:
        return await client.post("/completion", content=b"{}")


@given(
    answer=st.sampled_from([WHOLE, PARTS, EARLY + PARTS]), cuts=st.lists(st.integers(1, 60), max_size=6)
)
def test_an_answer_is_the_same_in_any_pieces(answer, cuts, tmp_path_factory):
    place = tmp_path_factory.mktemp("s") / "s"
    ends = [0, *sorted(cuts), len(answer)]
    pieces = [answer[start:end] for start, end in zip(ends, ends[1:], strict=False)]
    got = asyncio.run(asked(place, pieces))
    assert (got.status_code, got.content) == (200, b"abcd")


def test_what_was_asked_arrives(tmp_path):
    heard = []
    asyncio.run(asked(tmp_path / "s", [WHOLE], heard=heard))
    head = heard[0].decode().splitlines()
    assert head[0] == "POST /completion HTTP/1.1"
    assert {"Host: engine", "Content-Length: 2"} <= set(head)
    assert heard[1] == b"{}"


@pytest.mark.parametrize("length", range(len(PARTS)))
def test_an_answer_that_is_broken_off_is_an_error_wherever_it_is(length, tmp_path):
    with pytest.raises(httpx.TransportError):
        asyncio.run(asked(tmp_path / "s", [PARTS[:length]]))


@pytest.mark.parametrize("there", ["nothing", "file"])
def test_nobody_listens(there, tmp_path):
    if there == "file":
        (tmp_path / "s").write_text("")

    async def ask():
        async with httpx.AsyncClient(transport=Wire(tmp_path / "s"), base_url="http://engine") as client:
            await client.get("/health")

    with pytest.raises(httpx.TransportError):
        asyncio.run(ask())


@pytest.mark.parametrize("said", [b"", PARTS[:60]])
def test_silence_ends_after_the_time_that_was_given(said, tmp_path):
    with pytest.raises(httpx.ReadTimeout, match="silent"):
        asyncio.run(asked(tmp_path / "s", [said], heard=[], stays=True))


def test_something_else_than_http_is_an_error(tmp_path):
    with pytest.raises(httpx.RemoteProtocolError):
        asyncio.run(asked(tmp_path / "s", [b"hello\r\n\r\n"]))


def test_who_leaves_hangs_up(tmp_path):
    heard = []

    async def leave():
        async with engine(tmp_path / "s", [PARTS[:53]], heard=heard, stays=True) as client:
            async with client.stream("POST", "/completion", content=b"{}") as answer:
                assert await anext(answer.aiter_raw()) == b"ab"
            while len(heard) < 3:
                await asyncio.sleep(0.01)

    asyncio.run(asyncio.wait_for(leave(), 5))
    assert heard[2] == b""  # the engine read to the end: nobody is there any more
