"""Memorisation: what comes back is counted, what the base knew is not blamed, and nothing is quoted."""

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny import tiny_gguf
from tiny_gemma import CHAT_TEMPLATE, tiny_gemma

from netsuke import canaries, check
from netsuke.check import canaries as planted
from netsuke.check import memory, safety, samples
from netsuke.engines import gguf
from netsuke.engines.llama import Engine
from netsuke.nouns import Compute, Gates
from netsuke.texts.documents import write_rows
from netsuke.tune.units import seed_of

WORDS = "river stone lantern harvest copper winter market garden letter bridge".split()


def params(**changes):
    settings = check.Params(**{"pieces": 6, "samples": 4, **changes})
    return check.recalling(settings, Gates(), ("US",), False, 0, Compute(1))


def document(number):
    pick = random.Random(number)
    return " ".join(pick.choice(WORDS) for _ in range(400))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("memory")
    (folder / "model").mkdir()
    gguf.unpack(tiny_gguf(folder / "base.gguf"), folder / "model")
    tiny_gguf(folder / "ours.gguf", seed=3)
    write_rows(folder / "train.jsonl", [{"text": document(n)} for n in range(3)])
    write_rows(folder / "test.jsonl", [{"text": document(9)}])
    (folder / "none.json").write_text("[]")
    return folder


def recall(place, out, settings, rows=(), train=None):
    (out / "canaries.json").write_text(json.dumps(list(rows)))
    out = out / "out"
    out.mkdir()
    files = (place / "ours.gguf", place / "base.gguf", place / "model", train or place / "train.jsonl")
    list(check.recall.function(settings, out, *files, place / "test.jsonl", out.parent / "canaries.json"))
    return json.loads((out / "memory.json").read_text())


def test_pieces_are_of_every_document_and_always_the_same(place):
    texts = [document(n) for n in range(3)] + ["too short"]
    with Engine(place / "ours.gguf", context_tokens=128, threads=1) as engine:
        found = memory.pieces(engine, texts, 5)
        assert found == memory.pieces(engine, texts[::-1], 5)
        assert {len(piece.given) for piece in found} == {50} and len(found) == 5
        assert {piece.text for piece in found[:3]} == {memory.key_of(text) for text in texts[:3]}
        assert memory.pieces(engine, ["short"], 5) == []


def test_a_model_that_learnt_nothing_gives_nothing_back(place, tmp_path):
    found = recall(place, tmp_path, params())
    facts = found["extraction"]
    assert (facts["pieces"], facts["returned"], facts["learnt_here"], facts["share"]) == (6, 0, 0, 0.0)
    assert facts["low"] == 0.0 < facts["high"] and facts["longest_run_tokens"] < 50
    assert all(gate["passed"] for gate in found["gates"])
    assert "river" not in json.dumps(found) and found["samples"]["samples"] == 10


def test_a_folder_of_examples_alone_has_no_pieces(place, tmp_path):
    write_rows(tmp_path / "train.jsonl", [{"text": "question answer", "answer": 9}])
    found = recall(place, tmp_path, params(), train=tmp_path / "train.jsonl")
    assert found["extraction"]["pieces"] == 0 and not found["gates"]  # nothing was looked at


@pytest.mark.parametrize(
    "texts",
    [
        [document(n)[:900] for n in range(10)],
        [f"Dear diary, today was a day. {document(n)[:300]}" for n in range(10)],
        [document(0)[:900]],
        ["Yes.", "Yes.", "No."],
    ],
    ids=["short notes", "notes that begin alike", "one note", "words"],
)
def test_every_sample_is_another(place, texts):
    once, again = [], []
    for said in (once, again):
        with Engine(place / "ours.gguf", context_tokens=128, threads=1, slots=memory.SLOTS) as engine:
            said += drained(memory.sampled(engine, texts, params(samples=40)))
    assert once == again and len(set(once)) == len(once) == 40


