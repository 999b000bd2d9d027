"""Forgetting on a tiny base: the bytes of a build that never saw it, nothing to be found, and nothing else lost."""

from __future__ import annotations

import json
import shutil
import signal
from types import SimpleNamespace

import pytest
from forgetting import files_with, forget, make, pieces_of, silent
from material import HERS, SAID, copied, document, netsuke, whole_make, write_two_owners

from netsuke import loop, recipe, signing
from netsuke.consent.ledger import Ledger
from netsuke.curate.gather import gather
from netsuke.errors import ConsentError, RecipeError, StoreError
from netsuke.forget import erase, journal, pending, prove, receipt, run
from netsuke.forget.rests import rests
from netsuke.forget.scope import wanted
from netsuke.front import foretold, targets
from netsuke.reachability import verify
from netsuke.serve.models import Shipped
from netsuke.step import Local
from netsuke.store import Store


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder and a home, made once; nothing is forgotten there."""
    return whole_make(tmp_path_factory)


@pytest.fixture
def again(made, tmp_path):
    """(recipe, home) of a copy."""
    return copied(made, tmp_path / "copy")


def rows(store, name="documents.jsonl"):
    """The rows of a file of the data set of the pack that is named."""
    from netsuke.studio import shelf

    return shelf.find("notes", store).rows(name)


def one_of(store, split, owner="me"):
    """A row of documents.jsonl."""
    return next(row for row in rows(store) if row["split"] == split and row["owner"] == owner)


def plant(home, file, text):
    """Puts a text where a home may hold it beside the store; the paths."""
    quoted = json.dumps({"kind": "step", "text": f"before {text} behind"})
    found = {"makes/20260101000000-abcdef/events.jsonl": quoted, "pages/notes.html": f"<p>{text}</p>",
             "watched/notes/corrections/owner/a.jsonl": quoted, "tmp/part-1-a": text, "damaged/a": text,
             "material/dropped/other-name.md": file.read_text()}  # fmt: skip
    for name, said in found.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(said)
    return [home / name for name in found]


def never_saw(place, *gone):
    """Ref of the pack that a new home makes of the folder once these files are not there."""
    for name in gone:
        (place.parent / name).unlink()
    return make(place, Store(place.parent.parent / "never"))


# -- what comes of it --------------------------------------------------------------------------------------
@pytest.mark.slow
def test_a_held_out_document_is_forgotten_and_nothing_of_it_can_be_found(again):
    place, store = again
    row, before = one_of(store, "test"), store.named("packs", "notes")["ref"]
    told = pieces_of(place.parent / row["path"])
    planted = plant(store.root, place.parent / row["path"], told[0])
    assert all(files_with(store.root, text) for text in told)
    content = forget(store, "document", row["file"])
    (pack,) = content["packs"]
    assert pack["before"] == before and pack["after"] == store.named("packs", "notes")["ref"] != before
    assert content["searched"]["found"] == [] and content["searched"]["pieces"] >= 3
    assert [files_with(store.root, text) for text in told] == [[]] * len(told)
    assert not any(path.exists() for path in planted)
    assert {name.split("/")[0] for name in files_with(store.root, row["file"])} <= {"ledger.db", "receipts"}
    assert (place.parent / row["path"]).exists() and pending(store.root) == []
    assert verify(store) == [] and targets.pack_faults("notes", store)[0] == []
    assert not store.has(before) and Ledger(store.root / "ledger.db").verify() is None


@pytest.mark.slow
@pytest.mark.parametrize("split", ["test", "train"])
def test_the_bytes_are_those_of_a_build_that_never_saw_it(again, split):
    place, store = again
    row = one_of(store, split)
    (pack,) = forget(store, "document", row["file"])["packs"]
    assert never_saw(place, row["path"]) == pack["after"]


@pytest.mark.slow
def test_an_owner_is_forgotten_her_copy_comes_back_and_the_proof_says_so(again):
    place, store = again
    (place.parent / "his").mkdir()
    shutil.copyfile(place.parent / "hers" / f"letter-{HERS[0]}.md", place.parent / "his" / "copy.md")
    place.write_text(place.read_text().replace(SAID, SAID + SAID.replace("hers", "his").replace("Ann Smith", "Bob")))
    make(place, store)
    found = rests(wanted("owner", "ann  smith", store), store)
    (pack,) = found.packs
    assert pack.returning == ("copy.md",)  # her source is named first: hers stood for his
    staying = [d for d in found.documents if d.staying]
    assert [d.staying for d in staying] == [(("notes/his/copy.md", "Bob"),)]
    content = forget(store, "owner", "Ann Smith")
    assert "after" in content["packs"][0] and content["searched"]["found"] == []
    assert {r["owner"] for r in rows(store)} == {"me", "Bob"}
    kept = next(r for r in rows(store) if r["path"] == "copy.md")
    assert kept["split"] != "dropped" and store.has(kept["file"])
    for text in pieces_of(place.parent / "hers" / f"letter-{HERS[1]}.md"):
        assert files_with(store.root, text) == []
    assert "Ann" not in json.dumps(content) and "letter" not in json.dumps(content)
    (proof,) = prove.prove(content, store, silent)["proof"]
    assert proof["equal"] and proof["differs"] == []
    assert never_saw(place, *(f"hers/{p.name}" for p in (place.parent / "hers").iterdir())) == proof["here"]


@pytest.mark.slow
def test_a_copy_that_was_left_out_comes_back(again):
    place, store = again
    file = place.parent / "note-03.md"
    (place.parent / "z-longer.md").write_text(file.read_text() + "\n")  # the same text in other bytes
    make(place, store)
    stands = next(r for r in rows(store) if r["stands_for"])
    copy = stands["stands_for"][0]["path"]
    assert rests(wanted("path", f"notes/{stands['path']}", store), store).packs[0].returning == (copy,)
    content = forget(store, "path", f"notes/{stands['path']}")
    assert next(r for r in rows(store) if r["path"] == copy)["split"] != "dropped"
    assert never_saw(place, stands["path"]) == content["packs"][0]["after"]


def test_forgotten_twice_and_lifted(again, capsys):
    place, store = again
    row, text = one_of(store, "test"), place.read_text()
    place.unlink()  # so that nothing is made again here
    forget(store, "document", row["file"])
    place.write_text(text)
    found = rests(wanted("document", row["file"], store), store)
    assert (found.packs, found.earlier, found.copies) == ((), (), ())
    done = netsuke(store.root, "forget", "--document", row["file"][:12], "--yes")
    assert done.returncode == 0 and "forgotten since 20" in done.stdout, done.stderr
    ledger = Ledger(store.root / "ledger.db")
    with pytest.raises(ConsentError, match="is forgotten since"):
        ledger.decide_standing("document", row["file"], "in", "", "me")
    ledger.decide_standing("document", row["file"], "cleared", "", "me")
    data = loop.documents(recipe.load(place, loop.SECTIONS), place, store, loop.Local(store))
    assert row["path"] in store.path(data["documents.jsonl"]).read_text()


def test_what_a_make_read_before_it_was_refused_is_known_and_can_be_forgotten(tmp_path, store):
    place = write_two_owners(tmp_path)
    for file in place.parent.glob("note-*.md"):
        file.unlink()
    text = pieces_of(place.parent / "hers" / f"letter-{HERS[0]}.md")[0]
    with pytest.raises(RecipeError, match="at least 3 are needed"):
        make(place, store)
    assert files_with(store.root, text)
    forget(store, "owner", "Ann Smith")
    assert files_with(store.root, text) == []


def test_what_a_make_read_before_it_was_stopped_goes_too(again):
    place, store = again
    late = place.parent / "hers" / "late.md"
    late.write_text(document(90))
    gather(recipe.load(place, loop.SECTIONS), place, store, Local(store))  # and then it was stopped
    place.unlink()  # so that nothing is made again here
    texts = pieces_of(late)
    assert files_with(store.root, texts[0])
    content = forget(store, "path", "notes/hers")
    assert content["searched"]["found"] == [] and [files_with(store.root, text) for text in texts] == [[]] * len(texts)


def test_whatever_making_again_raises_does_not_hold_up_the_deletion(again, monkeypatch):
    place, store = again
    row = one_of(store, "test")
    text = pieces_of(place.parent / row["path"])[0]

    def full(*_, **__):
        raise RuntimeError(f"out of memory at {place}")

    monkeypatch.setattr(loop, "make", full)
    content = forget(store, "document", row["file"])
    assert content["packs"][0]["withdrawn"] == "making it failed (RuntimeError)"
    assert str(place) in content["why"]["notes"]
    assert pending(store.root) == [] and files_with(store.root, text) == []


def asked(store, *words):
    """What `netsuke forget` with these words comes to, in this process: click's result."""
    from click.testing import CliRunner

    from netsuke.cli.forgetting import forget as command

    return CliRunner(env={"NETSUKE_HOME": str(store.root)}).invoke(command, [*words])


