"""A trimmed vocabulary says kept text exactly as before, and round-trips everything else."""

import json
import os
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import tiny_gguf
from tokenizers import Tokenizer

from netsuke.carve import vocabulary
from netsuke.engines import gguf
from netsuke.engines import tokenizer as words

CORPUS = "the inner thing is in the other thinner there; ether then them. Über 123 → naïve\n\tend"


@pytest.fixture(scope="session")
def document(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiny")
    gguf.unpack(tiny_gguf(folder / "tiny.gguf"), folder)
    return json.loads((folder / "tokenizer.json").read_text())


@pytest.fixture(scope="session")
def rich(document):
    """A vocabulary with several hundred merges, learnt from a text by the tokenizers library itself."""
    from tokenizers import models, pre_tokenizers, trainers

    learner = Tokenizer(models.BPE())
    learner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=700, initial_alphabet=alphabet, special_tokens=["<|endoftext|>"],
                                  show_progress=False)  # fmt: skip
    from pathlib import Path

    import netsuke

    texts = [
        p.read_text() for p in sorted((Path(netsuke.__file__).parent / "general" / "valid").glob("*.txt"))
    ]
    learner.train_from_iterator(texts, trainer)
    learned = json.loads(learner.to_str())
    return {
        **document,
        "added_tokens": learned["added_tokens"],
        "model": {**document["model"], **learned["model"]},
    }


def cut(document, text, floor):
    full = Tokenizer.from_str(json.dumps(document))
    used = set(full.encode(text, add_special_tokens=False).ids)
    keep = vocabulary.closed(document, used | set(sorted(document["model"]["vocab"].values())[:floor]))
    return full, Tokenizer.from_str(json.dumps(vocabulary.trimmed(document, keep))), keep


@settings(max_examples=40, deadline=None)
@given(text=st.text(max_size=300), floor=st.integers(0, 700))
def test_kept_text_is_tokenised_as_before(rich, text, floor):
    full, small, keep = cut(rich, text, floor)
    before = full.encode(text, add_special_tokens=False).ids
    after = small.encode(text, add_special_tokens=False).ids
    assert [keep[i] for i in after] == before


@settings(max_examples=60, deadline=None)
@given(text=st.text(max_size=200))
def test_any_text_round_trips_through_a_deep_trim(rich, text):
    _, small, _ = cut(rich, CORPUS, 0)
    ids = small.encode(text, add_special_tokens=False).ids
    assert small.decode(ids, skip_special_tokens=False) == text


@settings(max_examples=40, deadline=None)
@given(floor=st.integers(0, 700))
def test_merges_are_closed_and_keep_their_order(rich, floor):
    _, _, keep = cut(rich, CORPUS, floor)
    model = vocabulary.trimmed(rich, keep)["model"]
    vocab = model["vocab"]
    assert sorted(vocab.values()) == list(range(len(vocab)))
    made = {a + b for a, b in model["merges"]}
    assert all(a in vocab and b in vocab and a + b in vocab for a, b in model["merges"])
    single = {t for t in vocab if len(t) == 1} | {t["content"] for t in rich["added_tokens"]}
    assert set(vocab) - single <= made
    order = [
        tuple(m) for m in words.merges_of(rich["model"]) if tuple(m) in {tuple(x) for x in model["merges"]}
    ]
    assert [tuple(m) for m in model["merges"]] == order


def test_special_tokens_and_bytes_are_always_kept(document):
    keep = vocabulary.closed(document, [])
    assert {t["id"] for t in document["added_tokens"]} <= set(keep)
    assert sum(len(t) == 1 for t, i in document["model"]["vocab"].items() if i in keep) == 256


def test_words_are_wanted_for_the_domain_and_for_being_common(rich):
    ids = sorted(rich["model"]["vocab"].values())
    likely = [0.0] * (max(ids) + 1)
    likely[ids[-1]], likely[ids[-2]] = 0.5, 0.25
    alone = vocabulary.by_expected_use(rich, likely, 0.0, [])
    assert alone[:2] == [ids[-1], ids[-2]] and sorted(alone) == ids
    both = vocabulary.by_expected_use(rich, likely, 0.5, [])
    assert both[:3] == [ids[-1], ids[-2], ids[0]]
    assert vocabulary.by_expected_use(rich, [0.0] * len(likely), 0.5, []) == ids


def twice_derived(document):
    """The same vocabulary with every token also derived in a second way, where its parts allow one."""
    model = document["model"]
    vocab, merges = model["vocab"], words.merges_of(model)
    known = {tuple(merge) for merge in merges}
    more = [
        [token[:at], token[at:]]
        for token in vocab
        for at in range(1, len(token))
        if token[:at] in vocab and token[at:] in vocab and (token[:at], token[at:]) not in known
    ]
    assert len(more) > 20
    return {**document, "model": {**model, "merges": [*merges, *more]}}


@settings(max_examples=30, deadline=None)
@given(text=st.text(alphabet="the inr ogsw.", max_size=200), floor=st.integers(0, 700))
def test_tokens_that_merges_derive_twice_are_kept_with_both_ways(rich, text, floor):
    full, small, keep = cut(twice_derived(rich), text, floor)
    before = full.encode(text, add_special_tokens=False).ids
    assert [keep[i] for i in small.encode(text, add_special_tokens=False).ids] == before


READ = """
import json, sys
from pathlib import Path
from netsuke.carve.shape import Words
from netsuke.engines.embedding import whole_words
folder = Path(sys.argv[1])
words = Words(folder, ["the inner thing"], [1.0] * 264, 1.0)
assert words.document == json.loads((folder / "tokenizer.json").read_bytes())
print(*whole_words(folder))
"""


@pytest.mark.slow  # a process of its own imports all of torch
def test_the_words_are_the_same_in_a_locale_that_is_not_utf8(document, tmp_path):
    gguf.unpack(tiny_gguf(tmp_path / "tiny.gguf"), tmp_path)
    locale = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    command = [sys.executable, "-c", READ, str(tmp_path)]
    assert subprocess.check_output(command, env=os.environ | locale, text=True).split() == ["the"]
