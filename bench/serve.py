"""What the server costs over the bare engine, and what it holds out against.

    python -m bench.serve NAME [--seconds 600] [--calls 20000] [--quick] [--json] [--check]

NAME is a model that is here (`netsuke list`), served in a process of its own; the peer is the same engine, asked on its
own socket, by turns with the front. One, four: tokens a second with so many clients at once. First: what the front adds
to the time to the first token. Cold: from the command to the first token, and the memory of both processes. Idle: 1,000
streams that nobody reads on. Soak: answers, streams and clients that leave, for so many seconds. Overload: ten times
more clients than may be inside. Calls: made up from our OpenAPI, right ones and wrong ones.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parent.parent
TEXT = "The function returns a new list whose items are those of the first one, and"
MEGABYTE = 1_000_000
LENGTHS = {  # how a call says how long its answer may be: one that does not would be answered for twenty seconds
    "/v1/chat/completions": {"max_tokens": 4}, "/v1/completions": {"max_tokens": 4}, "/infill": {"n_predict": 4},
    "/v1/responses": {"max_output_tokens": 4}, "/api/chat": {"options": {"num_predict": 4}},
    "/api/generate": {"options": {"num_predict": 4}},
}  # fmt: skip


class Server:
    """`netsuke serve` in a process, and the engine behind it."""

    def __init__(self, process: subprocess.Popen[str], port: int, key: str, folder: Path, seconds: float) -> None:
        self.process, self.port, self.key, self.started_seconds = process, port, key, seconds
        self.socket = next(folder.glob("*/engine.sock"))
        self.headers = {"x-api-key": key}

    def front(self) -> httpx.Client:
        address = f"http://127.0.0.1:{self.port}"
        return httpx.Client(base_url=address, headers=self.headers, timeout=120, trust_env=False)

    def bare(self) -> httpx.Client:
        transport = httpx.HTTPTransport(uds=str(self.socket), limits=httpx.Limits(max_keepalive_connections=0))
        return httpx.Client(base_url="http://engine", transport=transport, timeout=120)

    def memory(self) -> dict[str, int]:
        """Bytes that the front and the engine hold now."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        child = children.read_text(encoding="utf-8").split()[0]
        return {"front": resident(self.process.pid), "engine": resident(int(child))}

    def has_torch(self) -> bool:
        return "libtorch" in Path(f"/proc/{self.process.pid}/maps").read_text(encoding="utf-8")


def resident(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:"))


@contextlib.contextmanager
def served(name: str, *options: str) -> Iterator[Server]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "netsuke", "serve", name, "--port", str(port), *options]
        environment = {**os.environ, "TMPDIR": folder}
        started = time.monotonic()
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
            try:
                assert process.stderr
                key = ""
                for line in process.stderr:
                    key = line.split()[-1] if line.startswith("key:") else key
                    if line.startswith("Ctrl-C"):
                        break
                assert key, "the server did not start"
                yield Server(process, port, key, Path(folder), time.monotonic() - started)
            finally:
                process.send_signal(signal.SIGINT)
                process.wait(20)


def stream(client: httpx.Client, prompt: str, tokens: int) -> tuple[float, int]:
    """(seconds to the first token, tokens) of one streamed answer."""
    body = {"prompt": prompt, "max_tokens": tokens, "temperature": 0.0, "stream": True}
    started, first, count = time.perf_counter(), 0.0, 0
    with client.stream("POST", "/v1/completions", json=body) as response:
        assert response.status_code == 200, response.read()
        for line in response.iter_lines():
            if line.startswith("data: {"):
                first = first or time.perf_counter() - started
                count += 1
    return first, count


def speed(server: Server, clients: int, rounds: int, tokens: int) -> dict[str, Any]:
    """Tokens a second of so many clients at once, by turns from the bare engine and through the front."""
    rates: dict[str, list[float]] = {"bare": [], "front": []}
    for turn in range(2 * rounds):
        way = ("bare", "front", "front", "bare")[turn % 4]
        with contextlib.ExitStack() as stack, ThreadPoolExecutor(clients) as pool:
            each = [stack.enter_context(getattr(server, way)()) for _ in range(clients)]
            for client in each:
                client.get("/health")
            started = time.perf_counter()
            asked = [pool.submit(stream, client, f"{turn // 2} {n} {TEXT}", tokens) for n, client in enumerate(each)]
            total = sum(one.result()[1] for one in asked)
            rates[way].append(total / (time.perf_counter() - started))
    found = {way: round(statistics.median(values), 1) for way, values in rates.items()}
    return {"clients": clients, "n": rounds, **found, "kept": round(found["front"] / found["bare"], 4)}