def test_a_dry_run_alone_lists_what_is_pending_and_does_nothing(again):
    place, store = again
    assert "nothing is pending" in asked(store, "--dry-run").output
    begun = journal.begun("owner", wanted("owner", "Ann Smith", store).targets, "", "me", False)
    begun.save(store.root)
    before = store.named("packs", "notes")
    told = asked(store, "--dry-run").output
    assert f"{begun.id}: owner Ann Smith; asked by me" in told and "netsuke forget finishes it" in told
    (row,) = json.loads(asked(store, "--dry-run", "--json").output)
    assert row["id"] == begun.id and row["targets"] == [{"scope": "owner", "value": "Ann Smith"}]
    assert pending(store.root) == [begun.id] and store.named("packs", "notes") == before
    assert not (store.root / "receipts").exists()


def test_what_was_found_and_not_deleted_is_told_until_it_is(again):
    place, store = again
    row, left = one_of(store, "test"), store.root / "exports" / "mine.txt"
    left.parent.mkdir(exist_ok=True)
    left.write_text(pieces_of(place.parent / row["path"])[0])
    place.unlink()  # so that nothing is made again here
    words = ("--document", row["file"], "--yes")
    for _ in range(2):
        done = asked(store, *words)
        assert isinstance(done.exception, StoreError) and "exports/mine.txt" in done.exception.what
        assert "nothing here rests on it" not in done.output
    done = asked(store, *words, "--prove")
    assert isinstance(done.exception, StoreError) and "no pack was made again" in done.exception.what
    left.unlink()
    done = asked(store, *words)
    assert done.exit_code == 0 and "nothing here rests on it" in done.output


