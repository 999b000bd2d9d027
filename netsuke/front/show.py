"""What the command line shows: progress on stderr, tables on stdout; 80 columns are enough."""

from __future__ import annotations

import sys
import textwrap
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from ..nouns import Ref
from ..plan import Planned
from ..step import Progress
from ..terminal import cut, paint, printable, say

WIDTH = 80  # columns of a line
LEAST = 6  # columns of a text that are left to it


def duration(seconds: float) -> str:
    """Seconds as a person says them."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


class Watcher:
    """A live line for the running step on a terminal; elsewhere a line when a step begins and one when it ends."""

    def __init__(self) -> None:
        self.live = sys.stderr.isatty()
        self.current: str | None = None
        self.started = self.said = 0.0
        self.first: tuple[float, int] | None = None  # when counting began, and at what
        self.counted = 0
        self._after: list[Callable[[], None]] = []

    def __enter__(self) -> Watcher:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._erase()
        if self.current and error is not None:
            say(f"{paint('✗', 'red')} {self.current}")
        for act in self._after:
            act()

    def after(self, act: Callable[[], None]) -> None:
        """Do this once the live line is gone."""
        self._after.append(act)

    def __call__(self, step: str, progress: Progress) -> None:
        now = time.monotonic()
        if step != self.current:
            self.current, self.started, self.said, self.first = step, now, 0.0 if self.live else now, None
            if not self.live and not step.startswith("read "):
                say(f"  {step} {progress.text}".rstrip())
        if progress.count < self.counted:  # the next part counts anew
            self.first = None
        self.counted = progress.count
        if progress.count and self.first is None:
            self.first = (now, progress.count)
        if progress.fraction >= 1.0:
            self._erase()
            if not step.startswith("read "):
                say(
                    f"{paint('✓', 'green')} {step:<9} {duration(now - self.started):>6}  {progress.text}".rstrip()
                )
            self.current = None
        elif self.live and now - self.said > 0.1 or now - self.said > 20:
            self.said = now
            self._line(step, progress, now)

    def _line(self, step: str, progress: Progress, now: float) -> None:
        spent = now - self.started
        parts = [f"{step} {progress.fraction:4.0%}" if progress.fraction else step, progress.text]
        if self.first and progress.count > self.first[1]:
            parts.append(f"{(progress.count - self.first[1]) / (now - self.first[0]):,.0f} {progress.unit}/s")
        if progress.fraction > 0.03 and spent > 5:
            parts.append(f"{duration(spent / progress.fraction - spent)} left")
        text = "  " + ", ".join(part for part in parts if part)
        if self.live:
            sys.stderr.write(f"\r\x1b[K{printable(text)[:79]}")
            sys.stderr.flush()
        else:
            say(text)

    def _erase(self) -> None:
        if self.live:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def several() -> Callable[[str, str, Progress], None]:
    """Says when a step of one of many models ends."""

    def tell(name: str, step: str, progress: Progress) -> None:
        if progress.fraction >= 1.0 and not step.startswith("read "):
            say(f"{paint('✓', 'green')} {name}: {step}  {progress.text}".rstrip())

    return tell


class Bar:
    """A progress bar of bytes."""

    def __init__(self, title: str) -> None:
        self.title, self.live, self.drawn = title, sys.stderr.isatty(), -1

    def __enter__(self) -> Bar:
        if not self.live:
            say(self.title)
        return self

    def __exit__(self, *_: object) -> None:
        if self.live:
            sys.stderr.write("\n")

    def __call__(self, done: int, total: int) -> None:
        filled = round(20 * done / total)
        if self.live and filled != self.drawn:
            self.drawn = filled
            bar = "█" * filled + "░" * (20 - filled)
            sys.stderr.write(f"\r\x1b[K{self.title[:34]} {bar} {done / 1e6:.0f} of {total / 1e6:.0f} MB")
            sys.stderr.flush()


def grid(rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> str:
    """Rows as aligned columns; those in `right` are numbers or days. Too wide, its longest texts lose their middles."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    texts = [i for i in range(len(widths)) if i not in right]
    while sum(widths) + 2 * (len(widths) - 1) > WIDTH and max((widths[i] for i in texts), default=0) > LEAST:
        widths[max(texts, key=widths.__getitem__)] -= 1
    lines = []
    for row in rows:
        cells = [
            cell.rjust(w) if i in right else _hollow(cell, w).ljust(w)
            for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def _hollow(text: str, room: int) -> str:
    """A name or a path of at most so many characters: its two ends tell it from its like."""
    half = (room - 1) // 2
    return text if len(text) <= room else f"{text[: room - 1 - half]}…{text[len(text) - half :]}"


def wrapped(lines: Sequence[str], below: int | None = None) -> list[str]:
    """Lines of at most 80 columns; what goes on is indented by `below`, else twice as far as its line."""
    indents = [2 * (len(line) - len(line.lstrip())) if below is None else below for line in lines]
    return [
        part
        for line, indent in zip(lines, indents, strict=True)
        for part in textwrap.wrap(line, WIDTH, subsequent_indent=" " * indent) or [""]
    ]


def _beside(rows: Sequence[tuple[str, str]]) -> list[str]:
    """A name and what is told of it a row, which goes on below where it is long."""
    width = max((len(name) for name, _ in rows), default=0)
    below = " " * (width + 2)
    return [textwrap.fill(f"{name:<{width}}  {told}", WIDTH, subsequent_indent=below) for name, told in rows]


def data(name: str, summary: dict[str, Any]) -> str:
    """What came in, what was kept, and what was left out and why."""
    splits, documents = summary["splits"], sum(part["documents"] for part in summary["splits"].values())
    kept = sum(part["bytes"] for part in splits.values())
    rows = [["kept", summary["split_by"] + "s", "kB"]]
    rows += [
        [split, f"{part['documents']:,}", f"{part['bytes'] / 1e3:,.1f}"] for split, part in splits.items()
    ]
    lines = [
        *wrapped([f"{name}: {summary['files']:,} files, {summary['bytes_in'] / 1e3:,.1f} kB of text in;"
                  f" {documents:,} {summary['split_by']}s, {kept / 1e3:,.1f} kB kept"]),
        "",
        grid(rows, (1, 2)),
        "",
        _left_out("left out", summary["drops"]),
    ]
    if summary["spared"]:
        lines += ["", _left_out("kept all the same", summary["spared"])]
    return "\n".join([*lines, "", *_facts(summary)])


def _left_out(title: str, drops: dict[str, Any]) -> str:
    if not drops:
        return f"{title}: nothing"
    rows = [[title, "", "kB", "for example"]]
    for rule, drop in sorted(drops.items(), key=lambda pair: -pair[1]["count"]):
        first = drop["examples"][0]
        example = f"{first['path']}: {first['detail']}"
        rows.append([rule, f"{drop['count']:,}", f"{drop['bytes'] / 1e3:,.1f}", example])
    room = 79 - sum(max(len(row[i]) for row in rows) + 2 for i in range(3))
    return grid([[*row[:3], shortened(row[3], room)] for row in rows], (1, 2))


def drops(rows: list[dict[str, Any]]) -> str:
    """A line for each thing that was left out, which goes on below, indented, where it is long."""
    return "\n".join(wrapped([f"{row['rule']}: {row['path']}: {row['detail']}" for row in rows], 2))


def shortened(text: str, room: int) -> str:
    """The text on one line, cut to this many characters."""
    return cut(" ".join(text.split()), room)


def _facts(summary: dict[str, Any]) -> list[str]:
    """A line for each kind of thing that was counted."""
    facts = {
        name: ", ".join(f"{value} {count['files']:,}" for value, count in summary[name].items())
        for name in ("languages", "licences", "owners", "profiles")
    }
    families = Counter[str]()
    for rule, count in summary["labels"].items():
        families[rule.partition(":")[0]] += count
    for name, counts in {"private": summary["private"], "signals": summary["signals"], "labels": families}.items():
        facts[name] = ", ".join(f"{value} {count:,}" for value, count in counts.items())
    files = summary["examples"]["files"]
    facts["examples"] = ", ".join(
        f"{f['path']}: {f['rows']:,} of {f['shape']}" + (f", {f['bad_rows']:,} bad" if f["bad_rows"] else "")
        for f in files
    )
    facts["decisions"] = "; ".join(f"{why} {count['files']:,}" for why, count in summary["decisions"].items())
    facts["widened"] = ", ".join(f"the recipe allows {licence}" for licence in summary["widened"])
    return _beside([(name, told) for name, told in facts.items() if told])


def plan(lines: list[Planned], seconds: float, size: int) -> str:
    reads = [line for line in lines if line.step == "read"]
    rows = []
    if reads:
        there = sum(line.cached for line in reads)
        rows.append(("read", f"{there} of {len(reads)} files are there"))
    rows += [
        (line.step, "there" if line.cached else f"would run: {line.why}")
        for line in lines
        if line.step != "read"
    ]
    tail = (
        f"\nabout {duration(seconds)}, {size / 1e9:.1f} GB" if any(not line.cached for line in lines) else ""
    )
    return "\n".join(_beside(rows)) + tail


def why(lines: list[Planned]) -> str:
    if not lines:
        return "nothing would run: every step is there with these very inputs"
    return "\n".join(_beside([(line.label, "there" if line.cached else line.why) for line in lines]))


def packs(rows: list[dict[str, Any]]) -> str:
    if not rows:
        return "no models yet: netsuke make ~/notes"
    out = [["name", "MB", "base", "own text", "general"]]
    for row in rows:
        by = {m["name"]: m for m in row["measures"]}
        out.append(
            [
                row["name"],
                f"{by['size']['ours'] / 1e6:.1f}",
                row["base"],
                f"{by.get('domain', by.get('answers', {'change': 0}))['change']:+.1%}",
                f"{by['general']['change']:+.1%}",
            ]
        )
    return grid(out, (1, 3, 4)) + "\n\nown text, general: bits per byte against the base, lower is better"


def ended(row: dict[str, Any], number: int, count: int) -> str:
    """That one of many models is made, or why not."""
    if row["error"]:
        hint = f"\n  hint: {row['hint']}" if row["hint"] else ""
        return f"{paint('✗', 'red')} {row['name']} ({number} of {count}): {row['error']}{hint}"
    return f"{paint('✓', 'green')} {row['name']} ({number} of {count}): made"


def many(rows: list[dict[str, Any]]) -> str:
    """What many models came to, a line each."""
    out = [["name", "MB", "own text", "general", ""]]
    for row in rows:
        by = {measure["name"]: measure for measure in row["measures"]}
        own = by.get("domain", by.get("answers"))
        out.append([
            row["name"], f"{by['size']['ours'] / 1e6:.1f}" if by else "", f"{own['change']:+.1%}" if own else "",
            f"{by['general']['change']:+.1%}" if by else "", "not made" if row["error"] else "made",
        ])  # fmt: skip
    return grid(out, (1, 2, 3))


def bases(rows: list[dict[str, Any]]) -> str:
    from ..bases import way_to

    out = [["name", "MB", "licence", "here"]]
    out += [[r["name"], f"{r['bytes'] / 1e6:.1f}", r["licence"], "yes" if r["here"] else "no"] for r in rows]
    missing = [r["name"] for r in rows if not r["here"]]
    return grid(out, (1,)) + (f"\n\n{way_to(missing[0])}" if missing else "")


def next_steps(name: str, recipe: Path, ref: Ref | None, has_task: bool) -> str:
    first = f'netsuke ask {name} "..."' if has_task else f"netsuke chat {name}"
    return f"\nmade {name} ({ref.short if ref else ''}), recipe {recipe}\n  {first}\n  netsuke serve {name}"


def answers(rows: list[dict[str, Any]]) -> str:
    """What was answered, a line each, with its confidence and what else was likely."""
    lines = []
    for row in rows:
        others = ", ".join(f"{label} {p:.0%}" for label, p in row["likely"][0 if row["abstained"] else 1 :])
        if row["abstained"]:
            lines.append(f"not sure ({others})")
        elif row["confidence"] is None:
            lines.append(row["answer"])
        else:
            lines.append(f"{row['answer']}  {row['confidence']:.0%}" + (f"  ({others})" if others else ""))
    return "\n".join(lines)


def frontier(rows: Sequence[dict[str, Any]]) -> str:
    """What each size costs, a line a point; the knee is marked."""
    head = ("", "MB", "words", "rows", "channels", "layers", "yours", "general", "tokens/s")
    lines = [head]
    for row in sorted(rows, key=lambda row: -row["bytes"]):
        cost, about = row["cost"], "" if row["measured"] else "~"
        layers = f"-{len(row['dropped'])}" if row["dropped"] else "all"
        lines.append((
            row["name"] + (" (knee)" if row["knee"] else ""), f"{row['bytes'] / 1e6:.1f}", f"{row['tokens']:,}",
            row["embedding"], f"{row['channels']:,}", layers, f"{about}{cost['domain']:.3f}",
            f"{about}{cost['general']:.3f}", f"{row['tokens_per_second']:.0f}",
        ))  # fmt: skip
    words = "Bits per byte on your valid documents and on general text, before tuning; ~ is expected, not measured."
    return f"{grid(lines, right=range(1, len(head)))}\n\n{textwrap.fill(words, 78)}"


def carved(choice: dict[str, Any], size: int) -> str:
    """What was carved, in a few lines."""
    base, cost = choice["base"], choice["cost"]
    changes = [f"{where} {base[key]:.3f} to {cost[key]:.3f} ({cost[key] / base[key] - 1:+.1%})"
               for where, key in (("your valid documents", "domain"), ("general text", "general"))]  # fmt: skip
    return "\n".join([
        f"{size / 1e6:.1f} MB: {choice['tokens']:,} words in {choice['embedding']}, {choice['channels']:,} channels, "
        f"{len(choice['dropped'])} layers left out",
        *([f"All layers stayed: {choice['not_carved']}."] if choice["not_carved"] else []),
        *(f"  bits per byte, {change}" for change in changes),
        *(["The base hardly knows the script of this material: expect weak and slow writing."] * choice["foreign"]),
        "Nothing was trained: `netsuke make` tunes it too.",
    ])  # fmt: skip


def quotes(row: dict[str, Any]) -> str:
    """What was found: each quote as it stands in the document, then where."""
    if not row["found"]:
        near, least = row["nearest_support"], row["threshold"]
        words = f"Nothing found: the best passage has a support of {near:.2f}, and {least:.2f} is needed."
        return textwrap.fill(words, 78)
    blocks = []
    for number, quote in enumerate(row["quotes"], 1):
        lines = [part for line in quote["quote"].split("\n") for part in textwrap.wrap(line, 74) or [""]]
        headings = " > ".join(quote["headings"])
        page = f", {quote['page']}" if quote["page"] else ""
        where = [f"{quote['file']}{page}, line {quote['line']}", *([headings] if headings else [])]
        told = [f"    {shortened(one, 74)}" for one in where]
        blocks.append("\n".join([f"{number}.  {lines[0]}", *(f"    {line}" for line in lines[1:]), "", *told]))
    return "\n\n".join(blocks)
