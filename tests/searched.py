"""A small database of documents, with vectors of no meaning; and a pack that holds it."""

import hashlib
import json

import numpy as np
from packed import small_pack

from netsuke.index import build
from netsuke.search.find import Index

BEES = """# The Bees of Harrow Mill

Nobody remembers who brought the first hive to the mill. The miller's accounts for 1871 list two swarms bought from a
pedlar at a price of four shillings each.

## Feeding in winter

A colony needs about twenty kilograms of honey to live until April. Sugar syrup is given in October, never later,
because thin syrup freezes in the comb. Fondant may be laid above the cluster in January.

## Swarming

In May the old queen leaves with half of her workers. A skep rubbed with lemon balm attracts them.
"""
LOCKS = """# Canal locks

A lock raises a boat by letting water in through sluices. The gates meet at an angle, so that the water presses them
shut.

## Ice

In hard winters the boatmen broke the ice with an iron-plated barge that eight men rocked from side to side.
"""
FOREIGN = "東京の塔は高い。夜になると光る。\n\nDie Straße nach Köln führt über die Brücke. Ça va, naïve garçon?"


def embed(words):
    """float32 [words, 16]: the same for the same word, and nothing else."""
    rows = [np.frombuffer(hashlib.sha256(word.encode()).digest()[:16], np.uint8) for word in words]
    return np.array(rows, np.float32).reshape(len(rows), 16) / 128 - 1


def row(path, text, **more):
    plain = {"path": path, "source": 0, "text": text, "profile": "prose", "places": [[1, 1]], "pages": []}
    return plain | {"hash": hashlib.sha256(text.encode()).hexdigest()} | more


ROWS = (row("bees.md", BEES), row("locks.md", LOCKS), row("more/fern.txt", FOREIGN))


def database(path, rows=ROWS, threshold=0.3, others=("honeycomb", "vessel")):
    """Writes it; the path."""
    built = build.build(path, rows, embed, others)
    built.tell("support", {"threshold": threshold})
    built.finish()
    return path


def opened(path, rows=ROWS, **more):
    return Index(database(path, rows, **more))


def searchable_pack(folder, rows=ROWS, **more):
    """A pack of a tiny model that holds these documents."""
    pack = small_pack(folder)
    record, data = dict(pack.record), database(folder / "search.db", rows, **more).read_bytes()
    record["files"] |= {"search.db": {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}}
    (folder / "netsuke.json").write_text(json.dumps(record))
    return folder