def test_what_is_forgotten_already_is_proved_where_that_is_asked(again, monkeypatch):
    from netsuke.cli import forgetting

    place, store = again
    row = one_of(store, "test")
    text = place.read_text()
    place.unlink()
    content = forget(store, "document", row["file"])
    place.write_text(text)
    content["packs"][0] |= {"after": "a" * 64}  # as if it had been made again
    receipt.write(store, {name: value for name, value in content.items() if name != "about"})
    proved = []
    monkeypatch.setattr(forgetting, "_with_proof", lambda one, store: proved.append(one["id"]) or one)
    assert asked(store, "--document", row["file"], "--prove", "--dry-run").exit_code == 0 and not proved
    done = asked(store, "--document", row["file"], "--prove")
    assert done.exit_code == 0 and proved == [content["id"]] and "is aaaaaaaaaaaa now" in done.output


def test_gc_waits_for_a_withdrawal(again):
    place, store = again
    row = one_of(store, "test")
    begun = journal.begun("document", wanted("document", row["file"], store).targets, "", "me", False)
    begun.save(store.root)
    done = netsuke(store.root, "gc")
    assert done.returncode == 6 and "netsuke forget finishes it" in done.stderr
    assert netsuke(store.root, "gc", "--dry-run").returncode == 0


# -- what is not made again --------------------------------------------------------------------------------
@pytest.mark.parametrize("why", [pytest.param("gates", marks=pytest.mark.slow), "recipe", "too few", "too little"])
def test_a_pack_that_cannot_be_made_again_is_withdrawn_and_its_bytes_are_gone(again, why):
    place, store = again
    row, before = one_of(store, "test"), store.named("packs", "notes")["ref"]
    kind, value = "document", row["file"]
    if why == "gates":
        place.write_text(place.read_text().replace("[gates]", "[gates]\ndomain = -0.99"))
    elif why == "recipe":
        place.unlink()
        (store.root / "odd.txt").write_text(pieces_of(place.parent / row["path"])[0] * 3)
    elif why == "too few":
        for file in place.parent.rglob("*.md"):
            if file != place.parent / row["path"]:
                file.write_text("There is one sentence here, and no more than that.\n")
    else:
        kind, value = "owner", "me"
        for number in HERS:
            (place.parent / "hers" / f"letter-{number}.md").unlink()
    content = forget(store, kind, value)
    (pack,) = content["packs"]
    told = {"gates": "held-out documents", "recipe": "its recipe is gone", "too few": "1 distinct document left",
            "too little": "no file to read"}[why]  # fmt: skip
    assert told in content["why"]["notes"] and "after" not in pack
    kept = (store.root / "receipts" / f"{content['id']}.json").read_text()
    assert pack["withdrawn"] in kept and told not in kept and str(place.parent) not in kept
    assert store.names("packs") == [] and Shipped(store).names() == [] and not store.has(before)
    left = ["odd.txt"] if why == "recipe" else []  # no file of ours: it is named, and stays
    assert content["searched"]["found"] == left
    (store.root / "odd.txt").unlink(missing_ok=True)
    for text in pieces_of(place.parent / row["path"]):
        assert files_with(store.root, text) == []


