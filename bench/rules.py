"""The rules for text beside datatrove's own filters: speed, and the verdicts of each rule.

    python -m bench.rules [--quick] [--json] [--check]

Peer: datatrove 0.10.1's Gopher, FineWeb and C4 filters (with spaCy's English words), same texts, one core.
Texts: netsuke/general, Python's documentation and, where the machine has it, Debian's; pieces of them, whole
and spoiled. Verdicts are compared rule by rule: with the words that each splits itself ("spaCy words"), and
with our words given to datatrove ("same words").
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import pydoc_data.topics
import random
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from math import inf
from pathlib import Path
from typing import Any

from netsuke.curate import rules
from netsuke.curate.words import split_words

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path("/usr/share")
FLOORS = {"mb_per_second": 20.0, "ratio": 10.0, "same_words": 0.995, "spacy_words": 0.96}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a sixth of the texts")
    parser.add_argument("--json", action="store_true", help="one line of JSON and no table")
    parser.add_argument("--check", action="store_true", help="exit 1 if a floor is missed")
    options = parser.parse_args()
    on_one_core()
    step = 6 if options.quick else 1
    found: dict[str, Any] = {"bench": "rules"} | speed(step) | agreement(step)
    found["load"] = round(os.getloadavg()[0], 2)
    low = missed(found)
    if not options.json:
        show(found)
        print("".join(f"missed: {line}\n" for line in low), end="")
    print(json.dumps(found))
    sys.exit(1 if options.check and low else 0)


def on_one_core() -> None:
    """Keep this process on the first core it may use, where the system can."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def show(found: dict[str, Any]) -> None:
    for row in found["speed"]:
        print(f"{row['texts']:27} {row['mb']:5.2f} MB  ours {row['ours']:5.1f} MB/s  "
              f"datatrove {row['peer']:6.3f} MB/s  ratio {row['ratio']:5.1f}")  # fmt: skip
    print(
        f"\n{'verdicts on ' + format(found['n_verdicts'], ',') + ' texts':57} broken  same words  spaCy words"
    )
    for rule, row in found["rules"].items():
        print(f"{rule:57} {row['broken']:6}  {row['same_words']:10.4f}  {row['spacy_words']:11.4f}")


def missed(found: dict[str, Any]) -> list[str]:
    """The floors that the figures do not reach. Speed is that of ordinary prose."""
    agreed = found["rules"].values()
    figures = {"mb_per_second": found["speed"][0]["ours"], "ratio": found["speed"][0]["ratio"]}
    figures |= {name: min(row[name] for row in agreed) for name in ("same_words", "spacy_words")}
    return [f"{name} {value} < {FLOORS[name]}" for name, value in figures.items() if value < FLOORS[name]]


# -- texts -----------------------------------------------------------------------------------------------
def general() -> list[str]:
    return [path.read_text(encoding="utf-8") for path in sorted((ROOT / "netsuke/general").glob("*/*.txt"))]


def topics() -> list[str]:
    return [text.strip("\n") for _, text in sorted(pydoc_data.topics.topics.items())]


def debian(pattern: str, most: int = 200) -> list[str]:
    """Different texts of /usr/share/doc of this name, in UTF-8; none on other systems."""
    texts = {}
    for path in filter(Path.is_file, sorted(SHARED.glob(f"doc/*/{pattern}"))):
        data = path.read_bytes()
        try:
            text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode()
        except (UnicodeDecodeError, gzip.BadGzipFile):
            continue
        text = "\n".join(line.rstrip() for line in text.expandtabs().split("\n")).strip("\n")
        if 400 < len(text) < 60_000:
            texts.setdefault(text, None)
    return list(texts)[:most]


def spoiled(texts: Sequence[str]) -> list[str]:
    """Pieces of the texts, each also spoiled in three ways that rules are about, a little and much."""
    pick = random.Random(0)
    made = []
    for text in texts:
        start = pick.randrange(max(1, len(text) - 1500))
        if piece := text[start : start + pick.choice((150, 400, 800, 1500))].strip("\n "):
            made.append(piece)
            for much in (pick.uniform(0.05, 0.5), pick.uniform(0.5, 1.5)):
                made += pick.sample(spoil(piece, much, pick), 3)
    return ["\n".join(line.rstrip() for line in text.split("\n")).strip("\n") for text in made]


