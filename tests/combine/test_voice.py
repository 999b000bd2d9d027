"""Each parent as an adapter beside the model that they were merged to: the same bytes each time, and the same sum."""

import json

import numpy as np
import pytest
from drawn import drawn_adapter, tiny_body
from tiny import tiny_gguf

from netsuke import combine, voices
from netsuke.combine import merge
from netsuke.combine.methods import Dials
from netsuke.engines import gguf, strict
from netsuke.engines.llama import Engine
from netsuke.errors import EngineError

REFS = ("a" * 64, "b" * 64, "c" * 64)
NAMES = dict(zip(REFS, ("Carlo", "Bea", "me"), strict=True))
IDS = [*range(30, 60), 40, 70, 33]


@pytest.fixture(scope="module")
def body(tmp_path_factory):
    return tiny_body(tmp_path_factory.mktemp("voice") / "model")


@pytest.fixture(scope="module")
def parents(body, tmp_path_factory):
    """Two adapters, and a third parent that was changed as a whole."""
    room = tmp_path_factory.mktemp("parents")
    for seed, ref in enumerate(REFS[:2], 1):
        drawn_adapter(body, room / ref, seed, size=0.15)
    (room / REFS[2]).mkdir()
    merge.write(body, drawn_adapter(body, room / "third", 3), room / REFS[2])
    return room


def voiced(body, parents, out, weights, method="task"):
    """(voices, measures) of what the step wrote."""
    rows = [{"name": NAMES[ref], "ref": ref, "weight": weight} for ref, weight in weights.items()]
    out.mkdir()
    file = out.parent / f"{out.name}.json"
    file.write_text(json.dumps({"method": method, "parents": rows}))
    work = combine.voice.function(None, out, body, parents, file)
    while True:
        try:
            next(work)
        except StopIteration as end:
            return voices.read(out), {one.name: one.value for one in end.value}


def test_each_low_rank_parent_is_a_sound_adapter_with_the_same_bytes_each_time(body, parents, tmp_path):
    weights = dict.fromkeys(REFS, 0.5)
    found, measured = voiced(body, parents, tmp_path / "one", weights)
    assert found == (voices.Voice("Carlo", "voice-1.gguf", 0.5), voices.Voice("Bea", "voice-2.gguf", 0.5))
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert files == ["voice-1.gguf", "voice-2.gguf", "voices.json"]
    for one in found:
        strict.require_adapter(tmp_path / "one" / one.file, body.parent / "tiny.gguf")
    assert measured == {"voices": 2, "size": sum((tmp_path / "one" / one.file).stat().st_size for one in found)}
    voiced(body, parents, tmp_path / "two", weights)
    for name in files:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_a_voice_counts_what_its_parent_counts_in_the_sum(body, parents, tmp_path):
    given = {REFS[0]: 3.0, REFS[1]: 1.0}
    for method, counts in (("task", [3, 1]), ("linear", [0.75, 0.25]), ("ties", [0.75, 0.25]), ("dare", [0.75, 0.25])):
        found, _ = voiced(body, parents, tmp_path / method, given, method)
        assert [one.weight for one in found] == counts
    found, _ = voiced(body, parents, tmp_path / "less", {REFS[0]: -0.5, REFS[1]: 0.0})
    assert found == (voices.Voice("Carlo", "voice-1.gguf", -0.5),)  # who counts nothing has no voice
    assert voiced(body, parents, tmp_path / "whole", {REFS[2]: 1.0}) == ((), {"voices": 0, "size": 0})


@pytest.mark.parametrize("scales", [{"Bea": 0.0}, {"Carlo": 2.0}, {"Bea": 1.5, "Carlo": 0.25}])
def test_a_moved_voice_is_the_sum_with_that_weight(body, parents, tmp_path, scales):
    weights = {REFS[0]: 0.6, REFS[1]: 0.4}
    found, _ = voiced(body, parents, tmp_path / "voices", weights)
    moved = {ref: weight * scales.get(NAMES[ref], 1.0) for ref, weight in weights.items()}
    wanted, packed = (likely(merged(body, parents, tmp_path / name, given))
                      for name, given in (("moved", moved), ("packed", weights)))  # fmt: skip
    added = [{"id": n, "scale": scale} for n, scale in enumerate(voices.added(found, scales))]
    files = [tmp_path / "voices" / one.file for one in found]
    close = likely(tmp_path / "packed.gguf", files, lora=added)
    gap, step = np.abs(close - wanted).max(), np.abs(packed - wanted).max()
    assert gap < 0.05 * step  # the adapters are float16, and each merging is rounded to bfloat16


def merged(body, parents, out, weights):
    """The GGUF of the body with these weights of its parents merged in."""
    out.mkdir()
    merge.write_mixed(body, {ref: parents / ref for ref in weights}, weights, "task", Dials(), out)
    path = out.with_suffix(".gguf")
    gguf.write(out, path, gguf.plan_types("F16", "F16"))
    return path


def likely(model, files=(), **fields):
    """Log-probabilities of the 100 likeliest of a fixed set of next tokens, in their order."""
    with Engine(model, threads=1, voices=files) as engine:
        asked = {"n_predict": 1, "n_probs": 300, "temperature": 0.0, "grammar": r"root ::= [ -~\n]*"}
        answer = engine.complete(IDS, **asked, **fields)
    shown = {top["id"]: top["logprob"] for top in answer["completion_probabilities"][0]["top_logprobs"]}
    return np.array([shown.get(token, -30.0) for token in range(3, 103)])


def test_an_adapter_of_another_body_is_named(body, parents, tmp_path):
    other = tiny_gguf(tmp_path / "other.gguf", feed_forward=96)
    voiced(body, parents, tmp_path / "voices", {REFS[0]: 1.0})
    with pytest.raises(EngineError, match="changes no matrix of this model"):
        strict.require_adapter(tmp_path / "voices" / "voice-1.gguf", other)


def test_with_all_at_one_it_is_the_model_alone(body, parents, tmp_path):
    weights = {REFS[0]: 0.6, REFS[1]: 0.4}
    found, _ = voiced(body, parents, tmp_path / "voices", weights)
    path = merged(body, parents, tmp_path / "packed", weights)
    assert voices.added(found, {"Bea": 1.0}) == ()
    alone, beside = likely(path), likely(path, [tmp_path / "voices" / one.file for one in found])
    assert (alone == beside).all()
