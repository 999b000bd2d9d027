"""Training on a CUDA GPU: what a processor promises holds there too. Left out, and said so, where there is none."""

import dataclasses

import pytest
import torch
from trained import PARAMS, every_four_steps, job
from trained import place as place

from netsuke import tune
from netsuke.engines import device
from netsuke.nouns import Compute

pytestmark = pytest.mark.skipif(device.accelerator() != "cuda", reason="no CUDA GPU is here")

ON_GPU = dataclasses.replace(PARAMS, compute=Compute(1, "float32", "cuda"))


def bits_of(work):
    return {name: state.cpu() for name, state in work.best_state.items()}


@pytest.mark.parametrize("method", ["lora", "full"])
def test_the_same_seed_learns_the_same_bits_twice(place, tmp_path, method):
    runs = [job(place, tmp_path / name, dataclasses.replace(ON_GPU, method=method)) for name in "ab"]
    for work in runs:
        list(work.run())
        assert work.model.device.type == "cuda" and work.model.dtype == torch.bfloat16
        assert work.best["valid"] < 0.8 * work.history[0]["valid"]
    assert runs[0].history == runs[1].history
    one, other = map(bits_of, runs)
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("stop_after", [5, 13])
def test_a_killed_training_goes_on_to_the_same_bits(place, tmp_path, monkeypatch, stop_after):
    every_four_steps(monkeypatch)
    whole = job(place, tmp_path / "a", ON_GPU)
    list(whole.run())
    for number, _ in enumerate(job(place, tmp_path / "b", ON_GPU).run()):
        if number == stop_after:
            break
    resumed = job(place, tmp_path / "b", ON_GPU)
    assert len(list(resumed.run())) < 24
    for work, folder in ((whole, "x"), (resumed, "y")):
        (tmp_path / folder).mkdir()
        work.save(tmp_path / folder, 1.0)
    for name in ("adapter_model.safetensors", "curve.json"):
        assert (tmp_path / "x" / name).read_bytes() == (tmp_path / "y" / name).read_bytes()


def test_it_learns_what_a_processor_learns(place, tmp_path):
    looks = []
    for compute in (Compute(1, "float32"), ON_GPU.compute):
        work = job(place, tmp_path / compute.device, dataclasses.replace(PARAMS, compute=compute))
        list(work.run())
        looks.append([point["valid"] for point in work.history])
    assert looks[1] == pytest.approx(looks[0], rel=0.03)  # bfloat16 there, float32 here


def test_a_gpu_reads_more_windows_in_a_step():
    section = tune.Params()
    windows = {kind: tune.settled(section, Compute(1, device=kind)).windows_per_step for kind in tune.WINDOWS}
    assert windows["cuda"] > windows["cpu"]