def first(server: Server, times: int) -> dict[str, Any]:
    """Milliseconds to the first token of a prompt that is in the cache already, by turns."""
    seconds: dict[str, list[float]] = {"bare": [], "front": []}
    with server.bare() as bare, server.front() as front:
        for turn in range(2 * times + 4):
            way = ("bare", "front", "front", "bare")[turn % 4]
            took = stream(bare if way == "bare" else front, TEXT, 2)[0]
            if turn >= 4:
                seconds[way].append(1000 * took)
    medians = {way: statistics.median(values) for way, values in seconds.items()}
    found = {way: round(value, 2) for way, value in medians.items()}
    return {"n": times, **found, "added_ms": round(medians["front"] - medians["bare"], 2)}


def cold(name: str, times: int) -> dict[str, Any]:
    """Seconds from the command to the first token; megabytes after it."""
    ready, token, memory, torch = [], [], dict[str, int](), False
    for _ in range(times):
        with served(name) as server, server.front() as client:
            token.append(server.started_seconds + stream(client, TEXT, 8)[0])
            ready.append(server.started_seconds)
            memory, torch = server.memory(), server.has_torch()
    held = {f"{part}_mb": round(value / MEGABYTE, 1) for part, value in memory.items()}
    waits = {"ready_seconds": ready, "first_token_seconds": token}
    seconds = {what: round(statistics.median(values), 2) for what, values in waits.items()}
    return {"n": times, **seconds, **held, "mb": round(sum(memory.values()) / MEGABYTE, 1), "torch": torch}


def idle(server: Server, count: int) -> dict[str, Any]:
    """What so many streams cost that nobody reads on, and whether a request still gets through."""
    before = server.memory()["front"]
    body = json.dumps({"prompt": TEXT, "max_tokens": 8, "stream": True}).encode()
    head = f"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nx-api-key: {server.key}\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            one = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=60))
            one.sendall(head.encode() + body)
            begun = one.recv(16, socket.MSG_PEEK)
            assert begun.startswith(b"HTTP/1.1 200"), begun
        grown = server.memory()["front"] - before
        with server.front() as client:
            answered = stream(client, TEXT, 4)[1] > 0
    return {"n": count, "grown_mb": round(grown / MEGABYTE, 1), "answered": answered}


