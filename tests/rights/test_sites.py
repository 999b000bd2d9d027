"""What lies around a file: sites in sites, broken and hostile files, and nothing outside the root."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from protego import Protego

from netsuke.rights import sites
from netsuke.rights.path_rules import PathRules, encoded
from netsuke.rights.signals import Signal, combine

TDMREP = ".well-known/tdmrep.json"
RSL = '<rsl xmlns="https://rslstandard.org/rsl">{}</rsl>'
PROHIBITED = RSL.format(
    '<content url="/"><license><prohibits type="usage">all</prohibits></license></content>'
)


def written(root: Path, files: dict[str, str | bytes]) -> list[str]:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return list(files)


def said(root: Path, files: dict[str, str | bytes], name: str) -> list[Signal]:
    return sites.around(root, written(root, files))(name)


def values(signals: Iterable[Signal]) -> list[str]:
    return [signal.value for signal in signals]


# -- where a site is -------------------------------------------------------------------------------------
def test_each_site_around_a_file_has_its_say_about_its_own_paths(tmp_path):
    say = sites.around(
        tmp_path,
        written(tmp_path, {
            "robots.txt": "User-agent: *\nDisallow: /a/b/secret/\nContent-Usage: train-ai=y",
            "a/b/robots.txt": "User-agent: *\nDisallow: /closed/",
            "a/.well-known/tdmrep.json": '[{"location": "/b/", "tdm-reservation": 1}]',
        }),
    )  # fmt: skip
    assert values(say("x")) == ["yes"]
    assert values(say("a/b/secret/x")) == ["no", "yes", "no"]
    assert values(say("a/b/closed/x")) == ["yes", "no", "no"]
    assert values(say("a/closed/x")) == ["yes"]
    assert values(say("closed/x")) == ["yes"]


def test_a_name_that_only_begins_as_a_site_is_outside_it(tmp_path):
    assert said(tmp_path, {"site/robots.txt": "User-agent: *\nDisallow: /"}, "sites/a") == []


def test_the_line_and_the_crawler_are_told(tmp_path):
    robots = (
        "# hello\nUser-agent: GPTBot\nUser-agent: CCBot\n\n  Disallow: /  # all\nUser-agent: *\nDisallow: /a"
    )
    assert said(tmp_path, {"w/robots.txt": robots}, "w/a") == [
        Signal("robots.txt", "no", "Disallow: /  # all", "w/robots.txt, line 5, for gptbot, ccbot"),
        Signal("robots.txt", "no", "Disallow: /a", "w/robots.txt, line 7"),
    ]


def test_headers_beside_a_file_are_about_that_file_only(tmp_path):
    files = {
        "p/a.html.headers": "HTTP/1.1 200 OK\r\nContent-Usage: train-ai=n\r\n",
        "p/a.html": "",
        "a.html": "",
    }
    say = sites.around(tmp_path, written(tmp_path, files))
    assert say("p/a.html") == [
        Signal("content-usage", "no", "Content-Usage: train-ai=n", "p/a.html.headers, line 2")
    ]
    assert say("a.html") == say("p/b.html") == []


@pytest.mark.parametrize(
    ("name", "text"),
    [("w/ROBOTS.TXT", "User-agent: *\nDisallow: /p/"), ("w/p/a.html.HEADERS", "X-Robots-Tag: noai\n"),
     *((f"w/{name}", '[{"location": "/p/", "tdm-reservation": 1}]')
       for name in ("tdmrep.json", "TDMRep.json", ".well-known/tdmrep.json", ".Well-Known/tdmrep.json"))],
)  # fmt: skip
def test_what_is_no_document_for_its_name_is_heard_by_it(tmp_path, name, text):
    assert sites.notice(name.rpartition("/")[2])
    say = sites.around(tmp_path, written(tmp_path, {name: text, "w/p/a.html": "", "w/b.html": "", "p/a.html": ""}))
    assert values(say("w/p/a.html")) == ["no"] and say("w/b.html") == [] == say("p/a.html")


def test_what_is_not_heard_is_no_notice(tmp_path):
    assert said(tmp_path, {"AI.txt": "User-agent: *\nDisallow: /"}, "a") == []
    assert not any(map(sites.notice, ("AI.txt", "my robots.txt", "tdmrep.json.md", ".headers", "headers", "a.md")))


def test_a_licence_is_found_by_its_namespace_or_by_robots(tmp_path):
    files = {"robots.txt": "License: https://example.com/terms/all%20of%20it", "terms/all of it": PROHIBITED}
    assert values(said(tmp_path, files, "x")) == ["no"]
    assert values(said(tmp_path / "b", {"anything.xml": PROHIBITED}, "x")) == ["no"]
    assert values(said(tmp_path / "c", {"anything.xml": PROHIBITED.encode("utf-16")}, "x")) == ["no"]
    assert said(tmp_path / "d", {"feed.xml": "<rss/>", "deep/below.xml": PROHIBITED}, "x") == []


def test_a_robots_file_links_a_page_that_is_no_licence(tmp_path):
    files = {"robots.txt": "License: https://example.com/license.xml", "license.xml": "<html/>"}
    assert said(tmp_path, files, "x") == [Signal("rsl", "unknown", files["robots.txt"], "robots.txt, line 1")]


# -- robots.txt as it is written -------------------------------------------------------------------------
CLOSED = "User-agent: *\nDisallow: /a\n"


@pytest.mark.parametrize(
    "robots",
    [
        CLOSED.encode("utf-8-sig"),
        CLOSED.encode("utf-16"),
        CLOSED.encode("utf-16-le"),
        CLOSED.encode("utf-16-be"),
        b"\xfe\xff" + CLOSED.encode("utf-16-be"),
        CLOSED.replace("\n", "\r\n").encode(),
        CLOSED.replace("\n", "\r").encode(),
        b"\0\xff\xfe\n" + CLOSED.encode(),
        b"User-agent: *\nDisallow: a\n",
        b"User-agent: *\nDisallow: https://example.com/a\n",
        b"User-agent: *\nAllow: /b\nAllow: /b\nDisallow: /a\nDisallow: /a\n",
        b"USER-AGENT : *\n\n\nDISALLOW :/a",
        b"User-agent: GPTBot/1.1\nDisallow: /a",
        b"User-agent: Kangaroo Bot\nDisallow: /a",
        b"User-agent: x\nUser-agent: *\nCrawl-delay: 9\nDisallow: /a",
    ],
)
def test_a_robots_file_that_closes_a(tmp_path, robots):
    say = sites.around(tmp_path, written(tmp_path, {"robots.txt": robots}))
    assert (combine(say("a")), combine(say("b"))) == ("no", "unknown")


@pytest.mark.parametrize(
    "robots",
    [
        b"",
        b"User-agent: *\nDisallow:\n",
        b"User-agent:\nDisallow: /\nContent-Usage: train-ai=y",
        b"User-agent: Googlebot\nDisallow: /",
        b"User-agent: *\nAllow: /",
        b"Allow: /\nContent-Usage: train-ai=y",
        b"User-agent: GPTBot\nAllow: /\nContent-Signal: ai-train=yes",
        b"<!doctype html><title>Not found</title><p>Disallow: / is not here</p>",
    ],
)
def test_a_robots_file_that_says_neither_yes_nor_no(tmp_path, robots):
    assert combine(said(tmp_path, {"robots.txt": robots}, "a")) == "unknown"


def test_a_no_outside_all_groups_or_to_a_crawler_for_training_counts(tmp_path):
    assert combine(said(tmp_path, {"robots.txt": "Content-Usage: train-ai=n\n"}, "a")) == "no"
    named = {"robots.txt": "User-agent: CCBot\nContent-Usage: /a train-ai=n\n"}
    assert combine(said(tmp_path / "b", named, "a")) == "no"


def test_a_robots_file_is_read_to_its_limit_and_to_a_whole_line(tmp_path):
    line = "Disallow: /" + "x" * 49 + "\n"
    robots = "User-agent: *\n" + line * (sites.LINES_BYTES // len(line) + 2)
    cut = robots[: sites.LINES_BYTES].rpartition("\n")[2]
    assert len(cut) > len("Disallow: /")  # the limit is inside a rule, which would close more than it says
    say = sites.around(tmp_path, written(tmp_path, {"robots.txt": robots + "Disallow: /late\n"}))
    assert values(say("x" * 49)) == ["no"]
    assert say("x" * 9) == say("late") == []


# -- against another reader of robots.txt ----------------------------------------------------------------
PIECES = st.lists(st.sampled_from(["a", "b", "/", "*", "%20", "é", "-"]), max_size=5).map("".join)
PATTERNS = st.builds(lambda piece, end: f"/{piece}{end}", PIECES, st.sampled_from(["", "$"]))
PATHS = st.lists(st.sampled_from(["a", "b", "é", "-", "ab"]), min_size=1, max_size=4).map("/".join)


@given(st.lists(st.tuples(st.booleans(), PATTERNS), max_size=6), PATHS)
def test_the_longest_match_is_that_of_protego(rules, path):
    lines = [f"{'Allow' if allow else 'Disallow'}: {pattern}" for allow, pattern in rules]
    theirs = Protego.parse("\n".join(["User-agent: *", *lines]))
    ours = PathRules()
    for allow, pattern in rules:
        ours.add(pattern, Signal("", "unknown" if allow else "no", "", ""))
    found = ours.longest(encoded(f"/{path}"))
    allowed = not found or any(signal.value == "unknown" for signal in found)
    assert allowed == theirs.can_fetch(f"https://example.com/{path}", "x")


def test_the_pieces_of_a_pattern_do_not_overlap():
    rules = PathRules()
    rules.add("/ab*b$", Signal("", "no", "", ""))
    assert values(rules.longest("/ab")) == [] and values(rules.longest("/abb")) == ["no"]


@given(st.text(), st.booleans())
@example("\udce9\ud800%zz%e9", True)
def test_an_encoded_path_is_ascii_and_stays_as_it_is(text, pattern):
    once = encoded(f"/{text}", pattern=pattern)
    assert once.isascii() and encoded(once, pattern=pattern) == once


def test_a_name_that_is_not_utf_8_is_its_octets(tmp_path):
    robots = {"robots.txt": "User-agent: *\nDisallow: /caf%E9/"}
    assert values(said(tmp_path, robots, os.fsdecode(b"caf\xe9/menu"))) == ["no"]


# -- tdmrep.json -----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "text",
    [
        "not JSON",
        '[{"location": "/", "tdm-reservation": 1}',
        "[" * 100_000,
        '[{"location": "/", "tdm-reservation": 1}]\0',
        "1" * 5000,
        '{"location": "/", "tdm-reservation": 1}',
        "[[]]",
        '[{"location": 1, "tdm-reservation": 1}]',
        "null",
    ],
)
def test_a_broken_reservation_is_unknown_with_its_text(tmp_path, text):
    [signal] = said(tmp_path, {TDMREP: text}, "a")
    assert signal.value == "unknown" and signal.where.startswith(TDMREP)
    assert signal.raw.replace(" ", "")[:9] in text.replace(" ", "")


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        ('{"location": "/", "tdm-reservation": 0, "tdm-reservation": 1}', "no"),
        ('{"location": "/", "tdm-reservation": 1, "tdm-reservation": 0}', "no"),
        ('{"location": "/b", "location": "/", "tdm-reservation": 1}', "no"),
        ('{"location": "/", "tdm-reservation": true}', "no"),
        ('{"location": "/", "tdm-reservation": false}', "unknown"),
        ('{"location": "/", "tdm-reservation": "0"}', "unknown"),
        ('{"location": "/", "tdm-reservation": [0]}', "unknown"),
        ('{"location": "\\ud800", "tdm-reservation": 0}', "unknown"),
        ('{"location": "https://example.com/a", "tdm-reservation": 1}', "no"),
    ],
)
def test_a_rule_with_a_key_twice_or_a_value_of_another_type(tmp_path, rule, value):
    assert combine(said(tmp_path, {TDMREP: f"[{rule}]"}, "a")) == value


def test_rules_of_one_length_keep_the_order_of_their_file(tmp_path):
    rules = [f"Disallow: /*{letter * 3}" for letter in "jihgfedcba"]
    told = said(tmp_path, {"robots.txt": "\n".join(["User-agent: *", *rules])}, "aaabbbcccdddeeefffggghhhiiijjj.txt")
    assert len(told) > 5
    assert [signal.where for signal in told] == [f"robots.txt, line {number}" for number in range(2, 2 + len(told))]


# -- hostile trees ---------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "name", ["../a", "a/../../b", "/etc/passwd", "", ".", "a//b", "a\0b", "..", "../../etc/passwd"]
)
def test_a_name_that_leads_elsewhere_is_not_opened(tmp_path, name):
    root = tmp_path / "inside" / "root"
    root.mkdir(parents=True)
    for outside in (tmp_path, tmp_path / "inside"):
        written(outside, {"a.headers": "Content-Usage: train-ai=n", "b.headers": "Content-Usage: train-ai=n"})
    say = sites.around(root, [name, f"{name}.headers", f"{name}/robots.txt", "../robots.txt"])
    assert say(name) == []


def test_a_link_out_of_the_root_a_loop_and_what_is_no_file_say_nothing(tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "secret").write_text("Content-Usage: train-ai=n")
    (root / "a.headers").symlink_to(tmp_path / "secret")
    (root / "b.headers").symlink_to(root / "b.headers")
    (root / "robots.txt").mkdir()
    os.mkfifo(root / "ai.txt")
    os.mkfifo(root / "c.headers")
    (root / "inner.headers").write_text("Content-Usage: train-ai=n")
    (root / "d.headers").symlink_to(root / "inner.headers")
    names = ["a.headers", "b.headers", "c.headers", "d.headers", "ai.txt", "robots.txt", "gone/robots.txt"]
    say = sites.around(root, names)
    assert say("a") == say("b") == say("c") == say("gone/x") == []
    assert values(say("d")) == ["no"]


@pytest.mark.parametrize("name", ["robots.txt", "ai.txt", TDMREP, "license.xml", "x.headers"])
@pytest.mark.parametrize(
    "octets", [b"\xff" * 1_000_000, b"\0" * 1_000_000, b":\n" * 500_000, b"<rslstandard.org/rsl" * 50_000]
)
def test_a_megabyte_of_garbage(tmp_path, name, octets):
    assert combine(said(tmp_path, {name: octets}, "x")) == "unknown"


def test_a_licence_that_unfolds_a_billion_times_is_unknown_with_its_text(tmp_path):
    laughs = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))
    bomb = f'<!DOCTYPE rsl [<!ENTITY a0 "ha">{laughs}]>' + RSL.format("&a9;")
    [signal] = said(tmp_path, {"license.xml": bomb}, "x")
    assert (signal.kind, signal.value) == ("rsl", "unknown") and signal.raw.startswith("<!DOCTYPE rsl")


def test_a_licence_does_not_read_files(tmp_path):
    (tmp_path / "secret").write_text("a secret")
    external = f'<!DOCTYPE rsl [<!ENTITY x SYSTEM "{tmp_path / "secret"}">]>' + PROHIBITED.replace(
        "all", "&x; all"
    )
    assert "a secret" not in said(tmp_path, {"license.xml": external}, "x")[0].raw


MANY = range(100_000)
RULES = {
    "prefixes": ("robots.txt", "User-agent: *\n" + "".join(f"Disallow: /p{n}/\n" for n in MANY)),
    "stars": (
        "robots.txt",
        "User-agent: *\n" + "".join(f"Disallow: /*p{n}*/$\nDisallow: /p{n}*x$\n" for n in MANY),
    ),
    "one of stars": ("robots.txt", "User-agent: *\nDisallow: /p" + "*" * 100_000 + "x"),
    "agents": (
        "robots.txt",
        "".join(f"User-agent: b{n}\n" for n in range(20_000)) + "User-agent: *\nDisallow: /p",
    ),
    "usage": ("robots.txt", "User-agent: *\n" + "".join(f"Content-Usage: /p{n} train-ai=n\n" for n in MANY)),
    "types": ("ai.txt", "User-agent: *\n" + "".join(f"Disallow: *.{n}\nDisallow: /p{n}/\n" for n in MANY)),
    "reservations": (TDMREP, json.dumps([{"location": f"/p{n}/", "tdm-reservation": 1} for n in MANY])),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", RULES)
def test_a_hundred_thousand_rules(tmp_path, kind):
    name, text = RULES[kind]
    say = sites.around(tmp_path, written(tmp_path, {name: text}))
    assert [combine(say(f"p{n}/x")) for n in range(1000)] == ["no"] * 1000
    assert combine(say("q/x")) == "unknown"


@settings(max_examples=30)
@given(
    st.sampled_from(["robots.txt", "ai.txt", TDMREP, "license.xml", "x.headers"]),
    st.binary()
    | st.text().map(lambda text: f"User-agent: *\nDisallow: {text}\nContent-Usage: {text}".encode()),
)
def test_no_file_raises(tmp_path_factory, name, octets):
    root = tmp_path_factory.mktemp("any")
    assert all(isinstance(signal, Signal) for signal in said(root, {name: octets}, "x"))


@given(st.lists(st.text(max_size=9), max_size=4))
def test_no_name_raises(tmp_path_factory, names):
    say = sites.around(tmp_path_factory.getbasetemp(), names)
    assert all(isinstance(say(name), list) for name in names)
