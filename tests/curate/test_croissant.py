"""The dataset's card: what mlcroissant, the reference implementation, says of it, and what it reads by it."""

import json
import subprocess
import sys

import pytest
from material import netsuke, write_material

READ = """
import json, sys, warnings
warnings.simplefilter("ignore")
import mlcroissant
dataset = mlcroissant.Dataset(jsonld=sys.argv[1])
issues = dataset.metadata.issues
splits = ("train", "valid", "test")
rows = {split: [row[f"{split}/path"].decode() for row in dataset.records(split)] for split in splits}
print(json.dumps({"errors": list(issues.errors), "warnings": list(issues.warnings), "rows": rows}))
"""


@pytest.mark.slow
def test_mlcroissant_reads_the_dataset_by_its_card(tmp_path):
    recipe = write_material(tmp_path / "notes")
    done = netsuke(tmp_path / "home", "curate", str(recipe.parent), "--to", str(tmp_path / "data"), "--json")
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    read = subprocess.run([sys.executable, "-c", READ, str(tmp_path / "data" / "croissant.json")],
                          capture_output=True, text=True)  # fmt: skip
    assert read.returncode == 0, read.stderr[-2000:]
    told = json.loads(read.stdout.splitlines()[-1])
    assert told["errors"] == [] and all("recommended" in warning for warning in told["warnings"])
    assert {split: len(rows) for split, rows in told["rows"].items()} == {
        split: part["documents"] for split, part in summary["splits"].items()}  # fmt: skip
    card = json.loads((tmp_path / "data" / "croissant.json").read_text())
    assert card["creator"] == [{"@type": "sc:Person", "name": "me"}]
    assert card["conformsTo"][1].endswith("RAI/1.0") and card["rai:personalSensitiveInformation"]
    names = {f"{name}.jsonl" for name in ("train", "valid", "test", "documents", "drops")}
    names |= {"summary.json", "croissant.json"}
    written = {
        p.relative_to(tmp_path / "data").as_posix() for p in (tmp_path / "data").rglob("*") if p.is_file()
    }
    assert written == names | {f"examples/{split}.jsonl" for split in ("train", "valid", "test")}


@pytest.fixture
def notes(tmp_path):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.md").write_text("Some words of mine.")
    return tmp_path / "notes"


def test_a_dataset_takes_the_place_of_nothing_but_one_of_before(store, notes, tmp_path, command):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "train.jsonl").write_text("mine")
    words = ("curate", str(notes), "--to", str(tmp_path / "data"))
    done = command(store.root, *words)
    assert done.returncode == 6 and "this folder is not empty" in done.stderr and "--force" in done.stderr
    assert (tmp_path / "data" / "train.jsonl").read_text() == "mine"
    for more in (("--force",), ()):  # the second time it is a dataset of before
        done = command(store.root, *words, *more)
        assert done.returncode == 0 and "written to" in done.stderr, done.stderr
        assert (tmp_path / "data" / "train.jsonl").read_text() != "mine"


def test_a_dataset_that_lies_in_its_material_is_not_read_with_it(store, notes, command):
    words = ("curate", str(notes), "--json")
    first = command(store.root, *words, "--to", str(notes / "data"))
    assert first.returncode == 0 and (notes / "data" / "documents.jsonl").exists()
    assert command(store.root, *words).stdout == first.stdout
    done = command(store.root, "curate", str(notes), "--to", str(notes))
    assert done.returncode == 6 and "this folder is not empty" in done.stderr


def test_what_was_left_out_is_told(tmp_path):
    recipe = write_material(tmp_path / "notes")
    (recipe.parent / "copy.md").write_text((recipe.parent / "note-03.md").read_text())
    (recipe.parent / "tickets.csv").write_text("text,label\nIt broke,bug\nHow do I start?,question\nthird\n")
    done = netsuke(tmp_path / "home", "curate", str(recipe.parent))
    assert done.returncode == 0, done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 80
    for told in (
        "exact duplicate",
        "copy.md",
        "tickets.csv: 2 of text + label, 1 bad",
        "languages",
        "own work",
    ):
        assert told in done.stdout, told
    again = (tmp_path / "home", "curate", str(recipe.parent))
    assert "note-03.md: of copy.md" in netsuke(*again, "--drops", "exact duplicate").stdout
    kept = netsuke(*again, "--set", 'curate.keep=["exact duplicate"]', "--json")
    assert json.loads(kept.stdout)["spared"]["exact duplicate"]["count"] == 1
    rows = json.loads(netsuke(tmp_path / "home", "consent", "--json").stdout)
    assert len(rows["documents"]) == 16
