"""What `netsuke value` says beside the truth, on the real base: leaving sources out and training again.

    python -m bench.value [--kb 3] [--seeds 3] [--quick] [--room FOLDER] [--json] [--check]

Seven sources of real text: four topics of Python's own documentation, its source code, near-copies of one topic, and
noise (the others' words in no order). Truth is training without a source: with the same tokens, as a make of the same
minutes would, where the others are read oftener; and with the same passes, where nothing else changes, which is what
the game plays; the mean of several trainings, and how well the ranks of one agree with those of the next says how much
of a truth it is. Measured: the rank correlation of the game's leave-one-out with either; how well noise is found by
influence, and wrong labels by doubt, beside the loss and BM25; and whether taking out the tenth that influence likes
best hurts held-out text more than a random tenth. `--quick` does all of it with a tiny random model, to see that it
runs; floors hold for the whole alone. `--room` keeps what was made, and goes on from it. Prints a table and one JSON
line; `--check` ends with 1 where a floor is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

from .topics import Material, material, topics

ROOT = Path(__file__).resolve().parent.parent
LEAST_RANKS, LEAST_AUC = 0.9, 0.85
TENTH = 0.1
LABELS, WRONG, DRAWS = {"strings": "text", "debugger": "debug", "classes": "class"}, 0.15, 5
Row = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kb", type=float, default=3.0, help="kB of text a source")
    parser.add_argument("--seeds", type=int, default=3, help="trainings of each, and random tenths taken out")
    parser.add_argument("--quick", action="store_true", help="a tiny random model, one seed")
    parser.add_argument("--room", type=Path, help="a folder that is kept, to go on from")
    parser.add_argument("--json", action="store_true", help="one line of JSON and no table")
    parser.add_argument("--check", action="store_true", help="exit 1 where a floor is missed")
    options = parser.parse_args()
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as place:
        bench = prepare(options.room or Path(place), options.quick, 1.5 if options.quick else options.kb)
        seeds = 2 if options.quick else options.seeds
        found = {
            "sources": sources(bench, seeds), "noise": noise(bench),
            "labels": labels(bench, 1 if options.quick else DRAWS), "removal": removal(bench, seeds),
        }  # fmt: skip
    verdicts = floors(found)
    if not options.json:
        print(*told(found), sep="\n")
        print(*(f"{'held  ' if held else 'MISSED'} {name}" for name, held in verdicts.items()), sep="\n")
    print(json.dumps({
        "bench": "value", "quick": options.quick, "kb": options.kb, "cores": os.cpu_count(), **found,
        "floors": verdicts, "seconds": round(time.perf_counter() - started),
    }))  # fmt: skip
    sys.exit(1 if options.check and not options.quick and not all(verdicts.values()) else 0)


# -- the machinery -----------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Bench:
    """A body, the material in the store, and what trains and values."""

    local: Any
    store: Any
    model: str
    training: Any
    material: Material
    tokens: int

    @property
    def documents(self) -> list[tuple[str, str]]:
        """(source, text) of all that is learnt."""
        return [(name, text) for name, texts in self.material.train.items() for text in texts]

    def rows(self, texts: Sequence[Any]) -> str:
        """Ref of a file of texts or of rows."""
        rows = [text if isinstance(text, dict) else {"text": text} for text in texts]
        return str(self.store.add_bytes("".join(json.dumps(row) + "\n" for row in rows).encode()))

    def tuned(self, texts: Sequence[Any], label: str, tokens: int, seed: int = 0) -> Any:
        """What `tune` makes of these texts."""
        from netsuke import tune
        from netsuke.texts.documents import general_text

        general = self.store.tree(general_text(self.store, "valid"))
        little = self.store.add_tree({"letter.txt": general["letter.txt"]})
        choice = self.store.add_bytes(json.dumps({"pruned": False, "base": {"general": 1.0},
                                                  "rounding": {"general": 1.0}}).encode())  # fmt: skip
        words = self.store.add_bytes(b'{"kept": "all"}')
        params = replace(self.training, budget_tokens=tokens, seed=seed)
        started = time.perf_counter()
        made = self.local.run(
            tune.tune, params, model=self.model, choice=choice, base=self.model, vocabulary=words,
            train=self.rows(texts), valid=self.rows([]), general=little,
        )  # fmt: skip
        print(f"{label}: {tokens} tokens, {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)
        return made

    def bits(self, made: Any, texts: Sequence[str]) -> float:
        """Bits per byte of the body with an adapter, on held-out texts."""
        from netsuke import value
        from netsuke.combine import gathered

        parents = gathered(self.store, [("all", made.ref)])
        playing = value.Playing(("all",), self.training.compute, 10**9)
        game = self.local.run(value.play, playing, model=self.model, parents=parents, valid=self.rows(texts))
        scored = json.loads(self.store.path(game["game.json"]).read_text(encoding="utf-8"))
        return float(sum(scored["bits"]["1"]) / sum(text["bytes"] for text in scored["texts"]))


def prepare(room: Path, quick: bool, kb: float) -> Bench:
    """The base, or a tiny random model, and the material."""
    from netsuke import tune
    from netsuke.step import Local
    from netsuke.store import Store

    from .carve import computing

    store = Store(room / "home")
    local = Local(store)
    compute = computing()
    model, compute = (tiny(room, store), replace(compute, threads=1)) if quick else (base(store, local), compute)
    mine = material(kb)
    window = 64 if quick else 128
    training = tune.Training(
        "lora", 4 if quick else 16, 1e-2 if quick else 2e-3, window, 1, 1, 0.0, 0.0, 50.0, 1000, "", budget_tokens=1,
        valid_bytes=300, evaluations=1, general_gate=100.0, seed=0, compute=compute,
    )  # fmt: skip
    size = sum(len(text.encode()) for texts in mine.train.values() for text in texts)
    tokens = size if quick else int(1.25 * size / 3.5)
    return Bench(local, store, model, training, mine, tokens)


def base(store: Any, local: Any) -> str:
    """The default base, unpacked."""
    from netsuke import bases
    from netsuke.bases.fetch import fetch

    known = bases.find("smollm2-135m-instruct")
    if known.name not in store.names("bases"):
        fetch(known, store, lambda done, total: None)
    about = bases.About(known.title, known.licence)
    ref = store.named("bases", known.name)["ref"]
    return str(local.run(bases.unpack, about, base=ref).folder("model"))


def tiny(room: Path, store: Any) -> str:
    """A random model of two layers."""
    sys.path.insert(0, str(ROOT / "tests"))
    from tiny import tiny_gguf

    from netsuke.engines import gguf

    folder = room / "tiny"
    folder.mkdir(parents=True, exist_ok=True)
    gguf.unpack(tiny_gguf(room / "tiny.gguf"), folder)
    return str(store.add_folder(folder))


# -- what is measured --------------------------------------------------------------------------------------
def sources(bench: Bench, seeds: int) -> Row:
    """The game beside training without each source."""
    from netsuke import combine, value
    from netsuke.value import content, shapley

    names = tuple(bench.material.train)
    adapters, size = [], sum(len(text) for _, text in bench.documents)
    for name in names:
        mine = bench.material.train[name]
        tokens = round(bench.tokens * sum(map(len, mine)) / size)
        adapters.append((name, bench.tuned(mine, f"{name} alone", tokens).ref))
    parents, valid = combine.gathered(bench.store, adapters), bench.rows(bench.material.valid)
    weights, few = weighed(bench, parents, valid), (tuple(range(len(names))), tuple(range(len(names)))[::-1])
    worth = played(bench, parents, valid, value.Playing(names, bench.training.compute, 10**9, "task", weights))
    means = played(bench, parents, valid, value.Playing(names, bench.training.compute, 10**9, "linear", {}, few))
    runs = [losses(bench, seed) for seed in range(seeds)]
    truths = {kind: [statistics.mean(values) for values in zip(*(run[kind] for run in runs), strict=True)]
              for kind in runs[0]}  # fmt: skip
    agreed = {kind: [content.correlation(one[kind], other[kind]) for one, other in combinations(runs, 2)]
              for kind in truths}  # fmt: skip
    found = {"without": shapley.without(len(names), worth), "shapley": shapley.exact(len(names), worth),
             "of means": shapley.without(len(names), means), "influence": by_source(bench)}  # fmt: skip
    return {
        "names": names, "truths": truths, "agreed": agreed, "runs": runs, "weights": weights, "n": len(names),
        "saved": float(worth[shapley.whole(len(names))]),
        **{name: list(map(float, row)) for name, row in found.items()},
        "ranks": {
            truth: {name: content.correlation(row, values) for name, row in found.items()}
            for truth, values in truths.items()
        },
    }  # fmt: skip


def losses(bench: Bench, seed: int) -> dict[str, list[float]]:
    """What held-out text loses, in bits per byte, where each source is missing from one training."""
    every, size = bench.documents, sum(len(text) for _, text in bench.documents)
    whole = bench.bits(bench.tuned([text for _, text in every], f"all, seed {seed}", bench.tokens, seed),
                       bench.material.valid)  # fmt: skip
    lost: dict[str, list[float]] = {"same tokens": [], "same passes": []}
    for name in bench.material.train:
        rest = [text for other, text in every if other != name]
        passes = round(bench.tokens * sum(map(len, rest)) / size)
        for kind, tokens in zip(lost, (bench.tokens, passes), strict=True):
            made = bench.tuned(rest, f"without {name}, {kind}, seed {seed}", tokens, seed)
            lost[kind].append(bench.bits(made, bench.material.valid) - whole)
    return lost


def played(bench: Bench, parents: Any, valid: str, playing: Any) -> dict[int, Any]:
    """What each coalition saves, in bits per byte."""
    from netsuke import value
    from netsuke.value import rules

    started = time.perf_counter()
    made = bench.local.run(value.play, playing, model=bench.model, parents=parents, valid=valid)
    worth = rules.saved(json.loads(bench.store.path(made["game.json"]).read_text(encoding="utf-8")))
    print(f"{len(worth)} coalitions: {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)
    return worth


def by_source(bench: Bench) -> list[float]:
    """The influence of all documents of each source together."""
    rows = influence(bench, [text for _, text in bench.documents], bench.material.valid, "valid")
    return [
        sum(row["influence"] for row, (other, _) in zip(rows, bench.documents, strict=True) if other == name)
        for name in bench.material.train
    ]


def weighed(bench: Bench, parents: Any, valid: str) -> dict[str, float]:
    """What each adapter counts, as valid likes it best."""
    from netsuke import combine
    from netsuke.texts.documents import general_text

    general = bench.store.tree(general_text(bench.store, "valid"))
    choice = bench.store.add_bytes(b'{"pruned": false, "base": {"general": 100.0}, "rounding": {"general": 1.0}}')
    how = combine.How("task", bench.training.compute, search="scale", general_gate=1.0, valid_bytes=3_000)
    made = bench.local.run(combine.weigh, how, model=bench.model, parents=parents, valid=valid, choice=choice,
                           general=bench.store.add_tree({"letter.txt": general["letter.txt"]}))  # fmt: skip
    rows = json.loads(bench.store.path(made["weights.json"]).read_text(encoding="utf-8"))["parents"]
    return {row["name"]: row["weight"] for row in rows}


def influence(bench: Bench, train: Sequence[Any], valid: Sequence[Any], label: str) -> list[Row]:
    """The rows of influence.json, by row of `train`."""
    from netsuke import value
    from netsuke.front import worth

    mirror = bench.tuned(valid, f"mirror of {label}", worth.mirror_tokens(bench.store.size(bench.rows(valid))))
    units = bench.store.add_bytes(json.dumps([{"pieces": [{"row": row} for row in range(len(train))]}]).encode())
    looking = value.Looking(bench.training.compute, 10**9)
    made = bench.local.run(value.influence, looking, model=bench.model, mirror=mirror.ref, units=units,
                           train=bench.rows(train), valid=bench.rows(valid))  # fmt: skip
    rows: list[Row] = json.loads(bench.store.path(made["influence.json"]).read_text(encoding="utf-8"))
    return sorted(rows, key=lambda row: row["row"])


def noise(bench: Bench) -> Row:
    """How well noise is found among the documents."""
    rows = influence(bench, [text for _, text in bench.documents], bench.material.valid, "valid")
    sizes = [len(text.encode()) for _, text in bench.documents]
    return aucs(rows, [name == "noise" for name, _ in bench.documents], sizes)


def labels(bench: Bench, draws: int) -> Row:
    """How well wrong labels are found among examples of a task: the mean of several drawings of what is wrong."""
    found = [mislabelled(bench, draw) for draw in range(1, draws + 1)]
    means = {name: statistics.mean(row[name] for row in found) for name in ("doubt", "influence", "loss", "bm25")}
    return {**means, "n": sum(row["n"] for row in found), "bad": sum(row["bad"] for row in found), "each": found}


def mislabelled(bench: Bench, seed: int) -> Row:
    """Some lines with their topics, a few of them wrong; how well those are found."""
    draw, rows = random.Random(seed), list[tuple[str, str]]()
    for name, label in LABELS.items():
        lines = (" ".join(part.split()) for part in re.split(r"\n\n+", topics()[name]))
        rows += [(line[:170], label) for line in lines if len(line) > 100][:24]
    draw.shuffle(rows)
    wrong = {*draw.sample(range(48), round(48 * WRONG))}
    known = list(LABELS.values())

    def lesson(number: int, text: str, label: str) -> Row:
        if number in wrong:
            label = draw.choice([other for other in known if other != label])
        return {"text": f"{text}\nTopic: {label}", "answer": len(f"{text}\nTopic:")}

    every = [lesson(number, *row) for number, row in enumerate(rows)]
    found = influence(bench, every[:48], every[48:], f"labels, draw {seed}")
    return aucs(found, [number in wrong for number in range(48)], [1] * 48)


def aucs(rows: Sequence[Row], bad: Sequence[bool], sizes: Sequence[int]) -> Row:
    """The area under the ROC curve by which each finds what is bad: low influence, high loss, low BM25; a byte.

    Of examples also by `doubt`: an answer that fits less than the same one does elsewhere.
    """
    per_byte = [row["influence"] / size for row, size in zip(rows, sizes, strict=True)]
    doubted = [row["doubt"] for row in rows]
    return {
        **({"doubt": auc([-bits for bits in doubted], bad)} if None not in doubted else {}),
        "influence": auc(per_byte, bad), "loss": auc([-row["loss"] for row in rows], bad),
        "bm25": auc([row["bm25"] for row in rows], bad), "n": len(rows), "bad": sum(bad),
    }  # fmt: skip


def auc(scores: Sequence[float], bad: Sequence[bool]) -> float:
    """How often what is bad scores below what is not; 0.5 by chance."""
    low = [score for score, is_bad in zip(scores, bad, strict=True) if is_bad]
    high = [score for score, is_bad in zip(scores, bad, strict=True) if not is_bad]
    return statistics.mean((a < b) + 0.5 * (a == b) for a in low for b in high)


def removal(bench: Bench, seeds: int) -> Row:
    """Bits per byte on test after training without a tenth of the text: the best by influence, by BM25, at random."""
    texts = [text for _, text in bench.documents]
    rows, found = influence(bench, texts, bench.material.valid, "valid"), dict[str, list[float]]()
    for seed in range(seeds):
        draw = random.Random(seed)
        orders = {
            "influence": sorted(range(len(texts)), key=lambda n: -rows[n]["influence"] / len(texts[n].encode())),
            "BM25": sorted(range(len(texts)), key=lambda n: -rows[n]["bm25"]),
            "random": draw.sample(range(len(texts)), len(texts)),
        }
        for name, order in orders.items():
            gone = tenth(order, texts)
            rest = [text for number, text in enumerate(texts) if number not in gone]
            made = bench.tuned(rest, f"without a tenth ({name}, seed {seed})", bench.tokens, seed)
            found.setdefault(name, []).append(bench.bits(made, bench.material.test))
    return {"test": found, "seeds": seeds, "harm": {
        name: statistics.mean(found[name]) - statistics.mean(found["random"]) for name in found
    }}  # fmt: skip


def tenth(order: Sequence[int], texts: Sequence[str]) -> set[int]:
    """The first of an order that together are a tenth of the bytes, or just more."""
    gone, size, total = set[int](), 0, sum(map(len, texts))
    for number in order:
        if size < TENTH * total:
            gone.add(number)
            size += len(texts[number])
    return gone


# -- what is said ------------------------------------------------------------------------------------------
def told(found: Mapping[str, Row]) -> list[str]:
    """A table."""
    game = found["sources"]
    columns = game["truths"] | {kind: game[kind] for kind in ("without", "shapley", "of means", "influence")}
    lines = [f"{'source':10} " + " ".join(f"{name:>11}" for name in columns)]
    for number, name in enumerate(game["names"]):
        lines.append(f"{name:10} " + " ".join(f"{values[number]:+11.4f}" for values in columns.values()))
    for truth, row in game["ranks"].items():
        ranks = ", ".join(f"{name} {shown(value)}" for name, value in row.items())
        lines.append(f"rank correlation with training without a source, {truth}: {ranks}")
        lines.append(f"  of one training of it with another: {', '.join(map(shown, game['agreed'][truth])) or 'none'}")
    for name in ("noise", "labels"):
        row = found[name]
        areas = ", ".join(f"{by} {row[by]:.2f}" for by in ("doubt", "influence", "loss", "bm25") if by in row)
        lines.append(f"{name}: AUC {areas} ({row['bad']} of {row['n']})")
    harm = found["removal"]["harm"]
    lines.append("a tenth taken out, bits per byte on test beside a random tenth: "
                 f"by influence {harm['influence']:+.4f}, by BM25 {harm['BM25']:+.4f}")  # fmt: skip
    return lines


def shown(number: float | None) -> str:
    return "none" if number is None else f"{number:+.2f}"


def floors(found: Mapping[str, Row]) -> dict[str, bool]:
    """By sentence, whether it holds."""
    ranks, harm = found["sources"]["ranks"], found["removal"]["harm"]
    areas = {"noise": found["noise"]["influence"], "labels": found["labels"]["doubt"]}
    known = {truth: row["without"] or 0.0 for truth, row in ranks.items()}
    return {
        **{f"ranks of sources, {truth}: at least {LEAST_RANKS} ({rank:+.2f})": rank >= LEAST_RANKS
           for truth, rank in known.items()},
        f"noise found: AUC at least {LEAST_AUC} ({areas['noise']:.2f})": areas["noise"] >= LEAST_AUC,
        f"wrong labels found: AUC at least {LEAST_AUC} ({areas['labels']:.2f})": areas["labels"] >= LEAST_AUC,
        f"the best tenth is missed more than a random one ({harm['influence']:+.4f})": harm["influence"] > 0,
        f"and more than BM25's ({harm['influence'] - harm['BM25']:+.4f})": harm["influence"] > harm["BM25"],
    }


if __name__ == "__main__":
    main()