def spoil(piece: str, much: float, pick: random.Random) -> list[str]:
    words, lines = piece.split(), piece.split("\n")
    n, width = int(much * len(words)) + 1, 1 + int(8 * much)

    def some(mark: str, share: float) -> str:
        return mark if pick.random() < share * much else ""

    return [
        piece + "\n" + " ".join(words[: pick.randrange(2, 12)] * (n // 8 + 1)),
        piece + "\n" + "\n".join(lines[:2] * (1 + n // 40)),
        "\n\n".join([piece] + [piece[: len(piece) // 3].strip()] * (1 + int(2 * much))),
        "\n".join(some("- ", 1) + line for line in lines),
        "\n".join(line + some("...", 0.5) for line in lines),
        piece + " #" * (n // 5),
        " ".join(word + some("...", 0.2) for word in words),
        " ".join(word[: 2 + int(3 * much)] for word in words),
        " ".join(word + some("".join(words[:5]), 0.3) for word in words),
        piece + "\n" + " ".join(str(pick.randrange(10**6)) for _ in range(n // 3)),
        " ".join(word for word in words if word not in rules.STOP_WORDS),
        "\n".join(" ".join(words[start : start + width]) for start in range(0, len(words), width)),
        piece.replace(".", ",").replace("\n", " "),
        piece + "\nLorem ipsum dolor sit amet.\nWe use cookies. Read our privacy policy.",
    ]  # fmt: skip


# -- rules -----------------------------------------------------------------------------------------------
def speed(step: int) -> dict[str, Any]:
    """MB/s of all rules, ours and datatrove's, each the best of three; the first row is ordinary prose."""
    from datatrove.utils.text import split_into_parts

    whole = "\n\n".join(general())
    sets = {
        "ordinary prose (one file)": [whole], "ordinary prose (16 files)": general(),
        "Python's documentation": topics()[::step], "READMEs of Debian": debian("README*", 100)[::step],
    }  # fmt: skip
    theirs = datatrove_filters()
    rows = []
    for name, texts in sets.items():
        if not texts:
            continue
        size = sum(len(text.encode()) for text in texts) / 1e6
        ours = best(lambda texts=texts: [rules.failures(text, "en", layout=True) for text in texts], 5)

        def peer(texts: Iterable[str] = texts) -> None:
            split_into_parts.cache_clear()
            for text in texts:
                for made in theirs:
                    fails(made, text)

        seconds = best(peer, 2)
        rows.append({"texts": name, "mb": round(size, 2), "ours": round(size / ours, 1),
                     "peer": round(size / seconds, 3), "ratio": round(seconds / ours, 1)})  # fmt: skip
    return {"speed": rows}


def best(action: Callable[[], object], times: int) -> float:
    """The shortest of the wall-clock seconds that it took."""
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        action()
        taken.append(time.perf_counter() - started)
    return min(taken)


def agreement(step: int) -> dict[str, Any]:
    """For each rule: texts that break it, and the share of verdicts that are datatrove's."""
    from datatrove.pipeline.filters import (
        fineweb_quality_filter,
        gopher_quality_filter,
        gopher_repetition_filter,
    )

    texts = general() + topics() + debian("README*", 60) + debian("changelog*", 30)
    texts = (texts + spoiled(texts))[::step]
    peers = datatrove_rules()
    ours = [{rule for rule, _, _ in rules.failures(text, "en", layout=True)} for text in texts]
    with_spacy = {rule: [fails(peer, text) for text in texts] for rule, peer in peers.items()}
    for module in (fineweb_quality_filter, gopher_quality_filter, gopher_repetition_filter):
        module.split_into_words = lambda text, language: split_words(text).texts(text)
    with_ours = {rule: [fails(peer, text) for text in texts] for rule, peer in peers.items()}
    found = {}
    for rule in peers:
        verdicts = [any(name in broken for name in rule.split(" or ")) for broken in ours]
        same, spacy = (
            sum(map(bool.__eq__, verdicts, theirs[rule])) / len(texts) for theirs in (with_ours, with_spacy)
        )
        found[rule] = {"broken": sum(verdicts), "same_words": round(same, 4), "spacy_words": round(spacy, 4)}
    return {"rules": found, "n_verdicts": len(texts)}


def fails(peer: Any, text: str) -> bool:
    from datatrove.data import Document

    return peer.filter(Document(text=text, id="")) is not True


def datatrove_filters() -> list[Any]:
    """The four filters; C4's without the end of a line, as FineWeb has it, and without curly brackets."""
    from datatrove.pipeline import filters

    c4 = filters.C4QualityFilter(filter_no_terminal_punct=False, filter_curly_bracket=False)
    return [
        filters.GopherRepetitionFilter(),
        filters.GopherQualityFilter(),
        c4,
        filters.FineWebQualityFilter(),
    ]


def datatrove_rules() -> dict[str, Any]:
    """A filter with one rule each. Hash signs and ellipses share a limit in datatrove."""
    from datatrove.pipeline import filters

    def quality(**limits: Any) -> Any:
        names = ("min_doc_words", "max_doc_words", "min_avg_word_length", "max_avg_word_length",
                 "max_symbol_word_ratio", "max_bullet_lines_ratio", "max_ellipsis_lines_ratio",
                 "max_non_alpha_words_ratio", "min_stop_words")  # fmt: skip
        return filters.GopherQualityFilter(**(dict.fromkeys(names) | limits))

    def repetition(**limits: Any) -> Any:
        names = ("dup_line_frac", "dup_para_frac", "dup_line_char_frac", "dup_para_char_frac")
        off = dict.fromkeys(names) | {"top_n_grams": (), "dup_n_grams": ()}
        return filters.GopherRepetitionFilter(**(off | limits))

    def fineweb(**limits: Any) -> Any:
        unbounded = dict.fromkeys(("short_line_thr", "char_duplicates_ratio", "new_line_ratio"), inf)
        off = {"line_punct_thr": -1.0, **unbounded}
        return filters.FineWebQualityFilter(**(off | limits))

    def c4(**options: Any) -> Any:
        return filters.C4QualityFilter(filter_no_terminal_punct=False, filter_curly_bracket=False, **options)

    tops = {n: rules.LIMITS[f"gopher repetition: top {n}-gram"][1] for n in (2, 3, 4)}
    duplicates = {n: rules.LIMITS[f"gopher repetition: duplicate {n}-grams"][1] for n in range(5, 11)}
    return {
        "gopher: words": quality(min_doc_words=50, max_doc_words=100_000),
        "gopher: mean word length": quality(min_avg_word_length=3, max_avg_word_length=10),
        "gopher: hash signs per word or gopher: ellipses per word": quality(max_symbol_word_ratio=0.1),
        "gopher: bullet lines": quality(max_bullet_lines_ratio=0.9),
        "gopher: ellipsis lines": quality(max_ellipsis_lines_ratio=0.3),
        # not "words with a letter": ours are of words alone, its own of words and marks
        "gopher: stop words": quality(min_stop_words=2),
        "gopher repetition: duplicate paragraphs": repetition(dup_para_frac=0.3),
        "gopher repetition: characters in duplicate paragraphs": repetition(dup_para_char_frac=0.2),
        "gopher repetition: duplicate lines": repetition(dup_line_frac=0.3),
        "gopher repetition: characters in duplicate lines": repetition(dup_line_char_frac=0.2),
        **{f"gopher repetition: top {n}-gram": repetition(top_n_grams=((n, limit),))
           for n, limit in tops.items()},
        **{f"gopher repetition: duplicate {n}-grams": repetition(dup_n_grams=((n, limit),))
           for n, limit in duplicates.items()},
        "fineweb: lines ending in punctuation": fineweb(line_punct_thr=0.12),
        "fineweb: short lines": fineweb(short_line_thr=0.67),
        "fineweb: characters in duplicate lines": fineweb(char_duplicates_ratio=0.01),
        "fineweb: newlines per word": fineweb(new_line_ratio=0.3),
        "c4: lorem ipsum": c4(min_num_sentences=-1),
        "c4: sentences": c4(filter_lorem_ipsum=False),
    }  # fmt: skip


if __name__ == "__main__":
    main()
