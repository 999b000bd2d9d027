"""A shared pack holds nothing that quotes the documents, and says what can still tell of them."""

import json

import pytest
from faked import made
from packed import small_pack
from sung import voiced_pack

from netsuke import export, signing
from netsuke.answer.ways import SHOWN
from netsuke.consent.decide import decide
from netsuke.consent.ledger import Ledger
from netsuke.errors import RecipeError
from netsuke.export import share
from netsuke.nouns import Source
from netsuke.pack import compare, manifest, words
from netsuke.store import Store, hash_file
from netsuke.texts.documents import write_rows

ROWS = [
    {"hash": "a" * 64, "source": 0, "owner": "Ada", "licence": "MIT", "decision": "in", "reason": "", "split": "train"},
    {"hash": "b" * 64, "source": 0, "owner": "Ada", "licence": "MIT", "decision": "in", "reason": "", "split": "test"},
]


def teach(pack, task):
    """Give the pack a task."""
    (pack.folder / "task.json").write_text(json.dumps(task))
    pack.record["files"]["task.json"] = {"sha256": hash_file(pack.folder / "task.json"), "bytes": 1}


def shared(pack, out):
    told = export.form("shared").write(pack, out)
    return out, told


def test_what_quotes_the_documents_stays_at_home(tmp_path):
    out, told = shared(small_pack(tmp_path / "pack", rows=ROWS), tmp_path / "out")
    assert manifest.faults(out) == []
    kept = {"model.gguf", "vocabulary.json", "card.md", "ledger.jsonl", "netsuke.json"}
    assert {p.name for p in out.iterdir()} == kept
    everything = b"".join(p.read_bytes() for p in out.iterdir())
    assert b"a letter of mine" not in everything and b"Ada" not in everything
    assert manifest.read(out)["left_out"] == ["shots.jsonl"]
    assert "shots.jsonl" in told[0] and any("rare word" in line for line in told[1:])
    assert "## Shared" in (out / "card.md").read_text() and "word for word" in (out / "card.md").read_text()


def test_a_task_is_shared_with_its_instructions_and_says_so_and_without_what_was_left_out(tmp_path):
    pack = small_pack(tmp_path / "pack", rows=ROWS)
    task = {"kind": "labels", "system": "Sort letters.", "way": {"shots": 0}}
    teach(pack, task | {"left_out": [{"why": "its label is Ada's", "lines": [3]}], "bare": {"shots": 0}})
    out, told = shared(pack, tmp_path / "out")
    assert json.loads((out / "task.json").read_text()) == task
    assert any("the system message" in line for line in told) and manifest.faults(out) == []


SHOWING = {
    "kind": "labels", "labels": ["ham", "spam"], "left_out": [], "cut_to_fit": 0, "tuned": True,
    "examples": {"train": 40, "valid": 12, "test": 12},
    "tried": {"tuned": {"score": 0.61, "bits": 0.52}, "tuned" + SHOWN: {"score": 0.7, "bits": 0.4}},
    "way": {"shots": 4, "temperature": 2.0}, "bare": {"shots": 0, "temperature": 1.3},
}  # fmt: skip


def test_a_task_that_shows_examples_is_asked_without_them_as_it_was_settled_and_the_card_says_so(tmp_path):
    pack = small_pack(tmp_path / "pack", rows=ROWS)
    for name in ("card.md", "report.md"):
        (pack.folder / name).write_text("\n".join(words.task({"task": SHOWING, "scores": {"scores": []}})))
    (pack.folder / "report.json").write_text(json.dumps({"task": SHOWING}))
    pack.record["files"] |= {name: {"sha256": "0" * 64, "bytes": 1} for name in ("report.md", "report.json")}
    assert f"{share.HOLDS}40 examples" in (pack.folder / "card.md").read_text()
    teach(pack, SHOWING)
    out, told = shared(pack, tmp_path / "out")
    task = json.loads((out / "task.json").read_text())
    assert task["way"] == SHOWING["bare"] and json.loads((out / "report.json").read_text())["task"] == task
    for name in ("card.md", "report.md"):
        said = (out / name).read_text()
        assert share.HOLDS not in said and "shared without the 40 examples" in said
        assert "without, on valid: accuracy 61.0% and 0.52 bits a label." in said
    assert any("asked without any" in line for line in told) and manifest.faults(out) == []


@pytest.mark.parametrize(("task", "why"), [
    ({**SHOWING, "tuned": False}, "the body before tuning"),
    ({name: value for name, value in SHOWING.items() if name != "bare"}, "an older netsuke"),
])  # fmt: skip
def test_a_pack_that_knows_its_task_by_its_examples_alone_is_not_shared(tmp_path, task, why):
    pack = small_pack(tmp_path / "pack", rows=ROWS)
    teach(pack, task)
    with pytest.raises(RecipeError, match=why) as caught:
        shared(pack, tmp_path / "out")
    assert "netsuke make mine" in caught.value.hint