@pytest.mark.slow
def test_another_model_that_never_had_it_stays_as_it_is(again):
    place, store = again
    row = one_of(store, "test")
    other = place.parent.parent / "other" / "netsuke.toml"
    shutil.copytree(place.parent, other.parent)
    (other.parent / row["path"]).write_text(document(77))
    other.write_text(other.read_text().replace('name = "notes"', 'name = "other"'))
    make(other, store)
    before = store.named("packs", "other")
    content = forget(store, "path", f"notes/{row['path']}")
    assert [pack["name"] for pack in content["packs"]] == ["notes"]
    assert store.named("packs", "other") == before and verify(store) == []
    assert all(line.cached for line in foretold.plan(recipe.load(other, loop.SECTIONS), other, store))


# -- bad input ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--owner", "Ann Smth"), "did you mean 'Ann Smith'?"),
        (("--path", "notes/nothing"), "no document lies at"),
        (("--document", "0" * 64), "no document has the hash"),
        (("--document", "xyz"), "not a hash"),
        (("--source", "notes:7"), "hint: its sources: 0 (path "),
        (("--source", "nots:0"), "no folder, recipe or model 'nots'"),
        (("--owner", "Ann Smith"), "add --yes"),
        (("--owner", "a", "--path", "b"), "give one of"),
        (("--prove", "2026"), "no receipt '2026'"),
        (("--owner", "Ann Smith", "--receipts"), "give one, and alone"),
        (("--owner", "Ann Smith", "--revocations", "x.json"), "give one, and alone"),
        (("--dry-run", "--revocations", "x.json"), "--dry-run writes nothing"),
        (("--dry-run", "--prove", "2026"), "--dry-run writes nothing"),
    ],
)
def test_what_is_typed_wrong_is_named_and_nothing_is_lost(made, words, told, command):
    done = command(made / "home", "forget", *words)
    assert done.returncode and told in done.stderr
    store = Store(made / "home")
    assert pending(store.root) == [] and store.names("packs") == ["notes"] and not (store.root / "receipts").exists()


@pytest.mark.parametrize("words, told", [
    (("--receipts", "--revocations", "x.json"), "give one, and alone"),
    (("--receipts", "--prove", "2026"), "give one, and alone"), (("--receipts", "--prove"), "give one, and alone"),
    (("--owner", "Ann Smith", "--prove", "2026"), "--prove RECEIPT is about what was forgotten before"),
])  # fmt: skip
def test_what_would_not_be_heeded_is_refused(tmp_path, monkeypatch, words, told, command):
    monkeypatch.chdir(tmp_path)
    done = command(tmp_path / "home", "forget", *words)
    assert done.returncode == 2 and told in done.stderr and not (tmp_path / "x.json").exists()


@pytest.mark.parametrize(("places", "said"), [(1, "2 documents to forget:"), (2, "2 documents in 4 places to forget:")])
def test_copies_are_places_and_no_documents(places, said):
    from netsuke.cli.forgetting import told

    documents = [SimpleNamespace(hash=str(n) * 64, packs=[], places=[(f"{n}{p}.md", "me") for p in range(places)],
                                 staying=[]) for n in range(2)]  # fmt: skip
    found = SimpleNamespace(documents=documents, unread=0, packs=[], earlier=[], bases=[], copies=[])
    assert told(found).startswith(said)


def test_a_dry_run_shows_what_rests_on_it_and_changes_nothing(made, command):
    before = {path: path.stat().st_mtime_ns for path in (made / "home").rglob("*") if path.is_file()}
    asked = made / "home", "forget", "--source", "notes:1", "--dry-run"
    value, text = json.loads(command(*asked, "--json").stdout), command(*asked).stdout
    assert value["targets"] == [{"scope": "path", "value": "notes/hers"}] and len(value["documents"]) == len(HERS)
    assert value["packs"][0]["name"] == "notes" and "adapter" in value["packs"][0]["parts"] and value["seconds"] > 0
    assert "2 documents to forget" in text and "search index" in text and "are skipped from now on" in text
    changed = {p for p, at in before.items() if p.stat().st_mtime_ns != at}
    assert {p.name.split("-")[0] for p in changed} <= {"ledger.db"}


