"""Signs for machines about training a generative text model: in a page, in its saved headers, inside a file.

A "yes" needs an explicit permission to train; what is about crawling, search or pictures is none. A broken
sign is "unknown", with its text. No address is ever fetched. What lies around a file: netsuke.rights.sites.
"""

from __future__ import annotations

import contextlib
import re
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Literal, NamedTuple
from xml.etree.ElementTree import Element

from ..terminal import printable
from . import rsl, safe_xml

Value = Literal["yes", "no", "unknown"]

RAW_CHARACTERS = 500
MAX_ALIKE = 20  # signals of one kind and value from one place: a page of a million tags says no more
MAX_XML_BYTES = 16 << 20
MAX_PACKAGES = 10

# Crawlers that gather for training, or sell what they gather for it, by their function or description in
# robots.json of github.com/ai-robots-txt/ai.robots.txt @83485eff (MIT).
TRAINING_CRAWLERS = frozenset(
    """
ai2bot ai2bot-dolma anthropic-ai applebot-extended brightbot bytespider ccbot chatglm-spider claude-web
claudebot cloudvertexbot cohere-ai cohere-training-data-crawler cotoyogi deepseekbot diffbot facebookbot
factset_spyderbot firecrawlagent friendlycrawler google-cloudvertexbot google-extended gptbot icc-crawler
img2dataset laion-huggingface-processor laiondownloader meta-externalagent omgili omgilibot pangubot
sbintuitionsbot terracotta tiktokspider timpibot velenpublicwebcrawler webzio-extended yandexadditional
yandexadditionalbot
""".split()
) | {"brightbot 1.0", "kangaroo bot", "sidetrade indexer bot"}

_PREFERENCES: dict[str, Value] = {"y": "yes", "n": "no"}
_RESERVATIONS: dict[str, Value] = {"0": "yes", "1": "no"}


@dataclass(frozen=True)
class Signal:
    """One sign: what it says of training, the very text that says so (at most 500 characters), its place."""

    kind: str
    value: Value
    raw: str
    where: str

    def __post_init__(self) -> None:
        for name in ("raw", "where"):
            whole = printable(getattr(self, name)[:RAW_CHARACTERS])
            object.__setattr__(self, name, whole)


def combine(signals: Iterable[Signal]) -> Value:
    """Any no wins, then any yes, else unknown (draft-ietf-aipref-vocab, "Combining Preferences")."""
    values = {signal.value for signal in signals}
    return "no" if "no" in values else "yes" if "yes" in values else "unknown"


def few(signals: Iterable[Signal]) -> list[Signal]:
    """The signals without repetitions, and of those alike the first ones: never less of what they say."""
    seen: Counter[tuple[str, Value]] = Counter()
    kept = []
    for signal in dict.fromkeys(signals):
        seen[signal.kind, signal.value] += 1
        if seen[signal.kind, signal.value] <= MAX_ALIKE:
            kept.append(signal)
    return kept


# -- what the words mean ---------------------------------------------------------------------------------
def content_usage(field: str) -> Value:
    """The preference for train-ai. What is no dictionary says nothing (RFC 9651 section 4.2)."""
    import http_sf

    try:
        said = http_sf.parse(field.strip(" \t").encode("utf-8", "replace"), tltype="dictionary")
    except ValueError:
        return "unknown"
    value = said.get("train-ai") if isinstance(said, dict) else None
    token = value[0] if isinstance(value, tuple) else value
    return _PREFERENCES.get(str(token), "unknown") if isinstance(token, http_sf.Token) else "unknown"


def content_signal(field: str) -> Value:
    """The value of ai-train (https://contentsignals.org)."""
    said = {value.lower() for value in re.findall(r"(?<![\w-])ai-train\s*=\s*(\w+)", field, re.IGNORECASE)}
    return "no" if "no" in said else "yes" if said == {"yes"} else "unknown"


def reservation(value: str) -> Value:
    """TDMRep section 5.1: 1 reserves, 0 lets anybody mine, and so train; other values are as if unset."""
    return _RESERVATIONS.get(value.strip(), "unknown")


def _noai(directives: str, raw: str, where: str) -> list[Signal]:
    """noai is a no to all; noimageai is about pictures only (DeviantArt, November 2022)."""
    words = set(re.split(r"[\s,;:/]+", directives.lower()))
    if "noai" in words:
        return [Signal("noai", "no", raw, where)]
    return [Signal("noai", "unknown", raw, where)] if "noimageai" in words else []


# -- a page ----------------------------------------------------------------------------------------------
_TAG = re.compile(
    r"<(!--|(?:meta|link|script|style|title|textarea|xmp|iframe|noembed|noframes)(?=[\s/>]))", re.IGNORECASE
)
_ATTRIBUTE = re.compile(
    r"""[\s/]*+(?:(>)|([^\s/>=][^\s/>=]*+)(?:\s*+=\s*+("[^"]*+"|'[^']*+'|[^\s>"'][^\s>]*+))?)"""
)