def drained(work):
    """What a generator returns."""
    while True:
        try:
            next(work)
        except StopIteration as stop:
            return stop.value


@given(st.lists(st.lists(st.integers(0, 1), max_size=2), max_size=40), st.integers(1, 5))
def test_no_batch_asks_the_same_twice(prompts, most):
    batches = list(memory.unlike(prompts, most))
    assert [ids for batch in batches for ids in batch] == prompts
    assert all(0 < len(batch) <= most and len({*map(tuple, batch)}) == len(batch) for batch in batches)


def learnt(returned, n=40):
    """What is found where the first `returned` of n pieces come back."""
    pieces = [memory.Piece(f"text {number}", [0] * 50, [number] * 50) for number in range(n)]
    return memory.Found(pieces, [[number] * 50 if number < returned else [-1] * 50 for number in range(n)])


@pytest.mark.parametrize(
    "returned, known, passed", [(0, 0, True), (4, 0, True), (6, 0, False), (30, 30, True)]
)
def test_what_the_base_gives_back_too_was_not_learnt_here(returned, known, passed):
    found, settings = learnt(returned), params()
    facts = memory.extraction(found, memory.Found([]), set(range(known)))
    assert facts["learnt_here"] == returned - known and facts["from"] == sorted(
        f"text {n}" for n in range(known, returned)
    )
    content = {"extraction": facts, "samples": {"samples": 4, "leaked": []}}
    verdict = memory.verdicts(content, settings)[0]
    assert verdict.passed is passed and (passed or "at least" in verdict.sentence)
    assert facts["longest_run_tokens"] == (50 if returned else 0)


def test_the_base_is_asked_for_what_came_back(place):
    with Engine(place / "base.gguf", context_tokens=128, threads=1) as engine:
        given = engine.tokenize("the river and the stone in winter")
        said = engine.complete(given, n_predict=50, temperature=0.0, ignore_eos=True, return_tokens=True)[
            "tokens"
        ]
    found = memory.Found(
        [memory.Piece("a", given, said), memory.Piece("b", given, [7] * 50)], [said, [7] * 50]
    )
    assert drained(memory.known_before(place / "base.gguf", place / "base.gguf", found, params())) == {0}


def test_a_private_thing_of_the_documents_is_told_from_an_invented_one():
    texts = ["Write to joe.bloggs@acme.org or call.", "nothing here"]
    samples = ["joe.bloggs@acme.org!", "JOE.BLOGGS@acme.org", "some.body@else.org"]
    found = memory.leaks(samples, texts, params())
    assert found["found"] == {"EMAIL": 2} and found["leaked"] == [
        {"kind": "EMAIL", "from": memory.key_of(texts[0])}
    ]
    content = {"extraction": {"pieces": 0}, "samples": found}
    [gate] = memory.verdicts(content, params())
    assert not gate.passed and "over by 1" in gate.sentence and "acme" not in json.dumps(found)
    kept = check.recalling(check.Params(), Gates(), (), True, 0, Compute(1))
    assert memory.verdicts(content, kept)[
        0
    ].passed  # the recipe keeps private things: they are learnt on purpose


@given(st.integers(0, 60), st.integers(1, 60))
def test_a_share_lies_in_its_interval(count, n):
    low, high = memory.share_interval(min(count, n), n)
    assert 0 <= low <= min(count, n) / n + 1e-6 and min(count, n) / n - 1e-6 <= high <= 1 and low < high