# -- receipts ----------------------------------------------------------------------------------------------
def test_a_pack_that_was_handed_out_is_told_by_the_receipt(again, tmp_path, monkeypatch):
    place, store = again
    row = one_of(store, "train")
    away = tmp_path / "away"
    shutil.copytree(store.path(store.named("packs", "notes")["ref"]), away)
    place.unlink()  # so that nothing is made again: this test is about the receipt
    content = forget(store, "document", row["file"])
    file = store.root / "receipts" / f"{content['id']}.json"
    assert receipt.withdrawn(away, file, store.root, None).startswith("withdrawn: asked")
    assert receipt.withdrawn(away / "model.gguf", file, store.root, None)
    (tmp_path / "all.json").write_bytes(receipt.revocations(store))
    assert receipt.withdrawn(away, tmp_path / "all.json", store.root, None)
    stranger = Store(tmp_path / "stranger")
    with pytest.raises(StoreError, match="not by your key"):
        receipt.withdrawn(away, file, stranger.root, None)
    public = store.root / "keys" / "signing.pub.pem"
    assert receipt.withdrawn(away, file, stranger.root, public)
    done = netsuke(stranger.root, "verify", str(away), "--revoked", str(file), "--key", str(public))
    assert done.returncode == 6 and "withdrawn: asked" in done.stdout, done.stderr
    whole = file.read_bytes()
    changed = json.loads(whole)
    changed["content"]["packs"] = []
    file.write_text(json.dumps(changed))
    for look in (lambda: receipt.withdrawn(away, file, store.root, None), lambda: list(receipt.every(store))):
        with pytest.raises(StoreError, match="not as it was signed"):
            look()
    file.write_bytes(whole)
    (stranger.root / "receipts").mkdir()
    shutil.copyfile(file, stranger.root / "receipts" / file.name)
    with pytest.raises(StoreError, match="not by your key"):  # its ledger knows nothing of that
        receipt.revocations(stranger)
    signing.keys_in(store.root).secret.unlink()
    signing.own_keys(store.root)  # another key from now on: the receipts of this home are still its own
    assert receipt.find(store, content["id"])["packs"] == content["packs"]
    (tmp_path / "all.json").write_bytes(receipt.revocations(store))
    assert receipt.withdrawn(away, tmp_path / "all.json", store.root, None)
    (away / "card.md").write_text("other")
    (away / "model.gguf").write_bytes(b"other")
    assert receipt.withdrawn(away, tmp_path / "all.json", store.root, None) is None


# -- ended anywhere ----------------------------------------------------------------------------------------
class Killed(BaseException):
    """What stands for the end of the program here."""


