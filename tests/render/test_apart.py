"""Each owner's part of a dataset is the same bytes, whoever else is there and wherever their files lie."""

import json

from hypothesis import given
from hypothesis import strategies as st

from netsuke.render import apart
from netsuke.texts.documents import SPLITS, read_rows, write_rows
from netsuke.tune.units import divided, seed_of

LONG = "a line of some words that goes on. " * 40
OWNERS = st.lists(st.sampled_from(["me", "Bea", "Carlo", "Dora"]), min_size=1, max_size=9)


def document(owner, text, source=0):
    return {"owner": owner, "text": text, "source": source, "path": f"{source}/x.txt", "hash": text[:4]}


def example(owner, text, split, source=0):
    return {"owner": owner, "source": source, "path": "t.csv", "line": 3, "text": text, "label": "x", "split": split}


def dataset(folder, documents, examples=()):
    (folder / "examples").mkdir(parents=True)
    for split in SPLITS:
        write_rows(folder / f"{split}.jsonl", documents.get(split, ()))
        write_rows(folder / "examples" / f"{split}.jsonl", [row for row in examples if row["split"] == split])
    return folder


def parts(folder, out):
    out.mkdir()
    rows = apart.write(folder, out)
    assert json.loads((out / apart.FILE).read_text()) == rows
    return {
        row["owner"]: {p.relative_to(out).name + p.parent.name[:3]: p.read_bytes()
                       for p in sorted((out / row["folder"]).rglob("*.jsonl"))}
        for row in rows
    }  # fmt: skip


@given(OWNERS, st.integers(0, 3))
def test_who_else_is_there_changes_no_byte(tmp_path_factory, owners, shift):
    room = tmp_path_factory.mktemp("apart")
    rows = [document(owner, f"{LONG}{number} of {owner}", owners.index(owner)) for number, owner in enumerate(owners)]
    whole = parts(dataset(room / "all", {"train": rows, "valid": rows}), room / "all-parts")
    for owner in set(owners):
        alone = [row | {"source": row["source"] + shift, "path": "moved"} for row in rows if row["owner"] == owner]
        only = parts(dataset(room / owner, {"train": alone, "valid": alone}), room / f"{owner}-parts")
        assert only == {owner: whole[owner]}


def test_an_owner_with_nothing_to_learn_from_has_no_part_and_little_valid_text_is_left_out(tmp_path):
    documents = {
        "train": [document("me", LONG), document(" ME ", LONG + "2"), document("Bea", "short")],
        "valid": [document("me", LONG), document("Bea", "too short to tell")],
        "test": [document("Carlo", LONG)],
    }
    asked = [example("Dora", "on fire", "train"), example("Dora", "on hold", "valid")]
    found = parts(dataset(tmp_path / "data", documents, asked), tmp_path / "out")
    assert sorted(found) == [" ME ", "Bea", "Dora"]
    folders = {name: tmp_path / "out" / apart.folder_of(name) for name in found}
    assert len(list(read_rows(folders[" ME "] / "train.jsonl"))) == 2
    assert folders[" ME "] == tmp_path / "out" / apart.folder_of("me")
    assert list(read_rows(folders["Bea"] / "valid.jsonl")) == []
    assert list(read_rows(folders["Dora"] / "examples" / "valid.jsonl")) == [
        {"line": 3, "split": "valid", "text": "on hold", "label": "x"}
    ]


def test_a_seed_is_of_who_it_is_and_epochs_of_what_they_share():
    assert seed_of(0, "Bea") == seed_of(0, " bea ") != seed_of(0, "Carlo")
    assert seed_of(0, "Bea") != seed_of(1, "Bea")
    from netsuke.tune import Speed

    speed = Speed(500.0, 2000.0)
    two, four = (divided(10, [350_000] * count, speed) for count in (2, 4))
    assert two.epochs > four.epochs > 0 and two.valid_bytes >= four.valid_bytes
    assert divided(10, [700_000], speed).epochs * 700_000 / 3.5 < 10 * 60 * 500