def reasons(home):
    """A reason of each kind: what people said, a signature, signals, the owner, the recipe and a licence."""
    hers = Source("in", "Ann Smith")
    ledger = Ledger(home / "ledger.db")
    for scope, about, word in (("owner", "Ann Smith", "in"), ("path", "divorce/*", "out")):
        ledger.decide_standing(scope, about, word, "her mail of 3 May, ann@example.org", "Ann Smith")
    said = [ledger.standing().of("Ann Smith", path, "a" * 64) for path in ("mine/a.txt", "divorce/a.txt")]
    signals = [{"kind": "robots.txt", "value": word, "where": "divorce/robots.txt"} for word in ("no", "yes")]
    yield from (decide(hers, standing=stand) for stand in said)
    yield decide(hers, agreement="Ann Smith (SHA256:abc, 2026-05-03)", signals=signals)
    yield from (decide(hers, signals=[one]) for one in signals)
    yield from (decide(Source("in", "Ann Smith", consent=word)) for word in ("in", "out"))
    yield from (decide(Source("in", owner, "MIT")) for owner in ("me", "Ann Smith"))


def test_no_reason_tells_who_decided_or_in_which_folder(tmp_path):
    decided = list(reasons(tmp_path))
    rows = [ROWS[0] | {"owner": "Ann Smith", "reason": one.reason, "decision": "in"} for one in decided]
    pack = small_pack(tmp_path / "pack", rows=rows)
    assert all(word in (pack.folder / "ledger.jsonl").read_text() for word in ("Ann Smith", "ann@", "divorce"))
    out, told = shared(pack, tmp_path / "out")
    everything = b"".join(path.read_bytes() for path in out.iterdir())
    assert not any(word in everything for word in (b"Ann Smith", b"ann@", b"divorce"))
    assert (out / "ledger.jsonl").read_text().count('"licence"') == len(decided)
    assert any("so are the reasons" in line for line in told)


def test_reports_are_shared_without_the_names_of_owners(tmp_path):
    pack = small_pack(tmp_path / "pack", rows=ROWS)
    (pack.folder / "report.md").write_text("# mine\n\n- licences, by files: MIT (2)\n- owners, by files: Ada (2)\n")
    report = {"name": "mine", "went_in": {"licences": {"MIT": {"files": 2}}, "owners": {"Ada": {"files": 2}}}}
    (pack.folder / "report.json").write_text(json.dumps(report))
    record = json.loads((pack.folder / "netsuke.json").read_text())
    record["files"] |= {name: {"sha256": "0" * 64, "bytes": 1} for name in ("report.md", "report.json")}
    out, _ = shared(export.Pack(pack.folder, record), tmp_path / "out")
    assert manifest.faults(out) == []
    assert (out / "report.md").read_text() == "# mine\n\n- licences, by files: MIT (2)\n"
    assert json.loads((out / "report.json").read_text())["went_in"] == {"licences": {"MIT": {"files": 2}}}


def test_owners_that_learnt_apart_are_shared_by_numbers_and_their_voices_stay_at_home(tmp_path):
    folder = voiced_pack(tmp_path / "pack", {"Ada": 0.5, "Bo": 0.5}, rows=ROWS)
    parts = [{"name": "Ada", "weight": 0.5}, {"name": "Bo", "weight": 0.5}]
    told = [{"name": "Ada", "weight": 0.5, "bytes": 1}, {"name": "Bo", "weight": 0.5, "bytes": 1}]
    (folder / "report.json").write_text(json.dumps({"learning": {"parts": parts}, "voices": told, "went_in": {}}))
    (folder / "report.md").write_text("| of | steps |\n|---|---|\n| Ada | 7 |\n| Bo | 9 |\n")
    record = json.loads((folder / "netsuke.json").read_text())
    record["files"] |= {name: {"sha256": "0" * 64, "bytes": 1} for name in ("report.md", "report.json")}
    out, told = shared(export.Pack(folder, record), tmp_path / "out")
    assert manifest.faults(out) == []
    everything = b"".join(path.read_bytes() for path in out.iterdir())
    assert b"Ada" not in everything and b"| owner 1 | 7 |\n| owner 2 | 9 |" in everything
    assert manifest.read(out)["left_out"] == ["shots.jsonl", "voice-1.gguf", "voice-2.gguf", "voices.json"]
    assert "voices.json" in told[0]
    apart = json.loads((out / "report.json").read_text())
    assert [row["name"] for row in apart["learning"]["parts"] + apart["voices"]] == ["owner 1", "owner 2"] * 2