def soak(server: Server, seconds: float) -> dict[str, Any]:
    """Answers, streams and clients that leave; how the memory of both processes drifts from the first third on."""
    chance, ends, held, until = random.Random(0), Counter[str](), list[tuple[float, int]](), time.monotonic() + seconds
    with server.front() as client:
        while time.monotonic() < until:
            kind = chance.choice(["whole", "stream", "leave", "refused"])
            body = {"prompt": f"{chance.random()} {TEXT}", "max_tokens": 24, "stream": kind in ("stream", "leave")}
            if kind == "refused":
                body["temperature"] = 9
            with client.stream("POST", "/v1/completions", json=body) as response:
                for _ in response.iter_lines():
                    if kind == "leave":
                        break
            ends[f"{kind} {response.status_code}"] += 1
            held.append((time.monotonic(), sum(server.memory().values())))
    third = held[len(held) // 3 :]
    half = len(third) // 2
    drift = statistics.median(m for _, m in third[half:]) - statistics.median(m for _, m in third[:half])
    return {"seconds": seconds, "ends": dict(ends), "drift_mb": round(drift / MEGABYTE, 2)}


def overload(server: Server, seconds: float) -> dict[str, Any]:
    """Seconds that accepted requests take (p99) with as many clients as may be inside, and with ten times as many."""
    full, many = (asyncio.run(_crowd(server, clients, seconds)) for clients in (17, 170))
    return {"full": full, "overload": many, "times": round(many["p99"] / full["p99"], 2)}


async def _crowd(server: Server, clients: int, seconds: float) -> dict[str, Any]:
    took, ends, until = list[float](), Counter[int](), time.monotonic() + seconds
    limits = httpx.Limits(max_connections=clients, max_keepalive_connections=clients)
    address = f"http://127.0.0.1:{server.port}"
    async with httpx.AsyncClient(
        base_url=address, headers=server.headers, limits=limits, timeout=120, trust_env=False
    ) as client:

        async def one(number: int) -> None:
            while time.monotonic() < until:
                started = time.perf_counter()
                body = {"prompt": f"{number} {TEXT}", "max_tokens": 4}
                answer = await client.post("/v1/completions", json=body)
                ends[answer.status_code] += 1
                if answer.status_code == 200:
                    took.append(time.perf_counter() - started)
                else:
                    await asyncio.sleep(float(answer.headers.get("retry-after", 1)))

        await asyncio.gather(*map(one, range(clients)))
    cut = statistics.quantiles(took, n=100)
    return {"clients": clients, "ends": dict(ends), "p50": round(cut[49], 2), "p99": round(cut[98], 2)}


def calls(server: Server, count: int) -> dict[str, Any]:
    """Calls made up from the description of the server, and what it answered that it should not have."""
    sys.path.insert(0, str(ROOT / "tests" / "serve"))
    sys.path.insert(0, str(ROOT / "tests"))
    import hypothesis
    import schemathesis
    import test_openapi as ours

    statuses, wrong = Counter[int](), list[str]()
    for path in ours.PATHS:
        operation = ours.described()[path][next(iter(ours.openapi.described()["paths"][path]))]
        for mode in schemathesis.GenerationMode:

            @hypothesis.settings(
                max_examples=max(1, count // (2 * len(ours.PATHS))), database=None, deadline=None,
                suppress_health_check=list(hypothesis.HealthCheck),
            )  # fmt: skip
            @hypothesis.given(case=operation.as_strategy(generation_mode=mode))
            def made(case: Any) -> None:
                case.body = ours.small(case.body)
                if isinstance(case.body, dict):
                    case.body = {**LENGTHS.get(case.path, {}), **case.body}
                address, key = f"http://127.0.0.1:{server.port}", ours.shown(server.key)
                answer = case.call(base_url=address, headers=key, timeout=60)
                statuses[answer.status_code] += 1
                try:
                    ours.judge(case, answer)
                except (Exception, BaseExceptionGroup) as error:  # theirs is a group
                    wrong.append(f"{case.method} {case.path}: {str(error)[:200]}")

            with contextlib.suppress(hypothesis.errors.Unsatisfiable):  # a route without fields has no wrong ones
                made()
    told = {str(status): number for status, number in sorted(statuses.items())}
    return {"n": sum(statuses.values()), "statuses": told, "wrong": len(wrong), "first": wrong[:5]}


def measure(name: str, given: argparse.Namespace) -> dict[str, Any]:
    quick, found = given.quick, dict[str, Any]()

    def note(part: str, value: dict[str, Any]) -> None:
        found[part] = value
        print(part, json.dumps(value), file=sys.stderr, flush=True)  # what comes later may take long, or fail

    note("cold", cold(name, 2 if quick else 5))
    with served(name, "--slots", "4") as server:
        note("four", speed(server, 4, 4 if quick else 12, 96))
    with served(name) as server:
        note("first", first(server, 40 if quick else 200))
        note("one", speed(server, 1, 4 if quick else 12, 128))
        note("idle", idle(server, 1000))
        note("soak", soak(server, 20 if quick else given.seconds))
        note("overload", overload(server, 8 if quick else 30))
        note("calls", calls(server, 400 if quick else given.calls))
    return found


def floors(found: dict[str, Any]) -> dict[str, bool]:
    """Whether each floor is held."""
    return {
        "97% of the bare engine's tokens a second at 1 client": found["one"]["kept"] >= 0.97,
        "97% at 4 clients": found["four"]["kept"] >= 0.97,
        "at most 2 ms more to the first token": found["first"]["added_ms"] <= 2,
        "cold to the first token within 1.5 s": found["cold"]["first_token_seconds"] <= 1.5,
        "350 MB, no torch": found["cold"]["mb"] <= 350 and not found["cold"]["torch"],
        "1,000 idle streams cost less than 20 MB": found["idle"]["grown_mb"] < 20 and found["idle"]["answered"],
        "no drift of 10 MB": abs(found["soak"]["drift_mb"]) < 10,
        "ten times too many double the p99 at most": found["overload"]["times"] <= 2,
        "no call ends in what is not described": found["calls"]["wrong"] == 0,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    parser.add_argument("--seconds", type=float, default=600, help="of the soak")
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--quick", action="store_true", help="20 s of soak, 400 calls, fewer rounds")
    parser.add_argument("--json", action="store_true", help="one line of JSON and no table")
    parser.add_argument("--check", action="store_true", help="exit 1 where a floor is missed")
    given = parser.parse_args()
    found = measure(given.name, given)
    verdicts = floors(found)
    if not given.json:
        print(*(f"{'held  ' if held else 'MISSED'} {name}" for name, held in verdicts.items()), sep="\n")
    machine = {"cores": os.cpu_count(), "load": os.getloadavg()[0]}
    print(json.dumps({"bench": "serve", **machine, **found, "floors": verdicts}))
    sys.exit(1 if given.check and not all(verdicts.values()) else 0)


if __name__ == "__main__":
    main()
