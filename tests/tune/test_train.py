"""Training: the same bits whether or not it was interrupted, and an adapter that others read."""

import dataclasses
import json

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file
from trained import PARAMS, every_four_steps, job
from trained import place as place

from netsuke import tune
from netsuke.combine import merge
from netsuke.engines import adapter, hf
from netsuke.engines.llama import Engine
from netsuke.errors import RecipeError
from netsuke.nouns import Compute
from netsuke.store import Store
from netsuke.texts.documents import write_rows
from netsuke.tune import batches, guard, lora, train
from netsuke.tune.loss import Taught, head_loss


@pytest.mark.parametrize("method", ["lora", "full"])
def test_it_learns(place, tmp_path, method):
    work = job(place, tmp_path, dataclasses.replace(PARAMS, method=method))
    list(work.run())
    assert work.best["valid"] < 0.8 * work.history[0]["valid"]
    assert work.step == work.steps == 24


@pytest.mark.parametrize("lessons, kept", [(False, 1), (True, 3)])
def test_of_looks_at_few_lessons_the_last_that_is_as_good_is_kept(place, tmp_path, lessons, kept):
    work = job(place, tmp_path)
    work.valid = [dataclasses.replace(text, lesson=lessons) for text in work.valid]
    work.history = [{"step": n, "valid": bits} for n, bits in enumerate((2.0, 1.0, 1.2, 1.09, 1.3))]
    assert work.best["step"] == kept


def test_without_valid_text_nothing_stops_it_early_and_the_last_state_is_kept(place, tmp_path):
    write_rows(tmp_path / "none.jsonl", [])
    params = dataclasses.replace(PARAMS, learning_rate=0.0, patience=1, budget_tokens=32 * 2 * 160)
    blind = train.Job(params, place / "model", place / "train.jsonl", tmp_path / "none.jsonl", tmp_path)
    list(blind.run())
    assert blind.step == blind.steps == 160 and blind.trials == {} and blind.best["step"] == 160
    assert all(torch.equal(blind.best_state[name], live) for name, live in blind.live.items())
    blind.save(tmp_path, 1.0)
    assert json.loads((tmp_path / "curve.json").read_text())["history"] == []


@pytest.fixture(scope="module")
def whole(place, tmp_path_factory):
    """A training that nothing interrupted."""
    one = job(place, tmp_path_factory.mktemp("whole"))
    list(one.run())
    return one


@pytest.mark.parametrize("stop_after", [1, 5, 8, 13, 23])
def test_an_interrupted_run_ends_with_the_same_bits(place, whole, tmp_path, monkeypatch, stop_after):
    every_four_steps(monkeypatch)
    for number, _ in enumerate(job(place, tmp_path / "b").run()):
        if number == stop_after:
            break
    resumed = job(place, tmp_path / "b")
    steps = len(list(resumed.run()))
    assert steps < 24 or stop_after < 4
    for one, folder in ((whole, "x"), (resumed, "y")):
        (tmp_path / folder).mkdir()
        one.save(tmp_path / folder, 1.0)
    for name in ("adapter_model.safetensors", "adapter_config.json", "curve.json"):
        assert (tmp_path / "x" / name).read_bytes() == (tmp_path / "y" / name).read_bytes()


def test_checkpoints_take_no_more_than_a_share_of_the_time(place, tmp_path, monkeypatch):
    every_four_steps(monkeypatch)
    monkeypatch.setattr(train, "CHECKPOINT_SHARE", 0.05)
    clock, written = [0.0], []

    def checkpoint(self):
        written.append(self.step)
        clock[0] += 0.5  # which may come again after ten seconds

    monkeypatch.setattr(train.Job, "_checkpoint", checkpoint)
    monkeypatch.setattr(train, "monotonic", lambda: clock[0])
    for _ in job(place, tmp_path).run():
        clock[0] += 1.0
    assert written == [4, 16]


@pytest.mark.slow
@pytest.mark.parametrize("stop_after", [3, 30])
def test_the_rate_of_the_best_trial_is_taken_and_outlives_a_kill(place, tmp_path, monkeypatch, stop_after):
    every_four_steps(monkeypatch)
    params = dataclasses.replace(PARAMS, learning_rate=0.0, budget_tokens=32 * 2 * 150, patience=100)
    whole = job(place, tmp_path / "a", params)
    shown = [progress.fraction for progress in whole.run() if progress.fraction]
    assert shown[0] == pytest.approx(0.96 * 19 / 150) and shown[-1] == 0.96  # the trials' steps are done too
    assert len(whole.trials) == 3 and whole.rate == min(whole.trials, key=whole.trials.get)
    assert len(set(whole.trials.values())) == 3 and whole.steps == whole.step == 150 - 3 * 6
    for number, _ in enumerate(job(place, tmp_path / "b", params).run()):
        if number == stop_after:
            break
    resumed = job(place, tmp_path / "b", params)
    list(resumed.run())
    assert (resumed.trials, resumed.rate, resumed.history) == (whole.trials, whole.rate, whole.history)


