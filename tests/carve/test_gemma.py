"""Another family with another tokenizer through the whole of carving, tuning and writing; what stays is said."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from material import document
from tiny_gemma import CONTROLS, DEFINED, LETTERS, PIECES, tiny_gemma, tokens
from tokenizers import Tokenizer

from netsuke import carve, combine, tune
from netsuke.carve import vocabulary
from netsuke.check.speed import LARGEST_GAP, agreement
from netsuke.engines import gguf, hf, sentencepiece, strict
from netsuke.engines import tokenizer as words
from netsuke.engines.llama import Engine
from netsuke.errors import BudgetError
from netsuke.front import show
from netsuke.nouns import Compute
from netsuke.step import Local
from netsuke.store import Store
from netsuke.texts.documents import read_texts, write_rows

COMPUTE = Compute(1, "float32")
ALPHABET = "".join({*"".join(PIECES), *LETTERS} - {"▁"}) + " \n漢</li>"


def carving(budget):
    return carve.carving(carve.Params(general="off", domain_cost=5.0, words="12"), budget, carve.FREE, COMPUTE)


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    """(executor, inputs of carve)."""
    place = tmp_path_factory.mktemp("gemma")
    (place / "model").mkdir()
    gguf.unpack(tiny_gemma(place / "base.gguf"), place / "model")
    (place / "model" / "about.json").write_text('{"name": "tiny", "licence": "Gemma"}')
    local = Local(Store(place / "home"))
    for part, numbers in (("train", range(4)), ("valid", [4]), ("general", [5])):
        write_rows(place / f"{part}.jsonl", [{"text": document(n)[:400]} for n in numbers])
    texts = {part: local.store.add_file(place / f"{part}.jsonl") for part in ("train", "valid", "general")}
    return local, {"model": local.store.add_folder(place / "model"), **texts}


@pytest.fixture(scope="module")
def full(room):
    """tokenizer.json of the base."""
    local, inputs = room
    return json.loads((local.store.path(inputs["model"]) / "tokenizer.json").read_text())


@pytest.fixture(scope="module")
def carved(room):
    local, inputs = room
    return local.run(carve.carve, carving(0), **inputs)


def encoder(document):
    found = Tokenizer.from_str(json.dumps(document))
    found.encode_special_tokens = True
    return found


# -- the tokenizer ---------------------------------------------------------------------------------------
def test_a_piece_has_the_last_join_that_text_makes_it_by():
    scores = {piece: -float(place) for place, piece in enumerate((*PIECES, *LETTERS))}
    assert sentencepiece.last_join("they", scores) == ("t", "hey")  # not the and y: hey has the better score
    assert sentencepiece.last_join("▁the", scores) == ("▁t", "he")
    assert sentencepiece.last_join("and", scores) == ("an", "d")
    assert sentencepiece.last_join("nev", scores) is None
    merged = sentencepiece.merges(scores)
    order = [left + right for left, right in merged]
    assert order == [piece for piece in PIECES if piece in order] and "nev" not in order


def test_what_no_text_comes_to_and_what_is_spare_is_never_said(full):
    names = tokens()[0]
    said = {names[i] for i in words.never_said(full)}
    assert said == {"nev", "<unused0>", "<unused1>"} | {p for p in PIECES if p not in reached(full)}
    kept = {names[i] for i in words.always_kept(full)}
    assert kept == {*CONTROLS, *DEFINED, "▁", *(f"<0x{byte:02X}>" for byte in range(256))} - {"<unused0>", "<unused1>"}


def reached(document):
    return {left + right for left, right in document["model"]["merges"]}


def test_words_in_a_script_that_is_not_used_are_not_common():
    pieces = ["the", "он", "και", "7", "ό", "über"]
    document = {"model": {"vocab": {piece: place for place, piece in enumerate(pieces)}}}
    assert sentencepiece.foreign(document, [0, 3]) == {1, 2, 4}
    assert sentencepiece.foreign(document, [1]) == {2, 4}
    assert sentencepiece.foreign(document, [2] + [0] * 200) == {1, 2, 4}  # one word of it is no text in it


@settings(max_examples=60, deadline=None)
@given(text=st.text(ALPHABET, max_size=60), kept=st.text(ALPHABET, max_size=60))
def test_kept_text_is_tokenised_as_before_and_other_text_round_trips(full, text, kept):
    whole = encoder(full)
    used = whole.encode(kept, add_special_tokens=False).ids
    keep = vocabulary.closed(full, used)
    small = encoder(vocabulary.trimmed(full, keep))
    assert [keep[i] for i in small.encode(kept, add_special_tokens=False).ids] == used
    assert small.decode(small.encode(text, add_special_tokens=False).ids, skip_special_tokens=False) == text


# -- the chain -------------------------------------------------------------------------------------------
def test_it_is_carved_tuned_and_written_as_a_file_that_llama_cpp_reads_alike(room, carved):
    local, inputs = room
    store = local.store
    choice = json.loads(store.path(carved["choice.json"]).read_text())
    names = tokens()[0]
    kept = [names[i] for i in json.loads(store.path(carved["vocabulary.json"]).read_text())["kept"]]
    assert choice["tokens"] == len(kept) < len(names) and "<unused0>" not in kept
    assert choice["dropped"] == [] and "sixth layer" in choice["not_carved"]
    assert f"All layers stayed: {choice['not_carved']}." in show.carved(choice, 1)

    body = carved.folder("model")
    material = {part: inputs[part] for part in ("train", "valid", "general")}
    training = tune.training(tune.settled(tune.Params(), COMPUTE), 0.01, tune.Speed(2000, 2000), carve.FREE, 0, COMPUTE)
    trained = local.run(
        tune.tune, training, model=body, base=inputs["model"], choice=carved["choice.json"],
        vocabulary=carved["vocabulary.json"], **material,
    )  # fmt: skip
    merged = local.run(combine.combine, None, model=body, adapter=trained.ref)
    quantising = carve.Quantising("tiny", 0, COMPUTE)
    made = local.run(carve.quantise, quantising, model=merged.ref, choice=carved["choice.json"], **material)
    file, folder = store.path(made["model.gguf"]), store.path(merged.ref)
    assert strict.require_sound(file).tokens == choice["tokens"]
    assert abs(file.stat().st_size - choice["bytes"]) < 0.1 * choice["bytes"]
    text = "\n\n".join(read_texts(store.path(inputs["general"])))
    with Engine(file, threads=1) as engine:
        assert engine.tokenize(text, special=False) == hf.open_texts(folder, [text])[0].ids[1:]
        gaps = agreement(engine, file, folder, text)
    assert sum(gaps) / len(gaps) < LARGEST_GAP


def test_a_budget_that_needs_layers_says_that_they_stay(room):
    local, inputs = room
    with pytest.raises(BudgetError, match="all layers stay: every sixth"):
        local.run(carve.carve, carving(40_000), **inputs)


# -- the strict reader -----------------------------------------------------------------------------------
@pytest.mark.parametrize("what", ["a byte", "scores", "no number"])
def test_a_tokenizer_that_is_not_whole_is_named(room, tmp_path, monkeypatch, what):
    local, inputs = room
    honest = words.to_gguf

    def damaged(*given):
        fields = honest(*given)
        if what == "a byte":
            place = fields["tokenizer.ggml.tokens"].index("<0x41>")
            fields["tokenizer.ggml.token_type"][place] = 1
        elif what == "scores":
            del fields["tokenizer.ggml.scores"][-1]
        else:
            fields["tokenizer.ggml.scores"][3] = float("nan")
        return fields

    monkeypatch.setattr(words, "to_gguf", damaged)
    gguf.write(local.store.path(inputs["model"]), tmp_path / "bad.gguf", gguf.plan_types("Q8_0"))
    says = {"a byte": "byte 65 has no token", "scores": "scores for", "no number": "score of token 3 is not a number"}
    with pytest.raises(strict.EngineError, match=says[what]):
        strict.require_sound(tmp_path / "bad.gguf")