class Ends:
    """Counts what changes the home while something is forgotten, and ends the program at one of these moments."""

    def __init__(self, at):
        self.at, self.count = at, 0

    def strike(self):
        self.count += 1
        if self.count == self.at:
            raise Killed

    def around(self, function):
        def call(*args, **kwargs):
            self.strike()
            done = function(*args, **kwargs)
            self.strike()
            return done

        return call

    def patch(self, patch):
        for owner, name in ((journal.Journal, "save"), (journal.Journal, "end"), (Store, "unname"), (Store, "name"),
                            (Ledger, "decide_standing"), (receipt, "write"), (erase, "_tidy")):  # fmt: skip
            patch.setattr(owner, name, self.around(getattr(owner, name)))
        real = erase._delete

        def some(paths):
            paths = list(paths)
            real(paths[: len(paths) // 2])
            self.strike()
            real(paths)

        patch.setattr(erase, "_delete", some)


def is_safe(store, before):
    """Once the ledger has its row, the old pack has no name."""
    standing = Ledger(store.root / "ledger.db").standing().forgotten
    if standing.rows:
        assert Shipped(store).stamp("notes") != before
    if not pending(store.root):
        assert Shipped(store).stamp("notes") == before or not store.has(before)


@pytest.mark.slow
@pytest.mark.timeout(230)
@pytest.mark.parametrize("rebuilt", [False, True])
def test_ended_at_any_moment_it_is_pending_or_done_and_the_next_command_finishes_it(made, tmp_path, rebuilt):
    texts, seen = [], 0
    for at in range(1, 60, 3 if rebuilt else 1):
        place, store = copied(made, tmp_path / f"{at}")
        row, before = one_of(store, "test"), store.named("packs", "notes")["ref"]
        texts = texts or pieces_of(place.parent / row["path"])
        if not rebuilt:
            place.unlink()
        with pytest.MonkeyPatch.context() as patch:
            ends = Ends(at)
            ends.patch(patch)
            try:
                forget(store, "document", row["file"])
            except Killed:
                pass
            else:
                break
        is_safe(store, before)
        begun = bool(pending(store.root))
        run.finish(store, silent)
        if not begun and not [*(store.root / "receipts").glob("*.json")]:  # it ended before anything was written
            assert store.named("packs", "notes")["ref"] == before
            continue
        seen += 1
        after = (store.named("packs", "notes") or {"ref": None})["ref"]
        assert after != before and bool(after) == rebuilt and not store.has(before) and pending(store.root) == []
        assert [files_with(store.root, text) for text in texts] == [[]] * len(texts)
        assert verify(store) == [] and [*receipt.every(store)][0]["searched"]["found"] == []
        shutil.rmtree(tmp_path / f"{at}")
    assert seen > (6 if rebuilt else 16)


KILL = """
import os, signal
from netsuke.forget import run
stages = list(run.STAGES)
def last(work):
    os.kill(os.getpid(), signal.SIGKILL)
run.STAGES = (*stages[:{after}], last)
"""


@pytest.mark.slow
@pytest.mark.parametrize("after", [0, 1, 2, 3])
def test_killed_between_stages_nothing_old_is_served_and_the_next_command_finishes(made, tmp_path, after):
    place, store = copied(made, tmp_path / "copy")
    row, before = one_of(store, "test"), store.named("packs", "notes")["ref"]
    words = ("forget", "--document", row["file"], "--yes", "--reason", "she asked", "--by", "me")
    done = netsuke(store.root, *words, prelude=KILL.format(after=after))
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert pending(store.root)
    assert after == 0 or Shipped(store).stamp("notes") != before
    told = netsuke(store.root, "list")
    assert "a withdrawal is pending since 20" in told.stderr
    done = netsuke(store.root, "forget", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)[0]["packs"][0]["before"] == before
    is_safe(store, before)
    assert "nothing is pending" in netsuke(store.root, "forget").stdout


IN_REBUILD = """
import os, signal
from netsuke.front import show
def watch(self, step, progress):
    if step.startswith("tune") and progress.count:
        os.kill(os.getpid(), signal.SIGKILL)
show.Watcher.__call__ = watch
"""


@pytest.mark.slow
def test_killed_while_a_pack_is_made_again_it_is_pending_and_the_next_command_makes_the_same_bytes(made, tmp_path):
    place, store = copied(made, tmp_path / "copy")
    row = one_of(store, "train")
    done = netsuke(store.root, "forget", "--document", row["file"], "--yes", prelude=IN_REBUILD)
    assert done.returncode == -signal.SIGKILL, done.stderr
    (begun,) = pending(store.root)
    assert Ledger(store.root / "ledger.db").standing().forgotten.rows and Shipped(store).names() == []
    assert begun in netsuke(store.root, "forget", "--dry-run").stdout
    assert "a withdrawal is pending since 20" in netsuke(store.root, "list").stderr
    done = netsuke(store.root, "forget", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)[0]["packs"][0]["after"] == never_saw(place, row["path"])
    assert pending(store.root) == [] and verify(store) == []


def test_what_a_journal_says_survives_the_disk(tmp_path):
    begun = journal.begun("owner", (), "because", "me", True)
    begun.packs = [journal.Affected("notes", "a", "b", "c", ["d"], ["e"])]
    begun.save(tmp_path)
    assert journal.read(tmp_path, begun.id) == begun and pending(tmp_path) == [begun.id]
    (tmp_path / "forgetting" / f"{begun.id}.json").write_text("{")
    with pytest.raises(StoreError, match="cannot be read"):
        journal.read(tmp_path, begun.id)
    begun.end(tmp_path)
    assert pending(tmp_path) == []


def test_what_was_combined_is_made_again_behind_its_parents():
    orders = {"both": ["ann", "bob"], "all": ["both", "cy"], "bob": [], "ann": [], "other": ["gone"]}
    made = [journal.Affected(name, "", "", "", order) for name, order in orders.items()]
    assert [pack.name for pack in run.parents_first(made)] == ["bob", "ann", "other", "both", "all"]