def test_a_short_training_takes_the_usual_rate(place, tmp_path):
    work = job(place, tmp_path, dataclasses.replace(PARAMS, learning_rate=0.0))
    list(work.run())
    assert (work.trials, work.rate) == ({}, 2e-3)


def test_a_half_written_checkpoint_is_not_taken(place, tmp_path, monkeypatch):
    every_four_steps(monkeypatch)
    work = job(place, tmp_path)
    list(work.run())
    (newest,) = tmp_path.glob("checkpoint-*")
    (newest / "state.json").unlink()
    assert job(place, tmp_path).step == 0
    again = job(place, tmp_path)
    assert len(list(again.run())) == 25  # from the start: the first look, then every step


def test_early_stop_keeps_the_best(place, tmp_path):
    wild = dataclasses.replace(PARAMS, learning_rate=3.0, patience=2, evaluations=24)
    work = job(place, tmp_path, wild)
    list(work.run())
    assert work.step < work.steps
    work.with_scale(1.0)
    assert hf.bits_per_byte(hf.score(work.model.eval(), work.valid)) == pytest.approx(
        work.best["valid"], rel=1e-6
    )


def test_a_training_that_diverges_is_no_model(place, tmp_path, monkeypatch):
    monkeypatch.setattr(train.Job, "train_step", lambda *_: float("nan"))
    with pytest.raises(RecipeError, match="diverged at step 1"):
        list(job(place, tmp_path).run())


def test_passes_are_counted_by_windows_however_full(place, tmp_path):
    write_rows(tmp_path / "short.jsonl", [{"text": "a word"}])
    one = dataclasses.replace(PARAMS, max_epochs=8.0)
    work = train.Job(one, place / "model", tmp_path / "short.jsonl", place / "valid.jsonl", tmp_path)
    list(work.run())
    work.save(tmp_path, 1.0)
    assert (len(work.rows), work.step) == (1, 4) and json.loads((tmp_path / "curve.json").read_text())["epochs"] == 8


def test_a_trial_that_diverged_is_no_number_of_the_curve(place, tmp_path):
    work = job(place, tmp_path)
    work.history, work.trials = [{"step": 0, "valid": 1.0}], {1e-3: 2.0, 4e-3: float("inf")}
    work.save(tmp_path, 1.0)
    assert json.loads((tmp_path / "curve.json").read_text())["trials"] == [[1e-3, 2.0]]


@pytest.mark.parametrize(
    "bound, bits, found",
    [(1e-9, (3.0, 1.0, 2.0), (0.75, 1.0)), (1.0, (3.0, 1.05, 0.5), (0.75, 1.05)), (1.0, (1.08, 0.5), (1.0, 1.08)),
     (1.0, (3.0, 1.1, 1.0), (0.5, 1.0))],
)  # fmt: skip
def test_the_first_scale_that_holds_is_taken_else_the_best_one(
    place, whole, tmp_path, monkeypatch, bound, bits, found
):
    work = job(place, tmp_path)
    work.best_state = whole.best_state
    (tmp_path / "general").mkdir()
    (tmp_path / "general" / "a.txt").write_text("it is so. " * 9)
    (tmp_path / "choice.json").write_text(json.dumps({"base": {"general": bound}, "rounding": {"general": 1}}))
    said = iter(bits)
    monkeypatch.setattr(guard.hf, "bits_per_byte", lambda scores: next(said))
    assert guard.scale_within(work, tmp_path / "choice.json", tmp_path / "general", 0.1) == found
    name = next(name for name in work.live if name.endswith("lora_B"))
    assert torch.equal(work.live[name], work.best_state[name] * found[0])


def test_the_whole_body_does_not_go_on_from_an_adapter(tmp_path):
    with pytest.raises(RecipeError, match="goes on from an adapter, and tune.method is 'full'"):
        tune.start_of(tune.Params(method="full", start="ab" * 32), Store(tmp_path))


def test_unknown_method_is_named(place, tmp_path):
    with pytest.raises(RecipeError, match="'dora'"):
        job(place, tmp_path, dataclasses.replace(PARAMS, method="dora"))


