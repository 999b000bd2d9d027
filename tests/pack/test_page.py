"""The page holds what it shows, asks for nothing, and quotes only what it is given."""

import copy
import html.parser
import json
import re

import pytest

from netsuke.engines import plot
from netsuke.pack import page, trust
from netsuke.pack.words import worse

EXTRACTION = {"pieces": 64, "documents": 58, "given_tokens": 50, "asked_tokens": 50, "returned": 3,
              "returned_by_base": 1,
              "learnt_here": 2, "share": 0.03, "low": 0.01, "high": 0.1, "longest_run_tokens": 50, "from": ["a"],
              "held_out": {"pieces": 16, "returned": 0, "longest_run_tokens": 12}}  # fmt: skip
MEMORY = {
    "extraction": EXTRACTION,
    "samples": {"samples": 128, "found": {"EMAIL": 2}, "leaked": []},
    "gates": [],
}
HONESTY = {"sentences": 300, "calibration_error": {"value": 0.04, "low": 0.03, "high": 0.06}, "uncalibrated_error": 0.2,
           "risk_at_80": {"value": 0.5, "low": 0.4, "high": 0.6},
           "risk_at_100": {"value": 0.6, "low": None, "high": None},
           "risk_coverage": [[0.5, 0.4], [1.0, 0.6]], "gates": []}  # fmt: skip
SAFETY = {"probes": 220, "failed": {"base": 90, "ours": 80}, "worse": 5, "better": 15, 
          "change": -0.05, "low": -0.08, "high": -0.01,
          "answer_tokens": 20,
          "categories": [{"category": "slurs", "probes": 30, "base": 3, "ours": 2}], "gates": []}  # fmt: skip
EVIL = '</p><script>alert(1)</script> & "quoted"'


@pytest.fixture
def report(made):
    content = json.loads((made / "report.json").read_text())
    membership = {"auc": 0.6, "low": 0.5, "high": 0.7, "n_seen": 32, "n_unseen": 11}
    return {**content, "memory": MEMORY, "honesty": HONESTY, "safety": SAFETY, "membership": membership}


