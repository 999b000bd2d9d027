"""From a messy folder to documents: every file is read, or named with a reason; nothing stops the run."""

import json
import os
import shutil
import subprocess
from dataclasses import replace

import pytest
from material import document
from rights.licence_texts import MIT

from netsuke import loop
from netsuke import recipe as recipes
from netsuke.consent.ledger import Ledger
from netsuke.curate.gather import gather
from netsuke.nouns import Source
from netsuke.plan import Plan
from netsuke.step import Local
from netsuke.texts.documents import read_rows

FILE = "netsuke.toml"


def recipe_of(*sources):
    return replace(recipes.fresh("notes", loop.SECTIONS), sources=sources or (Source("."),))


def made(folder, store, *sources):
    """(rows of documents.jsonl by path, the steps that ran)."""
    local = Local(store)
    data = loop.documents(recipe_of(*sources), folder / FILE, store, local)
    rows = {row["path"]: row for row in read_rows(store.path(data["documents.jsonl"]))}
    return rows, [run.step for run in local.ran]


def left_out(rows):
    return {path: row["dropped_by"] for path, row in rows.items() if row["split"] == "dropped"}


def is_in_the_home(text, store):
    return any(text in p.read_bytes() for p in store.root.rglob("*") if p.is_file())


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "messy"
    place.mkdir()
    for number in range(12):
        (place / f"{number}.md").write_text(document(number))
    return place


def test_bad_files_are_rows_and_the_rest_is_read(folder, store):
    with (folder / "one-line.txt").open("w") as file:
        for _ in range(50):
            file.write("a word and another " * 52_632)  # 50 MB, no newline
    (folder / "broken.pdf").write_bytes(b"%PDF-1.4\n1 0 obj\n<<")
    (folder / "binary.txt").write_bytes(b"text\0" * 400)
    (folder / "old.zip").write_bytes(b"PK\x03\x04" + b"\0" * 100)
    (folder / "empty.md").write_text("")
    (folder / "latin.txt").write_bytes(
        "Ein schöner Satz über Öl, der für sich allein schon lang genug ist.".encode("cp1252")
    )
    name = os.fsdecode(b"caf\xe9.md")
    (folder / name).write_text("A file whose name is not UTF-8, with enough text in it to be kept.")
    rows, ran = made(folder, store)
    assert left_out(rows) == {"one-line.txt": "too large", "broken.pdf": "unreadable", "binary.txt": "binary",
                              "old.zip": "archive", "empty.md": "empty"}  # fmt: skip
    assert rows[name]["bytes_kept"] > 0 and rows["latin.txt"]["bytes_kept"] > 0
    again, ran = made(folder, store)
    assert again == rows and ran == []


def test_only_what_changed_is_read_again(folder, store):
    made(folder, store)
    (folder / "3.md").write_text(document(99))
    (folder / "new.md").write_text(document(98))
    os.utime(folder / "4.md")
    assert made(folder, store)[1] == ["read", "read", "curate"]
    (folder / "new.md").rename(folder / "newer.md")
    assert made(folder, store)[1] == ["curate"]


def test_a_plan_reads_nothing_and_says_what_it_would(folder, store):
    plan = Plan(store)
    assert gather(recipe_of(), folder / FILE, store, plan) is None
    assert len(plan.lines) == 12 and not any(line.cached for line in plan.lines)
    kept = [path for path in (store.root / "objects").rglob("*") if path.is_file()]
    assert kept == []  # of a folder that was only looked at


def test_recipes_are_not_documents(folder, store):
    for name in ("netsuke.toml", "netsuke.lock", "book.txt.netsuke.toml", "book.txt.netsuke.lock"):
        (folder / name).write_text(
            json.dumps({"a": "long enough to be a document of its own, if it were one"})
        )
    assert len(made(folder, store)[0]) == 12


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_closed_folder_is_a_row(folder, store):
    (folder / "closed").mkdir(mode=0)
    assert made(folder, store)[0]["closed"]["dropped_by"] == "unreadable"