def test_merged_adapter_computes_what_training_computed(place, tmp_path):
    work = job(place, tmp_path / "s")
    list(work.run())
    for scale in (1.0, 0.5):
        out, merged = tmp_path / f"a{scale}", tmp_path / f"m{scale}"
        out.mkdir()
        work.save(out, scale)
        merge.write(place / "model", out, merged)
        work.with_scale(scale)
        ours = hf.bits_per_byte(hf.score(work.model.eval(), work.valid))
        theirs = hf.bits_per_byte(hf.score(hf.load_model(merged), work.valid))
        assert theirs == pytest.approx(ours, rel=2e-3)


def as_rslora(folder, rank):
    """Say of a saved adapter that it is scaled by alpha / sqrt(rank), with the alpha that makes it the same one."""
    config = json.loads((folder / "adapter_config.json").read_text())
    config |= {"use_rslora": True, "lora_alpha": config["lora_alpha"] / rank**0.5}
    (folder / "adapter_config.json").write_text(json.dumps(config))


@pytest.mark.filterwarnings(
    "ignore:.is_gradient_checkpointing. is deprecated:FutureWarning"
)  # peft's own call
@pytest.mark.parametrize("rslora", [False, True])
def test_peft_loads_the_adapter_to_the_same_logits(place, whole, tmp_path, rslora):
    import peft

    (tmp_path / "adapter").mkdir()
    whole.save(tmp_path / "adapter", 1.0)
    merge.write(place / "model", tmp_path / "adapter", tmp_path / "merged")
    if rslora:
        as_rslora(tmp_path / "adapter", whole.params.rank)
    ids = torch.tensor([whole.valid[0].ids[:40]])
    base = hf.load_model(place / "model", torch.float32)
    theirs = peft.PeftModel.from_pretrained(base, tmp_path / "adapter")(ids, use_cache=False).logits
    ours = hf.load_model(tmp_path / "merged", torch.float32)(ids, use_cache=False).logits
    assert (ours - theirs).abs().max() < 0.05 * theirs.abs().max()


@pytest.mark.parametrize("rslora", [False, True])
def test_stock_llama_cpp_loads_the_adapter_to_the_same_probabilities(place, whole, tmp_path, rslora):
    out = tmp_path / "adapter"
    out.mkdir()
    whole.save(out, 1.0)
    merge.write(place / "model", out, tmp_path / "merged")
    if rslora:
        as_rslora(out, whole.params.rank)
    adapter.to_gguf(out, place / "model", tmp_path / "adapter.gguf")
    ids = whole.valid[0].ids[:40]
    wanted = hf.log_probabilities(hf.load_model(tmp_path / "merged", torch.float32), ids)[-1]
    before = hf.log_probabilities(hf.load_model(place / "model", torch.float32), ids)[-1]
    with Engine(place / "tiny.gguf", threads=1, adapter=tmp_path / "adapter.gguf") as engine:
        answer = engine.complete(ids, n_predict=1, n_probs=200, temperature=0.0, grammar=r"root ::= [ -~\n]*")
    found = {top["id"]: top["logprob"] for top in answer["completion_probabilities"][0]["top_logprobs"]}
    likely = sorted(found, key=found.get)[-20:]
    gap = max(abs(found[n] - wanted[n]) for n in likely)
    assert gap < 0.25 < max(abs(before[n] - wanted[n]) for n in likely)


def test_a_training_goes_on_from_an_adapter(place, tmp_path):
    first = job(place, tmp_path / "s")
    list(first.run())
    out = tmp_path / "a"
    out.mkdir()
    first.save(out, 1.0)
    second = job(place, tmp_path / "t", start=out)
    second._evaluate()
    assert second.history[0]["valid"] == pytest.approx(first.best["valid"], rel=1e-3)
    with pytest.raises(RecipeError, match="does not fit"):
        job(place, tmp_path / "u", dataclasses.replace(PARAMS, rank=5), start=out)
    with pytest.raises(RecipeError, match="does not fit"):
        job(place, tmp_path / "v", start=tmp_path)


def test_an_adapter_of_another_body_is_refused(place, tmp_path):
    work = job(place, tmp_path / "s")
    out = tmp_path / "a"
    out.mkdir()
    work._evaluate()
    work.save(out, 1.0)
    config = json.loads((out / "adapter_config.json").read_text())
    tensors = {
        k.replace("layers.1", "layers.9"): v for k, v in load_file(out / "adapter_model.safetensors").items()
    }
    hf.save_weights(tensors, out / "adapter_model.safetensors")
    assert config["r"] == 4
    with pytest.raises(RecipeError, match="does not fit"):
        merge.write(place / "model", out, tmp_path / "m")


