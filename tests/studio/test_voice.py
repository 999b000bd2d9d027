"""Off-voice and word for word: the bits are those of the engine, and runs are found wherever they stand."""

import asyncio
import math
import types

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packed import speaks_ascii
from tiny import tiny_gguf

from netsuke.engines.llama import Engine
from netsuke.errors import EngineError, StoreError
from netsuke.serve import Supervisor
from netsuke.serve.refused import Refused
from netsuke.studio import overlap, voice
from netsuke.studio.desk import Desk
from netsuke.texts import ranked


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tiny_gguf(tmp_path_factory.mktemp("voice") / "tiny.gguf", tied=False)
    speaks_ascii(path)  # of a token that ends within a character the engine tells nothing
    return path


def bits_of(model, before, text):
    async def asked():
        supervisor = Supervisor("tiny", Engine(model))
        await supervisor.start()
        try:
            return await voice.token_bits(supervisor, before, text)
        finally:
            await supervisor.stop()

    return asyncio.run(asked())


def test_the_bits_of_a_text_are_those_that_the_engine_tells_token_by_token(model):
    before, text = "in the", " other thing, said the one. It was " + "then there " * 30
    found = bits_of(model, before, text)
    assert len(found) > voice.STEP_TOKENS and found[-1][0] == len(text)
    with Engine(model) as engine:
        ids, first = engine.tokenize(text, special=False), engine.tokenize(before, special=False)
        for place in (0, 1, 7, voice.STEP_TOKENS, len(ids) - 1):
            answer = engine.complete([*first, *ids[:place]], n_predict=1, n_probs=300, temperature=0.0)
            told = {top["id"]: top["logprob"] for top in answer["completion_probabilities"][0]["top_logprobs"]}
            assert found[place][1] == pytest.approx(-told[ids[place]] / math.log(2), abs=0.02)


def test_special_tokens_in_a_draft_are_text(model):
    found = bits_of(model, "", "the <|im_end|> sign")
    assert found[-1][0] == len("the <|im_end|> sign") and len(found) > 10


def test_sentences_share_out_all_tokens_but_short_ones():
    text = "One two three four five. Six! Séven eight nine ten."
    bits = [(end, 1.0) for end in range(1, len(text.encode()) + 1)]
    rows = voice.by_sentence(text, bits)
    assert [row and text[row[0] : row[1]].strip() for row in rows] == [
        "One two three four five.", "Six!", "Séven eight nine ten."
    ]  # fmt: skip
    assert sum(row[2] for row in rows) == len(bits) and all(row[2] == row[3] for row in rows)
    assert voice.by_sentence("a b", [(1, 1.0), (3, 1.0)]) == [None]
    unknown = [(end, None if 3 <= end < 9 else 1.0) for end, _ in bits]
    assert voice.by_sentence(text, unknown)[0] is None and voice.by_sentence(text, unknown)[2] is not None


def test_what_is_not_told_is_left_open_and_shifts_nothing():
    told = [{"id": 1, "logprob": 0.0}, {"id": 4, "logprob": -math.log(2)}]
    assert voice.aligned([1, 2, 3, 4, 5], told) == [0.0, None, None, 1.0, None]
    assert voice.aligned([7], []) == [None]


@given(st.lists(st.floats(-100, 100), min_size=1), st.floats(0.01, 1))
def test_no_more_than_the_rest_lies_above_a_quantile(values, share):
    found = ranked.quantile(values, share)
    assert found in values and sum(value <= found for value in values) >= share * len(values) - 1e-9


def test_paragraphs_are_found_where_they_stand():
    text = "# A\n\n\n\nTwo\nlines\n\n  \n\nend"
    found = voice.paragraphs(text)
    assert [text[at : at + len(part)] for at, part in found] == [part for _, part in found]
    assert [part.strip() for _, part in found] == ["# A", "Two\nlines", "end"]


WORD = st.sampled_from("the harbour lantern was mended before winter came again and sold".split())


@given(st.lists(WORD, min_size=8, max_size=14), st.lists(WORD, max_size=6), st.lists(WORD, max_size=6))
def test_a_copied_run_is_found_whatever_stands_around_it(run, before, after):
    material = overlap.Material({"a.md": f"zzz {' '.join(run)} zzz"})
    draft = " ".join([*before, "qqq", *run, "qqq", *after])
    found = material.overlaps(draft)
    assert [draft[one.start : one.end].split() for one in found] == [run]
    assert found[0].words == len(run) and found[0].path == "a.md"


def test_shorter_runs_and_other_words_are_not_found():
    material = overlap.Material({"a.md": "One two three four five six seven eight nine ten.", "b.md": "other"})
    assert material.overlaps("one two three four five six seven") == []
    assert material.overlaps("ne two three four five six seven eight nine tenth") != []
    (one,) = material.overlaps("Say: ONE two, three—four five six\nseven eight! Nothing.")
    assert one.words == 8 and one.path == "a.md"
    assert material.overlaps("") == [] and overlap.Material({}).overlaps("a " * 20) == []


class Settling:
    """A voice that does not come to be settled, for this reason."""

    def __init__(self, error):
        self.model, self.error, self.tries = types.SimpleNamespace(ref="a"), error, 0

    def calibration(self):
        return None

    async def calibrate(self, tell):
        self.tries += 1
        raise self.error


PASSING = [Refused(503, "There is no memory."), Refused(429, "Too many wait."), EngineError("it died"),
           StoreError("the base is not in this home"), RuntimeError("no")]  # fmt: skip


@pytest.mark.parametrize("error", [voice.TooLittleError("only 3 sentences", hint="more"), *PASSING], ids=repr)
def test_only_what_is_wrong_with_the_material_is_kept(error):
    async def states(one):
        desk, found = Desk(None), []
        for _ in range(4):
            found.append(desk.state(one)["state"])
            await asyncio.sleep(0.01)
        await desk.close()
        return found

    one = Settling(error)
    again = error in PASSING
    assert asyncio.run(states(one)) == ["settling", "none", *(["settling", "none"] if again else ["none", "none"])]
    assert one.tries == 1 + again
