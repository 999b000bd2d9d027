"""What lies around a file: what its site says, its saved headers, its credentials in a file of their own.

A site is a folder with a robots.txt, ai.txt, tdmrep.json (in .well-known or not) or RSL in it; what its rules
call a path is the way to a file from there. Sites within sites each have their say, as a site and its files do: TDMRep
lets the nearer word replace the other (section 6.7), here any no wins. Nothing outside the root is opened.
"""

from __future__ import annotations

import contextlib
import json
import re
import stat
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple
from urllib.parse import unquote

from . import credentials, rsl, safe_xml
from .path_rules import PathRules, encoded
from .signals import (
    TRAINING_CRAWLERS,
    Signal,
    Value,
    content_signal,
    content_usage,
    few,
    in_headers,
    reservation,
)

Says = Callable[[str], Iterable[Signal]]  # what applies to an encoded path from the site's folder, "/…"

LINES_BYTES = 500 * 1024  # as far as a crawler must read (RFC 9309 section 2.5)
MAX_BYTES = 16 << 20
_OF_SITES = ("robots.txt", "ai.txt", "tdmrep.json")
_BESIDE = (".headers", ".c2pa")
_MARKS = {b"\xef\xbb\xbf": "utf-8", b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}


def notice(file: str) -> str:
    """The name of a file that is heard here as it is usually written, whatever its case; "" for all others.

    ai.txt must be written so: AI.txt may be somebody's notes. What this names is no document (see curate/refuse.py).
    """
    folded = file.casefold()
    if folded in _OF_SITES and (folded != "ai.txt" or file == folded):
        return folded
    stem, dot, ending = file.rpartition(".")
    plain = dot + ending.casefold()
    return stem + plain if stem and plain in _BESIDE else ""


def around(root: Path, names: Sequence[str]) -> Callable[[str], list[Signal]]:
    """The function that gives the signals around a file, by its name; neither raises.

    `names` are all relative POSIX paths below `root`, hidden ones too; only regular files in it are opened.
    """
    known = frozenset(name for name in names if _is_inside(name))
    sites = {folder: _site(root, folder, files, known) for folder, files in _folders(known).items()}
    sidecars: dict[str, list[str]] = defaultdict(list)
    for name in sorted(known):
        folder, slash, file = name.rpartition("/")
        if plain := notice(file):
            sidecars[folder + slash + plain].append(name)

    def signals(name: str) -> list[Signal]:
        if not _is_inside(name):
            return []
        found: list[Signal] = []
        for parent in reversed(PurePosixPath(name).parents):
            folder = f"{parent}/" if parent.name else ""
            path = encoded("/" + name.removeprefix(folder)) if folder in sites else ""
            for says in sites.get(folder, ()):
                found += says(path)
        return few([*found, *_beside(root, name, sidecars)])

    return signals


def _folders(known: Iterable[str]) -> dict[str, list[str]]:
    """{"folder/": the files about its site, and its XML} of the root, "", and of each folder that has one about it."""
    files: dict[str, list[str]] = defaultdict(list)
    sites = {""}
    for name in sorted(known):
        folder, slash, file = name.rpartition("/")
        site = folder + slash
        if notice(file) in _OF_SITES:
            above, inner, last = folder.rpartition("/")
            if notice(file) == "tdmrep.json" and last.casefold() == ".well-known":
                site = above + inner
            sites.add(site)
            files[site].append(name)
        elif file.lower().endswith(".xml"):
            files[site].append(name)
    return {folder: files[folder] for folder in sites}


def _site(root: Path, folder: str, files: Sequence[str], known: frozenset[str]) -> list[Says]:
    site: list[Says] = []
    links: list[tuple[str, Signal]] = []
    robots, ai, tdmrep = ([name for name in files if notice(name.rpartition("/")[2]) == kind] for kind in _OF_SITES)
    for name in robots:
        text = _text(root, name)
        site += [_crawling(text, name, "robots.txt"), _usage(text, name)]
        links += [(folder + path, signal) for path, signal in _licences(text, name)]
    site += [_crawling(_text(root, name), name, "ai.txt") for name in ai]
    site += [_tdmrep(_bytes(root, name, MAX_BYTES), name) for name in tdmrep]
    pages = set(files).difference(robots, ai, tdmrep)
    candidates = {path for path, _ in links if path in known}.union(pages)
    licences = {name for name in candidates if rsl.is_rsl(_bytes(root, name, rsl.HEAD_BYTES))}
    site += [_rsl(_bytes(root, name, MAX_BYTES), name) for name in sorted(licences)]
    return [*site, _always(signal for path, signal in links if path not in licences)]