def in_html(source: str) -> list[Signal]:
    """What a page says in its meta elements, and its RSL licence, inline or linked."""
    return few(_in_page(source))


def _in_page(source: str) -> Iterator[Signal]:
    line, counted = 1, 0
    for name, attributes, start, end, body in _elements(source):
        line, counted = line + source.count("\n", counted, start), start
        raw, where = source[start:end], f"line {line}"
        if name == "meta":
            yield from _in_meta(attributes, raw, where)
        elif name == "link" and _is_rsl_link(attributes.get("rel", ""), attributes.get("type", "")):
            yield Signal("rsl", "unknown", raw, where)
        elif name == "script" and attributes.get("type", "").strip().lower() == rsl.MEDIA_TYPE:
            yield from _in_script(body, where)


def _elements(source: str) -> Iterator[tuple[str, dict[str, str], int, int, str]]:
    """(name, attributes, start, end of the start tag, text) as a browser finds them, in one pass."""
    at = 0
    while match := _TAG.search(source, at):
        name = match[1].lower()
        if name == "!--":
            at = source.find("-->", match.end() - 2) + 3  # "<!-->" is a whole comment
            if at < 3:
                return  # the rest is one comment
            continue
        attributes, at = _attributes(source, match.end())
        if at < 0:
            return  # the source ends inside this tag
        end, body = at, ""
        if name not in ("meta", "link"):  # nothing in their text is a tag
            closing = re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE).search(source, at)
            at = closing.start() if closing else len(source)
            body = source[end:at]
        yield name, attributes, match.start(), end, body


def _attributes(source: str, at: int) -> tuple[dict[str, str], int]:
    """({lower-case name: value}, the index after the tag or -1); the first of two equal names counts."""
    found: dict[str, str] = {}
    while match := _ATTRIBUTE.match(source, at):
        at = match.end()
        if match[1]:
            return found, at
        value = match[3] or ""
        found.setdefault(match[2].lower(), unescape(value[1:-1] if value[:1] in ("'", '"') else value))
    return found, -1


def _in_meta(attributes: dict[str, str], raw: str, where: str) -> list[Signal]:
    name = attributes.get("name") or attributes.get("property") or attributes.get("http-equiv") or ""
    name = name.strip().lower()
    content = attributes.get("content", "")
    if name in ("tdm-reservation", "tdm:reservation"):
        return [Signal("tdmrep", reservation(content), raw, where)]
    if name in ("tdm-policy", "tdm:policy"):
        return [Signal("tdmrep", "unknown", raw, where)]
    if name in ("robots", "x-robots-tag") or name.endswith("bot") or name in TRAINING_CRAWLERS:
        return _noai(content, raw, where)
    return []


def _is_rsl_link(relation: str, media_type: str) -> bool:
    return "license" in relation.lower().split() and media_type.strip().lower() == rsl.MEDIA_TYPE


def _in_script(body: str, where: str) -> list[Signal]:
    """What RSL in a page says of it; the address may be the original's (RSL 1.0 section 4.6.2)."""
    try:
        tree = safe_xml.parse(body.strip().encode("utf-8", "replace"), encoding="utf-8")
    except ValueError:
        return [Signal("rsl", "unknown", body, where)]
    return [Signal("rsl", value, raw, where) for _, value, raw in rsl.contents(tree)]


# -- saved headers ---------------------------------------------------------------------------------------
_FIELD = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]++):(.*)", re.DOTALL)
_LINK = re.compile(r"<([^<>]*)>([^<]*)")
_PARAMETER = re.compile(r""";\s*(rel|type)\s*=\s*(?:"([^"]*)"|([^\s";,]+))""", re.IGNORECASE)


def in_headers(text: str, where: str) -> list[Signal]:
    """What a saved response's header fields say; of several responses (redirects) the last one counts."""
    fields: dict[str, list[_Field]] = {}
    for field in _fields(text, where):
        if not field.name:
            fields = {}
        fields.setdefault(field.name, []).append(field)
    return few(signal for same in fields.values() for signal in _in_field(same))


class _Field(NamedTuple):
    name: str  # lower-case; none of a status line, where a response begins
    value: str
    raw: str
    place: str


def _fields(text: str, where: str) -> Iterator[_Field]:
    lines: list[str] = []  # of the field that is being read, without their ends
    first = 0
    for number, line in enumerate([*re.split(r"\r\n|\r|\n", text), "end:"], 1):  # which ends the last one
        starts = bool(_FIELD.match(line.strip())) or line.lstrip().startswith("HTTP/")
        if lines and not starts and line[:1] in (" ", "\t"):
            lines.append(line.strip())  # folded: RFC 9112 section 5.2
            continue
        if lines:
            raw = " ".join(lines)
            match = _FIELD.fullmatch(raw)
            name, value = (match[1].lower(), match[2].strip()) if match else ("", "")
            yield _Field(name, value, raw, f"{where}, line {first}")
        lines, first = ([line.strip()] if starts else []), number


