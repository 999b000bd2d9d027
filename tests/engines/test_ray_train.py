"""A step in shards: on two workers of a real Ray the same bytes as in one process, also where a worker is killed."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from tiny import tiny_gguf

from netsuke.engines import gguf, ray_train
from netsuke.texts.documents import write_rows

TUNE = """
import json, sys
from pathlib import Path
from netsuke import tune
from netsuke.nouns import Compute
from netsuke.step import Local
from netsuke.store import Store
from netsuke.tune import train

where, place = sys.argv[1], Path(sys.argv[2])
shards, budget = int(sys.argv[3]), int(sys.argv[4])
params = tune.Training("lora", 4, 1e-2, 32, 4, shards, 0.0, 0.0, 500.0, 100, "", budget_tokens=budget,
                       valid_bytes=2000, evaluations=4, general_gate=9.0, seed=7, compute=Compute(1))
store = Store()
if where == "ray":
    from netsuke.engines.ray import Ray as Local
inputs = {name: store.add_file(place / f"{name}.jsonl") for name in ("train", "valid")}
inputs |= {name: store.add_file(place / f"{name}.json") for name in ("choice", "vocabulary")}
model, general = store.add_folder(place / "model"), store.add_folder(place / "general")
made = Local(store).run(tune.tune, params, model=model, base=model, general=general, **inputs)
print(json.dumps({"output": made.ref, "curve": json.loads(store.path(made["curve.json"]).read_text())["history"]}))
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shards")
    for name in ("model", "general"):
        (folder / name).mkdir()
    gguf.unpack(tiny_gguf(folder / "tiny.gguf"), folder / "model")
    rows = [{"text": f"number {i} is followed by number {i + 1}, as it always was. " * 6} for i in range(20)]
    write_rows(folder / "train.jsonl", rows[:16])
    write_rows(folder / "valid.jsonl", rows[16:])
    (folder / "general" / "a.txt").write_text("Some words of another kind. " * 20)
    (folder / "vocabulary.json").write_text('{"kept": "all"}')
    (folder / "choice.json").write_text(
        json.dumps({"pruned": False, "base": {"general": 9.0}, "rounding": {"general": 1.0}})
    )
    return folder


def tuned(where, place, home, shards=2, budget=32 * 4 * 12, meanwhile=None):
    home.mkdir()
    env = os.environ | {"NETSUKE_HOME": str(home)}
    with subprocess.Popen([sys.executable, "-c", TUNE, where, place, str(shards), str(budget)], env=env,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:  # fmt: skip
        watching = threading.Thread(target=meanwhile or (lambda: None))
        watching.start()
        told, errors = process.communicate()
        watching.join()
    assert process.returncode == 0, errors[-3000:]
    return json.loads(told.splitlines()[-1])


@pytest.mark.slow
def test_two_workers_of_ray_give_the_bytes_of_one_process(place, tmp_path):
    pytest.importorskip("ray")
    here, there = (tuned(where, place, tmp_path / where) for where in ("local", "ray"))
    assert here == there and len(here["curve"]) == 5
    assert here["curve"][-1]["valid"] < here["curve"][0]["valid"]


@pytest.mark.slow
def test_shards_hardly_change_the_curve(place, tmp_path):
    whole, parts = (tuned("local", place, tmp_path / str(n), shards=n)["curve"] for n in (1, 4))
    assert [p["step"] for p in whole] == [p["step"] for p in parts]
    assert [p["valid"] for p in whole] == pytest.approx([p["valid"] for p in parts], rel=0.01)


def workers():
    """Process numbers of Ray's training workers."""
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if b"ray::" in (told := entry.read_bytes()) and b"Worker" in told:
                yield int(entry.parent.name)
        except OSError:
            continue


@pytest.mark.real
@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="finds the workers in /proc")
def test_a_killed_worker_does_not_change_a_bit(place, tmp_path):
    pytest.importorskip("ray")
    budget, killed = 32 * 4 * 700, []

    def kill():
        until = time.monotonic() + 90
        while time.monotonic() < until and not killed:
            whole = next((tmp_path / "ray").rglob("checkpoint-*/state.json"), None)
            if whole and (found := sorted(workers())):
                os.kill(found[-1], signal.SIGKILL)
                killed.append(json.loads(whole.read_text())["step"] if whole.exists() else 0)
            time.sleep(0.02)

    there = tuned("ray", place, tmp_path / "ray", budget=budget, meanwhile=kill)
    assert killed and there == tuned("local", place, tmp_path / "local", budget=budget)


class Shards(dict):
    """A stand-in for the modules of Ray: its training lasts until `over`, its queue is broken off by Ctrl-C."""

    def __init__(self):
        self.began, self.over, self.ended, self.shut = (threading.Event() for _ in range(4))
        made = SimpleNamespace(fit=self.fit)
        queue = SimpleNamespace(get=self.get, empty=lambda: True)
        kinds = ("FailureConfig", "RunConfig", "ScalingConfig", "TorchConfig")
        train = SimpleNamespace(TorchTrainer=lambda *_, **given: made, **dict.fromkeys(kinds, dict))
        train.util = SimpleNamespace(Queue=lambda **given: queue, Empty=TimeoutError)
        self |= {"ray": SimpleNamespace(shutdown=self.shut.set), "ray.train": train, "ray.train.torch": train,
                 "ray.util": train.util, "ray.util.queue": train.util}  # fmt: skip

    def fit(self):
        self.began.set()
        self.over.wait(5)
        self.ended.set()

    def get(self, timeout):
        self.began.wait(5)
        raise KeyboardInterrupt


def test_ctrl_c_does_not_wait_for_the_training(monkeypatch, tmp_path):
    shards = Shards()
    for name, module in shards.items():
        monkeypatch.setitem(sys.modules, name, module)
    params = SimpleNamespace(shards=2, compute=SimpleNamespace(device="cpu"))
    step = SimpleNamespace(name="tune", function=SimpleNamespace(__module__="netsuke.tune"))
    with pytest.raises(KeyboardInterrupt):
        next(ray_train.in_shards(step, params, tmp_path, tmp_path, {}))
    assert shards.shut.is_set() and not shards.ended.is_set()
    assert [one.daemon for one in threading.enumerate() if one.name == "shards"] == [True]  # nor does an exit
    shards.over.set()
    assert shards.ended.wait(5)


@pytest.mark.slow
def test_ctrl_c_ends_a_real_training(place, tmp_path):
    pytest.importorskip("ray")
    with subprocess.Popen([sys.executable, "-c", TUNE, "ray", place, "2", str(32 * 4 * 100_000)],
                          env=os.environ | {"NETSUKE_HOME": str(tmp_path)}, stderr=subprocess.PIPE,
                          stdout=subprocess.PIPE, start_new_session=True) as process:  # fmt: skip
        try:
            while process.poll() is None and not next(tmp_path.rglob("checkpoint-*/state.json"), None):
                time.sleep(0.1)
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=120)
        finally:
            process.kill()
    assert b"KeyboardInterrupt" in errors