def _beside(root: Path, name: str, known: Mapping[str, Sequence[str]]) -> list[Signal]:
    """NAME.headers, and NAME.c2pa or the name with .c2pa for its suffix; `known`: by their usual names."""
    found: list[Signal] = []
    for headers in known.get(f"{name}.headers", ()):
        found += in_headers(_text(root, headers), headers)
    for usual in dict.fromkeys((f"{name}.c2pa", str(PurePosixPath(name).with_suffix(".c2pa")))):
        for sidecar in known.get(usual, ()):
            if sidecar != name and (path := _regular(root, name)):
                found += credentials.in_sidecar(path, _bytes(root, sidecar, MAX_BYTES), sidecar)
    return found


def _always(signals: Iterable[Signal]) -> Says:
    said = few(signals)
    return lambda path: said


# -- reading, never outside the root -----------------------------------------------------------------------
def _is_inside(name: str) -> bool:
    return "\0" not in name and not {"", ".", ".."} & set(name.split("/"))


def _regular(root: Path, name: str) -> Path | None:
    """The regular file of that name, unless a link leads out of the root."""
    try:
        path = (root / name).resolve(strict=True)
        inside = path.is_relative_to(root.resolve()) and stat.S_ISREG(path.stat().st_mode)
    except (OSError, ValueError, RuntimeError):  # gone, closed, no name for a file, links in a loop
        return None
    return path if inside else None


def _bytes(root: Path, name: str, limit: int) -> bytes:
    """The first bytes of a file; none of one that cannot be read."""
    if path := _regular(root, name):
        with contextlib.suppress(OSError), path.open("rb") as file:
            return file.read(limit)
    return b""


def _text(root: Path, name: str) -> str:
    """A file of lines, to the last whole one within the limit; UTF-16 is told by its mark or by its zeros."""
    data = _bytes(root, name, LINES_BYTES + 1)
    if len(data) > LINES_BYTES:
        data = data[: data.rfind(b"\n") + 1]
    for mark, encoding in _MARKS.items():
        if data.startswith(mark):
            return data.removeprefix(mark).decode(encoding, "replace")
    zeros = {"utf-16-le": data[1:4:2], "utf-16-be": data[0:3:2]}
    encoding = next((name for name, octets in zeros.items() if octets == b"\0\0"), "utf-8")
    return data.decode(encoding, "replace")


# -- robots.txt and ai.txt ---------------------------------------------------------------------------------
class _Rule(NamedTuple):
    agents: tuple[str, ...]  # of its group, those that matter here
    field: str
    value: str
    raw: str
    line: int

    def place(self, name: str) -> str:
        named = [agent for agent in self.agents if agent not in ("*", "")]
        some = ", ".join(named[:3]) + (f" and {len(named) - 3} more" if len(named) > 3 else "")
        return f"{name}, line {self.line}" + (f", for {some}" if some and "*" not in self.agents else "")


_SPELLINGS = {  # those that github.com/google/robotstxt accepts (Apache-2.0)
    **dict.fromkeys(("dissallow", "dissalow", "disalow", "diasllow", "disallaw"), "disallow"),
    **dict.fromkeys(("useragent", "user agent"), "user-agent"),
}
_USAGES: dict[str, Callable[[str], Value]] = {
    "content-usage": content_usage,
    "content-signal": content_signal,
}
_FILE_TYPE = re.compile(r"\*\.\w+")


def _rules(text: str) -> Iterator[_Rule]:
    """The rules (RFC 9309 section 2.2) outside all groups, for all crawlers, and for those that train.

    Other records, as Sitemap, end no group (section 2.2.4).
    """
    agents: list[str] = []
    counting: tuple[str, ...] = ("",)
    in_agents = False
    for number, line in enumerate(re.split(r"\r\n|\r|\n", text), 1):
        field, _, value = (part.strip() for part in line.partition("#")[0].partition(":"))
        field = _SPELLINGS.get(field.lower(), field.lower())
        if field == "user-agent":
            agents = agents if in_agents else []
            agent = value.lower().partition("/")[0].strip()
            agents.append(agent.rstrip("*") or agent[:1])
            in_agents = True
        elif field in ("allow", "disallow") or field in _USAGES:
            if in_agents:
                counting = tuple(a for a in dict.fromkeys(agents) if a == "*" or a in TRAINING_CRAWLERS)
                in_agents = False
            if counting:
                yield _Rule(counting, field, value, line.strip(), number)