def _in_field(same: Sequence[_Field]) -> Iterator[Signal]:
    """What all the fields of one name say."""
    if same[0].name == "content-usage":  # they are one (RFC 9651 section 4.2)
        said = content_usage(", ".join(field.value for field in same))
        yield Signal("content-usage", said, "\n".join(field.raw for field in same), same[0].place)
        return
    for name, value, raw, place in same:
        if name == "content-signal":
            # A yes may be a content network's own default, so here it is nobody's permission.
            yield Signal(name, "no" if content_signal(value) == "no" else "unknown", raw, place)
        elif name in ("tdm-reservation", "tdm-policy"):
            yield Signal("tdmrep", reservation(value) if name == "tdm-reservation" else "unknown", raw, place)
        elif name == "x-robots-tag":
            yield from _noai(value, raw, place)
        elif name == "link" and any(_rsl_links(value)):
            yield Signal("rsl", "unknown", raw, place)


def _rsl_links(field: str) -> Iterator[str]:
    """The targets of a Link field that are RSL licences (RSL 1.0 section 4.5)."""
    for match in _LINK.finditer(field):
        given = {name.lower(): quoted or plain for name, quoted, plain in _PARAMETER.findall(match[2])}
        if _is_rsl_link(given.get("rel", ""), given.get("type", "")):
            yield match[1].strip()


# -- inside a file ---------------------------------------------------------------------------------------
def in_binary(path: Path, suffix: str) -> list[Signal]:
    """What a file's own metadata (EPUB, PDF) and its Content Credentials say; [] if it cannot be read."""
    from . import credentials

    readers: dict[str, Callable[[Path], Iterable[Signal]]] = {".epub": _in_epub, ".pdf": _in_pdf}
    found: list[Signal] = []
    if reader := readers.get(suffix):
        # A broken file has its own report; what a parser raises on one is anybody's guess.
        with contextlib.suppress(Exception):
            found = list(reader(path))
    return few(found + credentials.in_file(path, suffix))


def _in_epub(path: Path) -> Iterator[Signal]:
    with zipfile.ZipFile(path) as archive:
        for name in _packages(archive):
            yield from _in_metadata(_member(archive, name), name)


def _packages(archive: zipfile.ZipFile) -> list[str]:
    """The package documents that the container names, else those that look like one."""
    names = set(archive.namelist())
    with contextlib.suppress(KeyError, ValueError):
        container = safe_xml.parse(_member(archive, "META-INF/container.xml"))
        paths = [e.get("full-path", "") for e in container.iter() if safe_xml.local(e) == "rootfile"]
        if found := [name for name in dict.fromkeys(paths) if name in names]:
            return found[:MAX_PACKAGES]
    return sorted(name for name in names if name.lower().endswith(".opf"))[:MAX_PACKAGES]


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    with archive.open(name) as member:
        return member.read(MAX_XML_BYTES)


def _in_pdf(path: Path) -> Iterator[Signal]:
    for packet in _packets(path):
        yield from _in_metadata(packet, "XMP")


def _packets(path: Path) -> list[bytes]:
    """The catalogue's metadata stream; where the file is too broken for that, what looks like XMP in it."""
    import pypdf

    try:
        stream = pypdf.PdfReader(path).root_object.get("/Metadata")
        return [stream.get_object().get_data()] if stream else []
    except Exception:  # pypdf raises many kinds on a damaged file, which another reader may still read
        data = path.read_bytes()
        start = data.find(b"<x:xmpmeta")
        end = data.find(b"</x:xmpmeta>", start) + len(b"</x:xmpmeta>")
        return [data[start:end]] if 0 <= start < end else []


def _in_metadata(data: bytes, where: str) -> Iterator[Signal]:
    """TDMRep in an EPUB's package document (sections 6.4, 6.5) or in XMP (6.6), and RSL in either (4.8)."""
    try:
        tree = safe_xml.parse(data.strip(b"\0 \t\r\n"))
    except ValueError:
        if (at := data.find(b"tdm")) >= 0:
            yield Signal("tdmrep", "unknown", data[at:][:RAW_CHARACTERS].decode("utf-8", "replace"), where)
        return
    for element in tree.iter():
        for name, said in _properties(element):
            value = reservation(said) if name == "tdm:reservation" else "unknown"
            yield Signal("tdmrep", value, f"{name}: {said.strip()}", where)
    for _, value, raw in rsl.contents(tree):
        yield Signal("rsl", value, raw, where)


def _properties(element: Element) -> Iterator[tuple[str, str]]:
    """("tdm:reservation" or "tdm:policy", value): an element or attribute of XMP, a meta element of OPF."""
    text = "".join(element.itertext()) if len(element) == 0 else ""
    named = [(element.tag, text), *element.attrib.items()]
    if safe_xml.local(element) == "meta":
        key = element.get("property") or element.get("name") or ""
        named.append((key.replace("tdm-", "tdm:"), element.get("content") or text))
    for name, said in named:
        key = f"tdm:{name.rpartition('}')[2]}" if name.startswith("http://www.w3.org/ns/tdmrep") else name
        if key in ("tdm:reservation", "tdm:policy"):
            yield key, said