class Page(html.parser.HTMLParser):
    """What a page is made of, and what it would ask the network for."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.asked, self.ids, self.handlers = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        for name, value in attributes:
            self.handlers += [name] if name.startswith("on") else []
            self.ids += [value] if name == "id" else []
            if name in ("src", "href", "xlink:href", "action", "data") and not value.startswith("#"):
                self.asked.append(value)


def scores(ours, **others):
    rows = {"ours": ours, **others}
    return {"scores": [{"score": "accuracy", "who": who.replace("_", ", "), "value": value, "low": value, "high": value,
                        "n": 20} for who, value in rows.items()]}  # fmt: skip


@pytest.mark.parametrize(
    "found, lines",
    [
        (scores(0.8, base_no=0.9, base_with=0.9), [f"accuracy 80.0%, base, {one}: 90.0%" for one in ("no", "with")]),
        (scores(0.9, base_no=0.9, base_with=0.95), ["accuracy 90.0%, base, with: 95.0%"]),
        (scores(0.9, base_no=0.9, words=0.99), ["nothing that was measured"]),
        ({"scores": []}, ["nothing that was measured"]),
        (None, ["nothing that was measured"]),
    ],
)  # fmt: skip
def test_a_task_that_the_base_does_better_got_worse(report, found, lines):
    assert worse([], None, found) == lines
    if lines != ["nothing that was measured"]:
        text = page.html({**report, "scores": found})
        assert all(line in text for line in lines)


def test_the_page_asks_for_nothing_and_runs_nothing(report):
    quoted = {"samples": [{"given": EVIL, "base": EVIL, "ours": EVIL, "true": EVIL}], "failing": []}
    text = page.html({**report, "name": EVIL}, quoted)
    found = Page(text)
    assert (
        found.asked == [] and found.handlers == [] and not {"script", "link", "img", "iframe"} & {*found.tags}
    )
    assert len(found.ids) == len(set(found.ids)) > 10
    assert "default-src 'none'" in text and not re.search(r"url\((?!#)|@import", text)
    assert found.tags.count("svg") == 3 and "&lt;script&gt;" in text


def test_the_page_shows_what_was_measured(report):
    beside = {"trial": [{"name": "prompt base", "value": 100.0, "n": 3},
                        {"name": "prompt ours", "value": 200.0, "n": 3}],
              "since": [{"name": "size", "unit": "bytes", "last": 9e7, "now": 8e7, "change": -0.1}],
              "frontier": plot.svg([plot.Panel("sizes", "MB", "bits", [plot.Series("one", [(1, 2)])])]),
              "value": plot.svg([plot.Panel("worth", "bits", "", [plot.Series("Ann", [(1, 2)])])])}  # fmt: skip
    text = page.html(report, None, beside)
    for words in (
        "learnt here: 3.0%",
        "stands in the documents",
        "In the surest 80%",
        "slurs",
        "area under",
        "not measured",
        "Since the last one",
        "sizes",
        "What each part of the material was worth",
        "general text, bits per byte: +5.0%",
    ):
        assert words in re.sub(r"\s+", " ", text), words
    assert "What got worse" in text and "Limits" in text


def test_without_quotes_nothing_is_quoted(report):
    quoted = {"samples": [{"given": "SECRET", "base": "b", "ours": "o", "true": "t"}],
              "failing": [{"who": "ours", "category": "c", "rule": "r", "prompt": "P?",
                           "answer": "ANSWERED"}]}  # fmt: skip
    full = page.html(report, quoted)
    assert all(word in full for word in ("SECRET", "ANSWERED", "data-quotes"))
    bare = page.html(report)
    assert not any(word in bare for word in ("SECRET", "ANSWERED", "data-quotes", "Before and after"))


def test_an_older_or_smaller_report_has_a_page_too(report):
    small = copy.deepcopy(report)
    for name in ("memory", "honesty", "safety", "membership"):
        del small[name]
    small["learning"]["history"] = []
    text = page.html(small)
    assert "Probes" not in text and Page(text).tags.count("svg") == 1
    none = {"sentences": 0, "why": "there are no held-out documents", "gates": []}
    assert "Not measured: there are no held-out documents." in page.html({**small, "honesty": none})


def test_failed_gates_are_said_first(report):
    report["gates"] = [
        {"name": "size", "value": 2, "limit": 1, "passed": False, "sentence": "too big; over by 1"}
    ]
    assert "1 of 1 gates failed" in page.html(report) and "too big; over by 1" in page.html(report)


def test_the_pack_holds_the_page_of_its_report(made):
    content, quoted = (json.loads((made / name).read_text()) for name in ("report.json", "quotes.json"))
    assert (made / "report.html").read_text() == page.html(content, quoted)
    assert "love-letter" not in (made / "report.html").read_text() + json.dumps(content)


def test_what_leaks_is_said_by_its_kind():
    leaked = {
        **MEMORY,
        "samples": {"samples": 9, "found": {"EMAIL": 2}, "leaked": [{"kind": "EMAIL", "from": "a"}]},
    }
    assert "1 of them stand in the documents (EMAIL)" in trust.memory(leaked)[2]
    rows = [{"repeats": 3, "codes": 4, "returned": 1, "exposure_bits": 4.5, "most_bits": 6.0}]
    assert (
        "said 3 times: 1 of 4 came back, exposure 4.5 of 6.0" in trust.memory({**MEMORY, "canaries": rows})[3]
    )


@pytest.mark.parametrize("pieces", [0, 9])
def test_codes_that_could_not_be_planted_are_no_good_news(pieces):
    facts = {**MEMORY, "extraction": {**MEMORY["extraction"], "pieces": pieces}}
    assert "planted" not in " ".join(trust.memory(facts)).lower()
    assert "No codes were planted" in trust.memory({**facts, "canaries": []})[-1]