def _crawling(text: str, name: str, kind: str) -> Says:
    """Where no crawler may go, or none for training, is a no; where they may go, nothing is said of training.

    In ai.txt `*.txt` is a type of file (https://spawning.ai/ai-txt).
    """
    groups: dict[str, PathRules] = defaultdict(PathRules)
    for rule in _rules(text):
        if rule.field not in ("allow", "disallow") or not rule.value:
            continue
        patterns = [rule.value]
        if kind == "ai.txt" and _FILE_TYPE.fullmatch(rule.value):
            patterns = [f"{rule.value.lower()}$", f"{rule.value.upper()}$"]
        signal = Signal(kind, "no" if rule.field == "disallow" else "unknown", rule.raw, rule.place(name))
        for agent in filter(None, rule.agents):  # a rule outside all groups is none (RFC 9309 section 2.2.2)
            for pattern in patterns:
                groups[agent].add(pattern, signal)

    def says(path: str) -> Iterator[Signal]:
        for rules in groups.values():
            found = rules.longest(path)
            if all(signal.value == "no" for signal in found):  # of equals, Allow wins
                yield from found

    return says


def _usage(text: str, name: str) -> Says:
    """Content-Usage (draft-ietf-aipref-attach section 3) and Content-Signal (contentsignals.org).

    A yes to one crawler, or outside all groups, is none to others.
    """
    groups: dict[tuple[str, str], PathRules] = defaultdict(PathRules)
    for rule in _rules(text):
        if rule.field in _USAGES:
            path, preference = "/", rule.value
            if preference.startswith("/"):
                path, preference = [*re.split(r"[ \t]+", preference, maxsplit=1), ""][:2]
            value = _USAGES[rule.field](preference)
            for agent in rule.agents:
                heard = "unknown" if value == "yes" and agent != "*" else value
                groups[rule.field, agent].add(path, Signal(rule.field, heard, rule.raw, rule.place(name)))
    return lambda path: [signal for rules in groups.values() for signal in rules.longest(path)]


def _licences(text: str, name: str) -> Iterator[tuple[str, Signal]]:
    """(the path that the address has on this site, the line) of each RSL licence (RSL 1.0 section 4.4)."""
    for number, line in enumerate(re.split(r"\r\n|\r|\n", text), 1):
        field, _, value = line.partition("#")[0].partition(":")
        if field.strip().lower() == "license" and value.strip():
            path = re.sub(r"^[A-Za-z][A-Za-z0-9+.-]*://[^/]*", "", value.strip())
            yield unquote(path.lstrip("/")), Signal("rsl", "unknown", line.strip(), f"{name}, line {number}")


# -- tdmrep.json and RSL -----------------------------------------------------------------------------------
def _tdmrep(data: bytes, name: str) -> Says:
    """Of the rules that match the first counts (TDMRep section 6.1); what is no rule is unknown to all."""
    paths = PathRules()
    broken: list[Signal] = []
    try:
        rules = json.loads(data, object_pairs_hook=_reserved)
        for number, rule in enumerate(rules if isinstance(rules, list) else [rules], 1):
            raw, where = json.dumps(rule, ensure_ascii=False), f"{name}, rule {number}"
            if isinstance(rules, list) and isinstance(rule, dict) and isinstance(rule.get("location"), str):
                said = reservation(json.dumps(rule.get("tdm-reservation")))
                paths.add(rule["location"], Signal("tdmrep", said, raw, where))
            else:
                broken.append(Signal("tdmrep", "unknown", raw, where))
    except (ValueError, RecursionError):
        broken = [Signal("tdmrep", "unknown", data[:2000].decode("utf-8", "replace"), name)]
    broken = few(broken)
    return lambda path: [*paths.first(path), *broken]


def _reserved(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object; of a reservation that is given twice, 1 wins, and so does the true that 1 is meant to be."""
    made = dict(pairs)
    if any(key == "tdm-reservation" and value == 1 for key, value in pairs):
        made["tdm-reservation"] = 1
    return made


def _rsl(data: bytes, name: str) -> Says:
    """The narrower path has its way (RSL 1.0 section 3.1.1)."""
    paths = PathRules()
    try:
        tree = safe_xml.parse(data)
    except ValueError:
        return _always([Signal("rsl", "unknown", data[:2000].decode("utf-8", "replace"), name)])
    for url, value, raw in rsl.contents(tree):
        paths.add(url, Signal("rsl", value, raw, name))
    return paths.longest