def test_gradients_are_those_of_a_layer_with_a_branch():
    torch.manual_seed(0)
    x, w, a, b = (torch.randn(s, dtype=torch.float64) for s in ((5, 8), (6, 8), (2, 8), (6, 2)))
    for t in (x, a, b):
        t.requires_grad_(True)
    assert torch.autograd.gradcheck(lambda x, a, b: lora.LowRank.apply(x, w, a, b, 2.0), (x, a, b))


def test_head_loss_is_cross_entropy_and_so_is_its_gradient():
    torch.manual_seed(0)
    hidden = torch.randn(700, 16, requires_grad=True)
    head, targets = torch.randn(50, 16), torch.randint(0, 50, (700,))
    expected = torch.nn.functional.cross_entropy(hidden @ head.t(), targets)
    (wanted,) = torch.autograd.grad(expected, hidden)
    loss = head_loss(hidden, head, targets)
    (found,) = torch.autograd.grad(loss, hidden)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    assert torch.allclose(found, wanted, atol=1e-7)


@pytest.mark.parametrize("share", [0.5, 1.0])
def test_with_a_teacher_the_target_is_the_mixture(share):
    torch.manual_seed(1)
    hidden = torch.randn(300, 16, requires_grad=True)
    head, targets, thinks = torch.randn(50, 16), torch.randint(0, 50, (300,)), torch.randn(300, 24)
    taught = Taught(thinks, torch.randn(50, 24), share)
    soft = torch.softmax(thinks @ taught.head.t(), -1)
    mixture = share * soft + (1 - share) * torch.nn.functional.one_hot(targets, 50)
    expected = torch.nn.functional.cross_entropy(hidden @ head.t(), mixture)
    (wanted,) = torch.autograd.grad(expected, hidden)
    loss = head_loss(hidden, head, targets, taught)
    (found,) = torch.autograd.grad(loss, hidden)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    assert torch.allclose(found, wanted, atol=1e-7)


def test_a_text_of_one_token_is_a_row_that_teaches_nothing():
    rows = batches.pack([hf.Text([7], 1)], 8, seed=0)
    assert len(rows) == 1 and not rows.wanted[:, 1:].any()
    assert [numbers.tolist() for numbers in batches.order(len(rows), 2, 1, seed=0)] == [[0], [0]]


@settings(max_examples=50, deadline=None)
@given(lengths=st.lists(st.integers(1, 40), min_size=1, max_size=12), window=st.integers(2, 16))
def test_packing_loses_and_repeats_nothing(lengths, window):
    stream = iter(range(1000))
    texts = [hf.Text([0, *(next(stream) for _ in range(n))], n) for n in lengths]
    rows = batches.pack(texts, window, seed=0)
    assert rows.ids[:, 1:][rows.text[:, 1:] >= 0].tolist() == [t for text in texts for t in text.ids][1:]
    assert rows.ids[:, 1:][rows.wanted[:, 1:]].tolist() == [t for text in texts for t in text.ids[1:]]


@settings(max_examples=50, deadline=None)
@given(
    lengths=st.lists(st.tuples(st.integers(1, 9), st.integers(1, 6)), min_size=1, max_size=12),
    window=st.integers(14, 40),
    documents=st.integers(0, 2),
)
def test_a_lesson_lies_whole_in_one_window_and_its_answer_alone_is_learnt(lengths, window, documents):
    stream = iter(range(1, 1000))
    plain = [hf.Text([0, *(next(stream) for _ in range(30))], 30) for _ in range(documents)]
    lessons = [hf.Text([next(stream) for _ in range(a + b)], b, a, lesson=True) for a, b in lengths]
    rows = batches.pack([*plain, *lessons], window, seed=3)
    found = []
    for ids, text, wanted in zip(rows.ids.tolist(), rows.text.tolist(), rows.wanted.tolist(), strict=True):
        for number in {n for n in text if n >= 0}:
            places = [place for place, n in enumerate(text) if n == number]
            assert places == list(range(places[0], places[-1] + 1))
            found.append(([ids[p] for p in places], [ids[p] for p in places if wanted[p]]))
    whole = [(lesson.ids, lesson.ids[lesson.begin :]) for lesson in lessons]
    assert all(lesson in found for lesson in whole) and len(found) >= len(whole)


