"""Check: bits per byte from the files themselves, intervals, gates, and agreement with stock llama.cpp."""

import json
import math
import statistics
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import tiny_gguf

from netsuke import check
from netsuke.check import quality, report, speed
from netsuke.engines import gguf, hf
from netsuke.engines.llama import Engine
from netsuke.errors import EngineError
from netsuke.nouns import Compute
from netsuke.texts.documents import Lesson, write_rows

TEXTS = ["The other thing is in there. " * n for n in (1, 3, 9, 40)]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("check")
    (folder / "model").mkdir()
    gguf.unpack(tiny_gguf(folder / "base.gguf"), folder / "model")
    (folder / "model" / "about.json").write_text('{"name": "tiny", "licence": "MIT"}')
    gguf.write(folder / "model", folder / "ours.gguf", gguf.plan_types("Q8_0"))
    write_rows(folder / "test.jsonl", [{"text": text} for text in TEXTS])
    write_rows(folder / "train.jsonl", [{"text": f"{number} {'thing in there ' * 60}"} for number in range(5)])
    (folder / "general").mkdir()
    (folder / "general" / "a.txt").write_text("A general text, in no domain at all.")
    return folder


def test_windows_make_every_token_a_target_once(place):
    texts = hf.open_texts(place / "model", TEXTS)
    for context in (8, 64, 1024):
        targets = {}
        for rows, ids in hf.windows(texts, context):
            for (number, _, _), row in zip(rows, ids.tolist(), strict=True):
                targets.setdefault(number, []).extend(t for t in row[1:] if t >= 0)
        assert {n: sorted(t) for n, t in targets.items()} == {
            n: sorted(t.ids[1:]) for n, t in enumerate(texts)
        }


def test_bits_are_those_of_the_plain_model(place):
    model = hf.load_model(place / "model")
    texts = hf.open_texts(place / "model", TEXTS[:2])
    for text, found in zip(texts, hf.score(model, texts), strict=True):
        import torch

        ids = torch.tensor([text.ids])
        logits = model(ids, use_cache=False).logits[0, :-1].float()
        loss = torch.nn.functional.cross_entropy(logits, ids[0, 1:], reduction="sum").item()
        assert found.bits == pytest.approx(loss / math.log(2), rel=1e-3)
        assert found.bytes == text.bytes


def test_documents_in_one_window_do_not_see_each_other(place):
    import torch

    model = hf.load_model(place / "model", torch.float32)
    one, two = (hf.open_texts(place / "model", [t])[0].ids for t in ("in the inner", "thing there"))
    joined = torch.tensor([one + two])
    bias = hf.document_bias(torch.tensor([[0] * len(one) + [1] * len(two)]), torch.float32)
    together = model(joined, attention_mask=bias, use_cache=False).logits[0]
    alone = model(torch.tensor([two]), use_cache=False).logits[0]
    assert torch.allclose(together[len(one) :], alone, atol=1e-4)


def test_of_a_lesson_the_answer_alone_is_scored(place):
    import torch

    said = "<|im_start|>user\nthe inner<|im_end|>\n"
    model, lesson = hf.load_model(place / "model"), Lesson(f"{said}there", len(said))
    [whole], [answer] = (hf.open_texts(place / "model", [lesson], answers=a) for a in (False, True))
    assert whole.ids == answer.ids and whole.ids[0] == 1 and answer.bytes == len("there")
    losses = hf.token_losses(model, torch.tensor([answer.ids]))[0]
    [one], [other] = hf.score(model, [whole], 8), hf.score(model, [answer], 1024)
    assert other.bits == pytest.approx(losses[answer.begin - 1 :].sum().item() / math.log(2), rel=1e-5)
    assert other.tokens == len(answer.ids) - answer.begin and one.bits > other.bits
    some = hf.score(model, [answer], 8)[0]  # in windows that cut it, the same tokens are counted
    assert some.tokens == other.tokens and some.bits < one.bits