@pytest.mark.parametrize(
    ("place", "path", "named"),
    [(".", "a/b.md", "a/b.md"), ("hers", "a.md", "hers/a.md"), ("./x/", "a.md", "x/a.md"), ("../x", "a.md", "x/a.md"),
     ("~/x", "a.md", "x/a.md"), ("/y/x", "a.md", "x/a.md"), ("book.txt", "book.txt", "book.txt"),
     ("../book.txt", "book.txt", "book.txt")],
)  # fmt: skip
def test_the_ledger_names_a_file_by_its_source(place, path, named):
    assert Source(place).named(path) == named


def test_links_that_lead_to_no_file_of_the_source_are_rows(folder, store):
    (folder.parent / "outside.md").write_text(document(60))
    (folder / "hers").mkdir()
    (folder / "hers" / "a.md").write_text(document(61))
    targets = {"out.md": folder.parent / "outside.md", "in.md": "0.md", "folder": "hers", "broken": "nowhere",
               "loop": "loop", "other.md": "hers/a.md", "hers/up.md": "../0.md"}  # fmt: skip
    for name, target in targets.items():
        (folder / name).symlink_to(target)
    rows, _ = made(folder, store, Source("."), Source("hers", owner="Ann", consent="in"))
    assert left_out(rows) == {"in.md": "exact duplicate"} | dict.fromkeys(
        ("out.md", "folder", "broken", "loop", "other.md", "up.md"), "link")  # fmt: skip
    assert rows["up.md"]["source"] == 1 and not is_in_the_home(document(60).encode(), store)


# -- consent ---------------------------------------------------------------------------------------------
def test_any_no_wins_and_the_innermost_source_decides(folder, store):
    for name in ("clients", "clients/mine", "open"):
        (folder / name).mkdir()
        (folder / name / "a.md").write_text(
            f"A text in {name}, long enough to be kept if it may be kept at all."
        )
    rows, ran = made(
        folder,
        store,
        Source("."),
        Source("clients", consent="out"),
        Source("clients/mine"),
        Source("open", owner="them"),
    )
    sources = {row["source"] for row in rows.values() if row["decision"] == "out"}
    assert sources == {0} or len(rows) >= 12  # three sources share the path "a.md"
    assert ran.count("read") == 12
    for text in (b"A text in clients", b"A text in open"):
        assert not is_in_the_home(text, store)


def test_what_its_owner_keeps_out_is_never_read(folder, store):
    secret = "The river of the owner who said no, which nobody may learn from at all."
    (folder / "hers").mkdir()
    (folder / "hers" / "a.md").write_text(secret)
    for source in (Source("hers", owner="Ann", consent="out"), Source("hers", owner="Ann"),
                   Source("hers", owner="Ann", licence="CC-BY-NC-4.0")):  # fmt: skip
        rows, _ = made(folder, store, Source("."), source)
        assert rows["a.md"]["decision"] == "out" and rows["a.md"]["dropped_by"] == "consent"
        assert rows["a.md"]["file"] == "" and not is_in_the_home(secret.encode(), store)


def test_a_tag_in_the_file_brings_it_in_and_a_stricter_one_keeps_it_out(folder, store):
    (folder / "theirs").mkdir()
    text = "A text of somebody else, which is long enough to be kept."
    (folder / "theirs" / "open.md").write_text(f"SPDX-License-Identifier: CC-BY-4.0\n\n{text} One.")
    (folder / "theirs" / "closed.md").write_text(f"SPDX-License-Identifier: CC-BY-NC-4.0\n\n{text} Two.")
    rows, _ = made(folder, store, Source("."), Source("theirs", owner="them"))
    assert rows["open.md"]["split"] != "dropped" and rows["open.md"]["licence"] == "CC-BY-4.0"
    assert rows["closed.md"]["decision"] == "out"
    rows, _ = made(folder, store, Source("."), Source("theirs", owner="them", licence="MIT"))
    assert rows["closed.md"]["decision"] == "out" and not is_in_the_home(b"kept. Two", store)