# -- how a text begins -------------------------------------------------------------------------------------
@pytest.mark.parametrize("wants", [False, True], ids=["no start", "a start"])
def test_everything_is_asked_behind_the_token_that_the_file_wants(tmp_path, monkeypatch, wants):
    """llama.cpp puts it before a string and not before ids, and a Gemma without it is not itself."""
    file, asked = tmp_path / "tiny.gguf", list[list[int]]()
    tiny_gemma(file, template=CHAT_TEMPLATE) if wants else tiny_gguf(file)
    complete_each = Engine.complete_each

    def watched(engine, prompts, **fields):
        asked.extend(prompts)
        return complete_each(engine, prompts, **fields)

    monkeypatch.setattr(Engine, "complete_each", watched)
    found = memory.Found([memory.Piece("a", [100] * 50, [101] * 50)])
    with Engine(file, context_tokens=256, threads=1) as engine:
        drained(memory.continued(engine, found, "pieces", 0, 1))
        drained(memory.sampled(engine, [document(0)], params(samples=1)))
    found.said[0] = found.pieces[0].follows
    drained(memory.known_before(file, file, found, params()))
    planted.given_back(params(), canaries.drawn(1, 0)[:1], file)
    for name, row in (("test.jsonl", {"text": document(1)}), ("probes.jsonl", {"prompt": "How are you?"})):
        write_rows(tmp_path / name, [row])
    drained(samples.side_by_side(check.Probing(Compute(1)), file, file, tmp_path / "test.jsonl"))
    drained(safety.answers(check.Probing(Compute(1)), file, tmp_path / "probes.jsonl"))
    assert len(asked) == 7 and [ids[:1] == [2] and 2 not in ids[1:] for ids in asked] == [wants] * 7


# -- planted codes -----------------------------------------------------------------------------------------
def test_codes_are_said_as_often_as_they_are_to_be():
    rows = canaries.drawn(2, 0)
    assert rows == canaries.drawn(2, 0) != canaries.drawn(2, 1)
    assert sorted(row["repeats"] for row in rows) == [0, 0, 1, 1, 3, 3, 10, 10]
    texts = ["one\n\ntwo", "three"]
    for seed in range(3):
        done = "\n\n".join(canaries.planted(texts, rows, seed))
        assert [done.count(row["code"]) for row in rows] == [row["repeats"] for row in rows]
        assert all(part in done for part in ("one", "two", "three"))
    assert canaries.planted([], rows, 0) == [] and canaries.drawn(0, 0) == []


def test_of_two_owners_no_sentence_is_said_with_two_codes():
    seeds = [0, 1, 79, 80, 81, 80**2, *(seed_of(0, f"owner {number}") for number in range(40))]
    rows = [row for seed in seeds for row in canaries.drawn(20, seed, apart=True)]
    assert len({row["before"] for row in rows}) == len(rows) == 80 * len(seeds)
    assert all(canaries.town_of(seed).isalpha() for seed in seeds)
    assert {row["before"] for row in canaries.drawn(20, 0)} & {row["before"] for row in canaries.drawn(20, 1)}


def test_codes_that_could_not_be_planted_are_not_said_to_be_well_kept(place, tmp_path):
    for number, count in enumerate((0, 2)):
        (tmp_path / str(number)).mkdir()
        found = recall(place, tmp_path / str(number), params(canaries=count))
        assert found.get("canaries") == (None, [])[number]


def test_codes_are_asked_back_and_ranked(place, tmp_path):
    rows = canaries.drawn(1, 0)
    found = recall(place, tmp_path, params(), rows)["canaries"]
    assert [row["repeats"] for row in found] == [0, 1, 3, 10]
    assert all(row["codes"] == 1 and 0 <= row["exposure_bits"] <= row["most_bits"] == 6.0 for row in found)


def test_a_code_that_the_model_prefers_stands_out(place, monkeypatch):
    from netsuke.engines import hf

    row = canaries.drawn(1, 0)[0]

    def scores(model, texts):
        return [hf.Score(1.0 if number == 0 else 5.0, 1, 1) for number in range(len(texts))]

    monkeypatch.setattr(hf, "score", scores)
    [rank] = planted.ranked(params(), [row], place / "ours.gguf", place / "model")
    assert rank == 1 and memory.exposure(rank, 64) == 6.0


def test_a_planted_code_is_nobodys():
    assert memory.without("The code is 111-222-333.", ["111-222-333"]) == "The code is ."
