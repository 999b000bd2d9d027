"""A studio under test: a home with a tiny base and a small pack, its pages behind a real port."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import uvicorn
from packed import small_pack
from sung import voiced_pack
from tiny import tiny_gguf

from netsuke import studio
from netsuke.serve import Shelf
from netsuke.serve.address import Address, settings
from netsuke.store import Store
from netsuke.studio.door import Door
from netsuke.texts.documents import write_rows

KEY = "nsk-" + "k" * 43
BASE = "smollm2-135m-instruct"  # what a fresh recipe names; here it is the tiny model
TASK = {
    "kind": "labels", "labels": ["fire", "water"], "end": "<|im_end|>\n", "quiet": False, "roles": ["user"],
    "commands": ["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
    "way": {"instruction": "", "shots": 0, "temperature": 1.0, "abstain": 0.0},
}  # fmt: skip
REPORT = {"task": {"examples": {"train": 107, "valid": 25, "test": 28}}}
TABLE = {
    "path": "labels.csv", "source": 0, "owner": "me", "licence": "unknown", "licence_how": "", "profile": "examples",
    "language": "und", "file": "4c" * 32, "hash": "", "decision": "in", "reason": "It is your own work.", "labels": [],
    "decided_by": "rules", "dropped_by": "", "private": {}, "signals": [], "stands_for": [], "bytes_in": 4016,
    "bytes_kept": 0, "split": "train+valid+test",
}  # fmt: skip
ANSWERS = {"name": "answers", "unit": "bits per byte", "base": 2.0, "ours": 1.5, "change": -0.25}
SCORES = {"scores": [{"who": "ours", "score": "accuracy", "value": 0.9, "low": 0.8, "high": 0.95, "n": 40}]}


@dataclass(frozen=True)
class Open:
    """A studio that runs."""

    url: str
    door: Door
    shelf: Shelf
    store: Store

    @property
    def link(self) -> str:
        return f"{self.url}/enter?token={self.door.token()}"


def with_base(store, folder):
    """Give a home the tiny model as its base."""
    ref = store.add_file(tiny_gguf(folder / "base.gguf"))
    store.name("bases", BASE, {"ref": ref, "name": "Tiny", "licence": "MIT"})
    return ref


def with_pack(store, folder, name="mine", voiced=False, **pack):
    """Give a home a pack that an older netsuke may have made: no report, no list of its documents."""
    (voiced_pack if voiced else small_pack)(folder / name, name=name, **pack)
    ref = store.add_folder(folder / name)
    store.name("packs", name, {"ref": ref, "also": [], "runs": [], "trial": [], "recipe": str(folder / "gone.toml")})
    return ref


def with_task(store, folder):
    """Give a home a pack `tickets` that was taught a table of examples."""
    pack = small_pack(folder / "tickets", name="tickets").folder
    record = json.loads((pack / "netsuke.json").read_text())
    data = folder / "tickets-data"
    data.mkdir()
    write_rows(data / "documents.jsonl", [TABLE])
    record["lineage"] = {"data": {"key": "0" * 64, "output": store.add_folder(data)}}
    record["measures"] += [ANSWERS]
    told = {"task.json": TASK, "scores.json": SCORES, "report.json": REPORT, "shots.jsonl": None}
    for name, content in told.items():
        (pack / name).write_text(json.dumps(content) if content else "")
        record["files"][name] = {"sha256": "0" * 64, "bytes": 1}
    (pack / "netsuke.json").write_text(json.dumps(record))
    store.name("packs", "tickets", {"ref": store.add_folder(pack), "recipe": "", "trial": []})


@contextlib.contextmanager
def running(store: Store, **options: Any) -> Iterator[Open]:
    """The studio under uvicorn in a thread, until the block ends."""
    with Address(port=0).listening() as listener:
        port = listener.getsockname()[1]
        app, door = studio.build_studio(store, key=KEY, port=port, **options)
        server = uvicorn.Server(uvicorn.Config(app, **settings(app) | {"timeout_graceful_shutdown": 1}))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            while not server.started and thread.is_alive():
                time.sleep(0.02)
            yield Open(f"http://127.0.0.1:{port}", door, app.state.shelf, store)
        finally:
            server.should_exit = True
            thread.join()
    assert not any(seat.supervisor.engine.alive for seat in app.state.shelf.seats)


def ghost(client, name, before, after="", voices=None):
    """What Write is told to suggest at the end of a line, its pieces together."""
    answer = client.post(f"/m/{name}/ghost", json={"before": before, "after": after, "voices": voices or {}})
    assert answer.status_code == 200 and answer.text.endswith("data: [DONE]\n\n"), answer.text
    events = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: {")]
    return "".join(choice["text"] for event in events for choice in event["choices"])