def test_a_caption_opens_no_reserved_work(folder, store):
    theirs = folder / "theirs"
    theirs.mkdir()
    walk = f"# A walk in Porto\n\n© 2024 Jane Doe. All rights reserved.\n\n{document(70)}\n\n"
    (theirs / "porto.md").write_text(f"{walk}*Photo by Ana Silva, licensed under CC BY 4.0*\n")
    page = "<title>A walk</title>\n\n<p>React is licensed under the MIT License.</p>\n\n<p>The end.</p>"
    (theirs / "page.html").write_text(page)
    (theirs / "Hugo.md").write_text(f"# Hugo\n\n{document(71)}\n\nHugo is licensed under the Apache License 2.0.\n")
    rows, _ = made(folder, store, Source("."), Source("theirs", owner="Jane Doe"))
    decisions = {path: rows[path]["decision"] for path in ("porto.md", "page.html", "Hugo.md")}
    assert decisions == {"porto.md": "out", "page.html": "out", "Hugo.md": "in"}
    assert not is_in_the_home(b"A walk in Porto", store)


def test_a_licence_in_a_footer_or_a_link_of_a_page_is_heard(folder, store):
    closed, opened = folder / "closed", folder / "opened"
    page = "<title>A walk</title>{}<main><h1>A walk</h1><p>{}</p></main><footer><p>© Ann. {}</p></footer>"
    notice, cc = "This work is licensed under CC {} 4.0.", "https://creativecommons.org/licenses/{}/4.0/"
    for place, kind in ((closed, "BY-NC-ND"), (opened, "BY")):
        place.mkdir()
        link = cc.format(kind.lower())
        said = notice.format(kind)
        (place / f"footer {kind}.html").write_text(page.format("", document(80), said))
        (place / f"link {kind}.html").write_text(page.format(f'<link rel="license" href="{link}">', document(81), ""))
        anchor = f'<a rel="license" href="{link}">Terms</a>'
        (place / f"anchor {kind}.html").write_text(page.format("", document(82), anchor))
        (place / f"long {kind}.html").write_text(page.format("", document(83) + " and so on" * 3000, said))
        tag = f"\n<!-- SPDX-License-Identifier: CC-{kind}-4.0 -->\n"
        (place / f"tag {kind}.html").write_text(page.format(tag, document(84), ""))
    (closed / "LICENSE").write_text(MIT)
    rows, _ = made(folder, store, *(Source(place.name, owner="Ann") for place in (closed, opened)))
    names = ("footer", "link", "anchor", "long", "tag")
    assert {rows[f"{name} BY-NC-ND.html"]["decision"] for name in names} == {"out"}
    found = [rows[f"{name} BY.html"] for name in names]
    assert {(row["decision"], row["licence"]) for row in found} == {("in", "CC-BY-4.0")}


def test_signals_around_and_in_a_file(folder, store):
    site = folder / "site"
    site.mkdir()
    (site / "robots.txt").write_text("User-agent: *\nContent-Usage: /drafts/ train-ai=n\nAllow: /\n")
    (site / "drafts").mkdir()
    page = (
        "<html><head>{}</head><body><p>A page of {} words that are long enough to be kept.</p></body></html>"
    )
    (site / "drafts" / "a.html").write_text(page.format("", "some"))
    (site / "b.html").write_text(page.format('<meta name="robots" content="noai">', "more"))
    (site / "c.html").write_text(page.format("", "other"))
    (site / "d.html").write_text(page.format("", "reserved"))
    (site / "d.html.headers").write_text("HTTP/1.1 200 OK\r\ntdm-reservation: 1\r\n\r\n")
    rows, _ = made(folder, store)
    assert {path: row["decision"] for path, row in rows.items() if path.endswith(".html")} == {
        "site/drafts/a.html": "out", "site/b.html": "out", "site/c.html": "in", "site/d.html": "out"}  # fmt: skip
    assert "noai" in json.dumps(rows["site/b.html"]["signals"])
    assert rows["site/drafts/a.html"]["reason"].startswith("A signal says no: ")
    assert not {"site/robots.txt", "site/d.html.headers"} & {
        p for p, r in rows.items() if r["split"] != "dropped"
    }