@settings(max_examples=50, deadline=None)
@given(
    lengths=st.lists(st.tuples(st.integers(1, 9), st.integers(1, 6)), min_size=1, max_size=30),
    document=st.integers(1, 200),
    window=st.integers(32, 64),
    read=st.integers(0, 40),
)
def test_lessons_aside_stand_behind_documents_and_lose_nothing_of_them(lengths, document, window, read):
    stream = iter(range(1, 10_000))
    plain = hf.Text([0, *(next(stream) for _ in range(document))], document)
    aside = [hf.Text([next(stream) for _ in range(a + b)], b, a, lesson=True, aside=True) for a, b in lengths]
    rows = batches.pack([plain, *aside], window, seed=3, read=read)
    assert rows.ids[:, 1:][rows.text[:, 1:] == 0].tolist() == plain.ids[1:]
    found = [
        [t for t, n, w in zip(ids, text, wanted, strict=True) if n == number and (w or not learnt)]
        for ids, text, wanted in zip(rows.ids.tolist(), rows.text.tolist(), rows.wanted.tolist(), strict=True)
        for number in sorted({n for n in text if n > 0})
        for learnt in (False, True)
    ]
    wanted = [part for text in aside for part in (text.ids, text.ids[text.begin :])]
    assert sorted(found) == sorted(wanted) if not read else {*map(tuple, found)} == {*map(tuple, wanted)}
    most = max(sum(n > 0 for n in text) for text in rows.text.tolist())
    assert most < window


@pytest.mark.parametrize(
    "read, epochs, a_row",
    [(0, 4, 0.4), (400, 4, 0.4), (20, 4, 2.25), (10, 4, 3.33), (1, 4, 3.33), (400, 1, 0.87), (400, 0.4, 2.16)],
)
def test_a_short_training_reads_lessons_aside_more_often(read, epochs, a_row):
    documents = [hf.Text([0, *range(1, 5000)], 5000)]
    aside = [hf.Text(list(range(10)), 5, 5, lesson=True, aside=True) for _ in range(20)]
    rows = batches.pack([*documents, *aside], 100, seed=0, read=read, epochs=epochs)
    lessons = [len({n for n in text if n > 0}) for text in rows.text.tolist()]
    assert sum(lessons) / len(lessons) == pytest.approx(a_row, abs=0.05) and max(lessons) - min(lessons) <= 1


@given(count=st.integers(0, 60), share=st.floats(0, 1))
def test_of_a_share_of_the_lessons_the_question_is_learnt_too(count, share):
    lessons = [hf.Text([1, 2, 3, 4], 2, 2, lesson=True) for _ in range(count)]
    document = hf.Text([0, 1], 1)
    found = batches.with_questions([document, *lessons], share)
    assert found[0] == document and all(text.begin in (1, 2) for text in found[1:])
    assert abs(sum(text.begin == 1 for text in found[1:]) - share * count) <= 1


@settings(max_examples=50, deadline=None)
@given(rows=st.integers(1, 30), steps=st.integers(1, 60), per_step=st.integers(1, 4), seed=st.integers(0, 99))
def test_every_epoch_sees_every_window_once(rows, steps, per_step, seed):
    seen = torch.cat(list(batches.order(rows, steps, per_step, seed))).tolist()
    assert len(seen) == steps * per_step
    for at in range(0, len(seen) - rows + 1, rows):
        assert sorted(seen[at : at + rows]) == list(range(rows))


def test_a_longer_budget_is_a_longer_training():
    speed = tune.Speed(300.0, 900.0)
    tokens = [tune.budget(minutes, speed)[0] for minutes in (0.5, 1, 5, 30)]
    assert tokens == sorted(tokens)
    assert tokens[-1] < 30 * 60 * 300


@pytest.mark.parametrize("rate", [0.0, 2e-3])
def test_all_looks_at_valid_together_take_a_tenth_of_the_minutes(place, tmp_path, monkeypatch, rate):
    speed, compute = tune.Speed(300.0, 900.0), Compute(1)
    settings = tune.settled(tune.Params(learning_rate=rate), compute)
    given = tune.training(settings, 2, speed, 0.1, 0, compute)
    seen = []  # looks are counted here: nothing is learnt between them
    monkeypatch.setattr(train.Job, "valid_bits", lambda job: seen.append(1) or 1.0)
    monkeypatch.setattr(train.Job, "train_step", lambda job, rows, rate: 1.0)
    params = dataclasses.replace(PARAMS, learning_rate=rate, evaluations=given.evaluations, windows_per_step=1,
                                 budget_tokens=32 * 150, patience=100)  # fmt: skip
    work = job(place, tmp_path, params)
    list(work.run())
    assert len(work.trials) == (0 if rate else 3) and len(seen) == tune.looks(rate)
    assert len(seen) * given.valid_bytes / tune.BYTES_A_TOKEN / speed.score_tokens_per_second <= 0.1 * 2 * 60