def test_models_that_were_combined_keep_their_names(tmp_path):
    folder = voiced_pack(tmp_path / "pack", {"shop": 0.5}, rows=ROWS)
    learning = {"models": True, "parts": [{"name": "shop", "weight": 0.5}]}
    (folder / "report.json").write_text(json.dumps({"learning": learning}))
    record = json.loads((folder / "netsuke.json").read_text())
    record["files"]["report.json"] = {"sha256": "0" * 64, "bytes": 1}
    out, _ = shared(export.Pack(folder, record), tmp_path / "out")
    assert json.loads((out / "report.json").read_text())["learning"] == learning


def test_a_file_that_is_not_known_stays_at_home(tmp_path):
    pack = small_pack(tmp_path / "pack", rows=ROWS)
    (pack.folder / "search.db").write_text("everything")
    record = json.loads((pack.folder / "netsuke.json").read_text())
    record["files"]["search.db"] = {"sha256": "0" * 64, "bytes": 10}
    out, _ = shared(export.Pack(pack.folder, record), tmp_path / "out")
    assert not (out / "search.db").exists()
    assert manifest.read(out)["left_out"] == ["search.db", "shots.jsonl"]


def test_a_signature_goes_with_the_pack_and_not_with_the_shared_one(tmp_path):
    pack, keys = small_pack(tmp_path / "pack"), signing.own_keys(tmp_path / "home")
    (tmp_path / "sig").write_bytes(signing.signature(pack.folder, keys))
    whole = export.Pack(pack.folder, pack.record, tmp_path / "sig")
    export.form("folder").write(whole, tmp_path / "copy")
    assert signing.fault(tmp_path / "copy", tmp_path / "copy" / signing.FILE, keys.public) is None
    assert manifest.faults(tmp_path / "copy") == []
    out, _ = shared(whole, tmp_path / "out")
    assert not (out / signing.FILE).exists()


def test_what_changed_between_packs_is_said(tmp_path, store):
    one = small_pack(tmp_path / "one", rows=ROWS)
    moved = [{**ROWS[0], "split": "valid"}, {**ROWS[1], "hash": "c" * 64}]
    two = small_pack(tmp_path / "two", rows=moved, seed=1)
    record = json.loads((two.folder / "netsuke.json").read_text())
    record["measures"][0]["ours"] = 35e6
    record["documents"] = {"train": {"documents": 7, "bytes": 1}, "test": {"documents": 2, "bytes": 1}}
    record["chat_template_sha256"] = "d" * 64
    (two.folder / "netsuke.json").write_text(json.dumps(record))
    found = compare.compare(one.folder, two.folder, store)
    documents = found["documents"]
    assert (documents["came"], documents["went"], documents["moved"], documents["licence changed"]) == (1, 1, 1, 0)
    assert found["files"]["changed"] == ["ledger.jsonl", "model.gguf"]
    assert found["measures"][0]["change"] == -0.5 and found["settings"] is None
    text = compare.words(found)
    assert (documents["before"], documents["after"], documents["files before"]) == (0, 9, len(ROWS))
    assert f"documents  0 -> 9\nfiles      {len(ROWS)} -> 2: 1 came, 1 went, 1 moved" in text
    assert "1 came, 1 went, 1 moved" in text and "70.0 -> 35.0 MB (-50.0%)" in text and "template   CHANGED" in text
    write_rows(one.folder / "ledger.jsonl", [ROWS[0], {**ROWS[1], "split": "dropped"}])
    assert compare.compare(one.folder, two.folder, store)["documents"]["files before"] == 1
    same = compare.compare(one.folder, one.folder, store)
    assert same["bytes"]["same"] and same["files"] == {"added": [], "gone": [], "changed": []}
    assert "CHANGED" not in compare.words(same)


def told_by(folder, **runs):
    """A pack that names these runs."""
    pack = small_pack(folder, rows=ROWS)
    lineage = {step: {"key": one.run.key, "output": one.run.output} for step, one in runs.items()}
    (folder / "netsuke.json").write_text(json.dumps(pack.record | {"lineage": lineage}))
    return folder


def test_settings_are_compared_of_the_steps_that_both_name(tmp_path, store):
    carved, recalls = made(store, "carve", {}), [made(store, "recall", {}, of) for of in "ab"]
    older = told_by(tmp_path / "older", carve=carved)
    one, two = (told_by(tmp_path / f"{n}", carve=carved, recall=run) for n, run in enumerate(recalls))
    found = compare.compare(one, two, store)
    assert found["settings"] == [{"setting": "recall.of", "before": "a", "after": "b"}]
    assert "settings   1 changed, of carve, recall" in compare.words(found)
    found = compare.compare(older, two, store)
    assert (found["settings"], found["compared"]) == ([], ["carve"])
    assert "settings   none changed, of carve\n" in compare.words(found)
    elsewhere = compare.compare(one, two, Store(tmp_path / "other"))
    assert elsewhere["settings"] is None and "settings   not known" in compare.words(elsewhere)