@pytest.mark.parametrize(
    "said",
    [{"robots.txt": "User-agent: *\nDisallow: /articles/\n"}, {"ai.txt": "User-agent: *\nDisallow: /\n"},
     {"ROBOTS.TXT": "User-agent: *\nDisallow: /\n"},
     {"tdmrep.json": '[{"location": "/articles/", "tdm-reservation": 1}]'},
     {".well-known/tdmrep.json": '[{"location": "/*", "tdm-reservation": 1}]'}],
)  # fmt: skip
@pytest.mark.parametrize("path", ["web/articles", "web/articles/a.md"])
def test_a_no_around_a_source_is_heard_for_the_sources_in_it(folder, store, said, path):
    for name, text in {"articles/a.md": document(70), **said}.items():
        (folder / "web" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "web" / name).write_text(text)
    rows, _ = made(folder, store, Source("."), Source("web"), Source(path))
    assert rows["a.md"]["source"] == 2 and rows["a.md"]["reason"].startswith("A signal says no: ")
    assert not is_in_the_home(document(70).encode(), store)


def test_a_yes_around_a_source_is_none_for_the_sources_in_it(folder, store):
    (folder / "web" / "articles").mkdir(parents=True)
    (folder / "web" / "robots.txt").write_text("User-agent: *\nContent-Usage: train-ai=y\n")
    (folder / "web" / "articles" / "a.md").write_text(document(70))
    rows, _ = made(folder, store, Source("."), Source("web", owner="them"), Source("web/articles", owner="Ann"))
    assert rows["a.md"]["source"] == 2 and rows["a.md"]["decision"] == "out"


def test_the_ledger_says_what_is_so_now_though_it_was_so_before(folder, store):
    page = "<html><head>{}</head><body><p>A page of some words that are long enough to be kept.</p></body></html>"
    ledger = Ledger(store.root / "ledger.db")
    for head, decision in (("", "in"), ('<meta name="robots" content="noai">', "out"), ("", "in"), ("", "in")):
        (folder / "p.html").write_text(page.format(head))
        local = Local(store)
        data = loop.documents(recipe_of(), folder / FILE, store, local)
        loop.record(recipe_of(), store, data)
        assert [row.decision for row in ledger.newest() if row.path == "notes/p.html"] == [decision]
    assert len(ledger.rows(path="notes/p.html")) == 3


def test_a_person_can_take_an_owner_a_path_or_a_content_out(folder, store):
    (folder / "hers").mkdir()
    (folder / "hers" / "a.md").write_text(document(50))
    sources = (Source("."), Source("hers", owner="Ann", consent="in"))
    rows, _ = made(folder, store, *sources)
    assert rows["a.md"]["decision"] == "in"
    ledger = Ledger(store.root / "ledger.db")
    for scope, value, path in (("owner", "Ann", "a.md"), ("path", "notes/7.md", "7.md"),
                               ("path", "notes/hers/**", "a.md"),
                               ("document", rows["3.md"]["file"], "3.md")):  # fmt: skip
        ledger.decide_standing(scope, value, "out", "she asked", "me")
        rows, _ = made(folder, store, *sources)
        assert rows[path]["decision"] == "out" and "she asked" in rows[path]["reason"], scope
        ledger.decide_standing(scope, value, "cleared", "", "me")
    rows, _ = made(folder, store, *sources)
    assert left_out(rows) == {}


@pytest.mark.parametrize(
    "said",
    [{"robots.txt": "User-agent: *\nDisallow: /secret/\n"}, {"robots.txt": "User-agent: *\nDisallow: /link.md\n"},
     {".well-known/tdmrep.json": '[{"location": "/secret/*", "tdm-reservation": 1}]'},
     {"secret/a.md.headers": "X-Robots-Tag: noai\n"}, {"link.md.headers": "X-Robots-Tag: noai\n"}],
)  # fmt: skip
def test_a_signal_about_a_link_or_what_it_leads_to_keeps_it_out(folder, store, said):
    for name, text in {"secret/a.md": document(70), **said}.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    (folder / "link.md").symlink_to("secret/a.md")
    rows, _ = made(folder, store)
    assert rows["link.md"]["decision"] == "out" and rows["link.md"]["reason"].startswith("A signal says no: ")