def long_lesson(tokens, answer=" in there"):
    """A lesson of about so many tokens, of which few are the answer."""
    asked = "the other " * (tokens // 5)
    return Lesson(asked + answer, len(asked))


@pytest.mark.parametrize("room", [65536, 1200])
def test_a_long_lesson_is_scored_behind_all_of_its_question_and_documents_as_before(tmp_path, room):
    (tmp_path / "model").mkdir()
    gguf.unpack(tiny_gguf(tmp_path / "tiny.gguf", context_tokens=room), tmp_path / "model")
    model, texts = hf.load_model(tmp_path / "model"), [long_lesson(1500), "in there " * 300]
    lesson, text = opened = hf.open_texts(tmp_path / "model", texts, answers=True)
    assert len(text.ids) > hf.CONTEXT < len(lesson.ids) < 2000
    whole = [score.bits for score in hf.score(model, opened, whole=True)]
    [cut], [one], [other] = (hf.score(model, *some) for some in ([[lesson]], [[lesson], min(room, 2000)], [[text]]))
    assert whole == pytest.approx([one.bits, other.bits], rel=1e-4) and abs(cut.bits / one.bits - 1) > 1e-3


def test_the_check_scores_an_answer_behind_all_of_its_question(place, tmp_path, monkeypatch):
    widths, losses = list[int](), hf.token_losses
    monkeypatch.setattr(hf, "token_losses", lambda model, ids: widths.append(ids.shape[1]) or losses(model, ids))
    write_rows(tmp_path / "test.jsonl", [long_lesson(1500).row, {"text": "in there " * 300}])
    model, general = (place / "base.gguf", place / "model"), place / "general"
    params = check.Bounds(0.0, 0.1, 400_000, 0, Compute(1))
    work = quality.compare(params, *model, *model, tmp_path / "test.jsonl", general, place / "train.jsonl")
    assert len([*work]) and sorted(widths)[-4:] == [hf.CONTEXT + 1] * 2 + [max(widths)] * 2 and max(widths) > 1400


def test_the_whole_check(place, store):
    params = check.Bounds(0.0, 0.1, 400_000, 0, Compute(1))
    out = place / "out"
    out.mkdir()
    work = check.check.function(params, out, place / "ours.gguf", place / "base.gguf", place / "model",
                                place / "model", place / "test.jsonl", place / "general",
                                place / "train.jsonl")  # fmt: skip
    list(work)
    content = json.loads((out / "report.json").read_text())
    rows = {row["name"]: row for row in content["measures"]}
    assert rows["size"]["ours"] == (place / "ours.gguf").stat().st_size
    assert abs(rows["domain"]["change"]) < 0.1 and rows["domain"]["n_texts"] == 4
    low, high = rows["domain"]["change_interval"]
    assert low <= rows["domain"]["change"] <= high
    assert {g["name"] for g in content["gates"]} == {"domain", "general", "size"}
    assert [len(content["texts"][name]) for name in ("domain", "general")] == [4, 1]
    assert "The other thing" not in json.dumps(content)
    apart = content["membership"]
    assert 0 <= apart["low"] <= apart["auc"] <= apart["high"] <= 1 and apart["n_seen"] == 5 and apart["n_unseen"] == 1


@settings(deadline=None)
@given(
    sizes=st.lists(st.integers(1, 700), min_size=1, max_size=12), letter=st.sampled_from("aé語"),
    line=st.integers(5, 2000), limit=st.integers(90, 1000),
)  # fmt: skip
def test_no_text_keeps_the_others_out(sizes, letter, line, limit):
    texts = ["".join("\n" if n % line == line - 1 else letter for n in range(size)) for size in sizes]
    kept = quality.within(texts, limit)
    assert len(kept) >= min(3, len(texts)) and sum(len(text.encode()) for text in kept) <= limit
    assert all(any(text.startswith(part) for text in texts) for part in kept) and all(kept)
    assert kept == quality.within(texts[::-1], limit)
    room = limit - sum(len(text.encode()) for text in kept)
    assert all(text in kept for text in texts if len(text.encode()) <= min(room, limit // 3))


def test_of_long_texts_the_fronts_are_scored_and_lessons_stay_lessons():
    chapters = [f"{name}{'a line of the chapter' * 10}\n" * 2000 for name in "abc"]
    kept = quality.within(chapters, quality.TEST_BYTES)
    assert len(kept) == quality.FEWEST and all(text.endswith("\n") for text in kept)
    [alone] = quality.within(chapters[:1], quality.TEST_BYTES)
    assert quality.TEST_BYTES - 300 < len(alone) <= quality.TEST_BYTES
    [lesson] = quality.within([Lesson("question answer", 9)], quality.TEST_BYTES)
    assert lesson.answer == 9


def verdicts(domain, general):
    rows = [
        {"name": "domain", "change": 0.02, "change_interval": domain},
        {"name": "general", "change": 0.05, "change_interval": general},
        {"name": "size", "ours": 5e6},
    ]
    return {g.name: g for g in report.verdicts(check.Bounds(0.0, 0.1, 4_000_000, 0, Compute(1)), rows)}


def test_gates_say_which_and_by_how_much():
    found = verdicts((0.01, 0.03), (0.04, 0.06))
    assert [found[n].passed for n in ("domain", "general", "size")] == [False, True, False]
    assert "+2.0%" in found["domain"].sentence and "over by 1.0% at least" in found["domain"].sentence
    assert "5.00 MB" in found["size"].sentence and "over by 1.00 MB" in found["size"].sentence


def test_what_chance_may_have_made_holds_and_is_said_to_be_over():
    found = verdicts((-0.01, 0.05), (0.04, 0.06))
    assert found["domain"].passed and "over by 2.0%, which may be chance" in found["domain"].sentence
    assert not verdicts(None, None)["domain"].passed  # too few texts for an interval: the value decides


def test_two_packs_are_compared_on_the_texts_that_both_have():
    def content(texts, size):
        rows = [{"text": key, "bytes": 100, "base": 90.0, "ours": bits} for key, bits in texts.items()]
        return {"texts": {"domain": rows}, "measures": [{"name": "size", "ours": size}]}

    last = content({"a": 80.0, "b": 80.0, "c": 80.0, "gone": 1.0}, 100)
    now = content({"a": 40.0, "b": 40.0, "c": 40.0, "new": 500.0}, 150)
    domain, size = report.since(last, now)
    assert (domain["change"], domain["n_texts"], size["change"]) == (-0.5, 3, 0.5)
    assert domain["change_interval"] == [-0.5, -0.5]
    assert report.since({"measures": [{"name": "size", "ours": 100}]}, now) == [size]  # an older pack has no texts


@pytest.mark.parametrize("gain, expected", [(0.5, 1.0), (0.0, 0.5), (-0.5, 0.0)])
def test_what_was_learnt_from_is_told_by_its_gain(gain, expected):
    def pair(gain):
        return quality.Pair([hf.Score(100.0, 100, 1)] * 6, [hf.Score(100.0 * (1 - gain), 100, 1)] * 6)

    found = quality.told_apart(pair(gain), pair(0.0), 0)
    assert found["auc"] == found["low"] == found["high"] == expected


@settings(max_examples=30, deadline=None)
@given(bits=st.lists(st.floats(10, 1000), min_size=3, max_size=20), factor=st.floats(0.5, 1.5))
def test_an_equal_change_everywhere_has_no_width(bits, factor):
    base = [hf.Score(b, 100, 30) for b in bits]
    ours = [hf.Score(b * factor, 100, 30) for b in bits]
    low, high = quality.change_interval(quality.Pair(base, ours), 0)
    assert low == pytest.approx(factor - 1, abs=1e-9) and high == pytest.approx(factor - 1, abs=1e-9)


def test_llama_cpp_computes_what_we_compute_and_another_model_is_noticed(place, tmp_path):
    text = TEXTS[3]
    with Engine(place / "ours.gguf", threads=1) as engine:
        gap = statistics.mean(speed.agreement(engine, place / "ours.gguf", place / "model", text))
        assert gap < speed.LARGEST_GAP
        other = tiny_gguf(tmp_path / "other.gguf", seed=5)
        assert statistics.mean(speed.agreement(engine, other, place / "model", text)) > 3 * gap


def test_the_trial_tells_what_speed_and_memory_it_takes(place, tmp_path):
    params = check.Trial(Compute(1), 1)
    (tmp_path / "general").mkdir()
    (tmp_path / "general" / "a.txt").write_text(TEXTS[3] * 5)
    work = speed.trial(params, place / "ours.gguf", place / "base.gguf", place / "model", tmp_path / "general")
    while True:
        try:
            next(work)
        except StopIteration as stop:
            found = {row.name: row for row in stop.value}
            break
    for who in ("base", "ours"):
        assert found[f"first token {who}"].value > 0
        if Path("/proc/self/status").exists():
            assert found[f"memory {who}"].value > 1_000_000


def test_a_file_that_llama_cpp_reads_otherwise_does_not_pass(place, tmp_path, monkeypatch):
    monkeypatch.setattr(speed, "LARGEST_GAP", -1.0)
    with pytest.raises(EngineError, match="something else"):
        list(speed.trial(check.Trial(Compute(1), 1), place / "ours.gguf", place / "base.gguf", place / "model",
                         place / "test.jsonl"))  # fmt: skip


@pytest.mark.parametrize(
    ("step", "libraries"),
    [
        (check.recall, {"libgguf", "scipy"}),  # codes are ranked by weights that were read; shares have intervals
        (check.calibrate, {"libgguf", "scikit-learn"}),
        (check.judge, {"scipy"}),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_steps_name_the_libraries_that_decide_their_bytes(step, libraries):
    assert libraries <= {*step.libraries}
