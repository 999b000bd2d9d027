"""What a Prometheus server reads: ours by route and model, and the engines' own under their model's name."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Collection

import httpx
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)

from .record import Record
from .shelf import Seat, Shelf
from .writer import Writer

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300)
_SAMPLE = re.compile(r"(?P<name>[a-zA-Z_:][\w:]*)(\{(?P<labels>.*)\})? (?P<rest>.*)")


class Metrics:
    """Counts what was finished; `text` adds what is so now."""

    def __init__(self, routes: Collection[str]) -> None:
        disable_created_metrics()
        self.routes = frozenset(routes)
        self.registry = CollectorRegistry()
        labels = ("route", "model")
        self.requests = Counter("netsuke_requests", "Requests", (*labels, "status"), registry=self.registry)
        self.tokens = Counter("netsuke_tokens", "Tokens", ("model", "kind"), registry=self.registry)
        self.abstained = Counter("netsuke_abstentions", "Answers held back", ("model",), registry=self.registry)
        self.seconds = Histogram(
            "netsuke_request_seconds", "Seconds from the head to the end of the answer", labels, buckets=_SECONDS,
            registry=self.registry,
        )  # fmt: skip
        self.first = Histogram(
            "netsuke_first_token_seconds", "Seconds from the head to the first part of a stream", labels,
            buckets=_SECONDS, registry=self.registry,
        )  # fmt: skip
        self.thumbs = Counter("netsuke_thumbs", "Answers found good or bad", ("model", "thumb"), registry=self.registry)
        self.waiting = Gauge("netsuke_queued", "Requests that wait", ("model", "kind"), registry=self.registry)
        self.running = Gauge("netsuke_running", "Requests that run", ("model", "kind"), registry=self.registry)
        self.memory = Gauge("netsuke_engine_bytes", "Peak memory", ("model", "kind"), registry=self.registry)
        self.lost = Gauge("netsuke_records_lost", "Records the disk did not take", registry=self.registry)

    def count(self, record: Record) -> None:
        """Takes a finished request."""
        route = record.path if record.path in self.routes else "other"
        self.requests.labels(route, record.model, record.status).inc()
        if record.model:
            self.seconds.labels(route, record.model).observe(record.seconds)
            if record.first_seconds is not None:
                self.first.labels(route, record.model).observe(record.first_seconds)
            self.tokens.labels(record.model, "prompt").inc(record.prompt_tokens)
            self.tokens.labels(record.model, "completion").inc(record.completion_tokens)
            self.abstained.labels(record.model).inc(record.abstained)

    async def text(self, shelf: Shelf, writer: Writer) -> str:
        """All of it, in Prometheus' text format."""
        for gauge in (self.waiting, self.running, self.memory):
            gauge.clear()
        for seat in shelf.seats:
            turns = seat.supervisor.turns
            self.waiting.labels(seat.name, seat.kind).set(turns.queued)
            self.running.labels(seat.name, seat.kind).set(turns.running)
            self.memory.labels(seat.name, seat.kind).set(seat.bytes)
        self.lost.set(writer.lost)
        theirs = await asyncio.gather(*map(_engine, shelf.seats))
        return generate_latest(self.registry).decode() + relabelled(dict(pair for pair in theirs if pair))


async def _engine(seat: Seat) -> tuple[tuple[str, str], str] | None:
    """An engine's own metrics; None where it does not answer soon."""
    if not seat.supervisor.up:
        return None
    try:
        client = await seat.supervisor.client()
        answer = await client.get("/metrics", timeout=2)
    except httpx.HTTPError:
        return None
    return ((seat.name, seat.kind), answer.text) if answer.status_code == 200 else None


def relabelled(texts: dict[tuple[str, str], str]) -> str:
    """Several engines' metrics as one text, each sample with its model and kind; comments stand once."""
    comments: dict[str, list[str]] = {}
    samples: dict[str, list[str]] = {}
    for (model, kind), text in texts.items():
        ours = f'model="{_quoted(model)}",kind="{kind}"'
        for line in text.splitlines():
            if line.startswith("# ") and len(words := line.split(maxsplit=3)) > 2:
                told = comments.setdefault(words[2], [])
                if line not in told:
                    told.append(line)
            elif found := _SAMPLE.fullmatch(line):
                labels = ",".join(filter(None, (ours, found["labels"])))
                samples.setdefault(found["name"], []).append(f"{found['name']}{{{labels}}} {found['rest']}")
    return "".join(f"{line}\n" for name in samples for line in [*comments.get(name, ()), *samples[name]])


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