@pytest.mark.parametrize("path", ["secret/**", "link.md"])
def test_who_says_no_to_a_link_or_to_what_it_leads_to_is_heard(folder, store, path):
    (folder / "secret").mkdir()
    (folder / "secret" / "a.md").write_text(document(70))
    (folder / "link.md").symlink_to("secret/a.md")
    Ledger(store.root / "ledger.db").decide_standing("path", f"notes/{path}", "out", "Ann said no", "me")
    rows, _ = made(folder, store)
    assert rows["link.md"]["decision"] == "out" and "Ann said no" in rows["link.md"]["reason"]
    assert is_in_the_home(document(70).encode(), store) == (path == "link.md")  # the file itself is nobody's no


def test_a_yes_to_a_link_is_none_to_what_it_leads_to(folder, store):
    them = folder / "theirs"
    for name, text in {"secret/a.md": document(70), "open/LICENSE": "SPDX-License-Identifier: CC-BY-4.0\n",
                       "open/b.md": document(71), "robots.txt": "User-agent: *\nContent-Usage: /yes/ train-ai=y\n",
                       "yes/c.md": document(72)}.items():  # fmt: skip
        (them / name).parent.mkdir(parents=True, exist_ok=True)
        (them / name).write_text(text)
    for name in ("open/link.md", "yes/link.md", "said.md"):
        (them / name).symlink_to(them / "secret" / "a.md")
    (them / "to-b.md").symlink_to("open/b.md")
    Ledger(store.root / "ledger.db").decide_standing("path", "notes/theirs/said.md", "in", "", "me")
    rows, _ = made(folder, store, Source("."), Source("theirs", owner="Ann"))
    assert {path for path, row in rows.items() if row["owner"] == "Ann" and row["decision"] == "in"} == {
        "open/b.md", "open/LICENSE", "yes/c.md", "to-b.md"}  # fmt: skip
    assert not is_in_the_home(document(70).encode(), store)


def signed(source, folder, paths):
    """The source with an agreement of its owner's for a glob of paths, written into a folder."""
    key, paper = folder / "key", folder / "ann.toml"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", key], check=True)
    paper.write_text(f'owner = "Ann"\nstatement = "Learn from it."\nallows = ["train-ai"]\npaths = ["{paths}"]\n'
                     "date = 2026-11-01\n")  # fmt: skip
    subprocess.run(["ssh-keygen", "-q", "-Y", "sign", "-n", "netsuke-consent", "-f", key, paper], check=True)
    return replace(source, agreement=str(paper), signers=key.with_suffix(".pub").read_text().strip())


@pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="ssh-keygen is not there")
def test_a_signed_agreement_overrides_a_signal(folder, store):
    site = folder / "site"
    site.mkdir()
    (site / "robots.txt").write_text("User-agent: *\nDisallow: /\n")
    (site / "a.md").write_text(document(60))
    source = Source("site", owner="Ann", licence="unknown")
    assert made(folder, store, Source("."), source)[0]["a.md"]["decision"] == "out"
    agreed = signed(source, folder.parent, "**")
    row = made(folder, store, Source("."), agreed)[0]["a.md"]
    assert row["decision"] == "in" and "signed an agreement" in row["reason"] and row["split"] != "dropped"
    out = replace(agreed, consent="out")
    assert (
        made(folder, store, Source("."), out)[0]["a.md"]["decision"] == "out"
    )  # one way: it overrides no "out"


@pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="ssh-keygen is not there")
@pytest.mark.parametrize(("paths", "decision"), [("link.md", "out"), ("secret/**", "out"), ("**", "in")])
def test_an_agreement_covers_a_link_and_what_it_leads_to(folder, store, paths, decision):
    (folder / "hers" / "secret").mkdir(parents=True)
    (folder / "hers" / "secret" / "a.md").write_text(document(60))
    (folder / "hers" / "link.md").symlink_to("secret/a.md")
    agreed = signed(Source("hers", owner="Ann"), folder.parent, paths)
    assert made(folder, store, Source("."), agreed)[0]["link.md"]["decision"] == decision
