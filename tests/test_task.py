"""A table of examples becomes a model that answers: on the command line, in the API, and with what it is worth."""

import json
import shutil
from dataclasses import replace

import openai
import pytest
from material import netsuke
from served import KEY, running
from tasked import SIGNS, question, table

from netsuke import answer, loop, recipe
from netsuke.answer import ways
from netsuke.answer.ways import SHOWN
from netsuke.engines.asking import Way
from netsuke.errors import RecipeError
from netsuke.front import talk
from netsuke.nouns import Compute
from netsuke.outcome import gates_of, report_of, scores_of
from netsuke.pack import manifest
from netsuke.step import Local
from netsuke.store import Store, hash_file
from netsuke.texts.scores import Score


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    room = tmp_path_factory.mktemp("task")
    place, store = table(room / "notes"), Store(room / "home")
    outcome = loop.make(recipe.load(place, loop.SECTIONS), place, store, lambda *_: None, executor=Local)
    return room, store, outcome


def pack_of(store):
    return store.path(store.named("packs", "signs")["ref"])


def test_examples_alone_become_a_checked_pack(made):
    _, store, outcome = made
    pack = pack_of(store)
    assert manifest.faults(pack) == []
    scores = scores_of(store, outcome)
    who = {row["who"] for row in scores["scores"]}
    assert {"ours", "base, no example", "base, with examples", "words (TF-IDF, logistic regression)"} == who
    assert {row["score"] for row in scores["scores"]} == {"accuracy", "macro F1"}
    assert all(row["low"] <= row["value"] <= row["high"] and 6 <= row["n"] <= 12 for row in scores["scores"])
    assert 0 <= scores["calibration_error"] <= 1 and 0 <= scores["answered"] <= 1
    names = {row["name"] for row in report_of(store, outcome)["measures"]}
    assert names == {"answers", "general", "size"}
    record = manifest.read(pack)
    assert {"answer", "examine"} < record["lineage"].keys()
    assert record["task"]["scores"] == scores["scores"] and "## Task" in (pack / "card.md").read_text()
    task = json.loads((pack / "task.json").read_text())
    assert task["labels"] == ["bee", "boat", "bread"] and set(task["tried"]) >= {"tuned"}
    bare = task["bare"]  # how it is asked where its examples stay at home
    assert bare.keys() == task["way"].keys() and (bare["shots"], bare["abstain"]) == (0, 0.3)
    assert bare == task["way"] or task["way"]["shots"] == 2


def test_of_a_handful_of_examples_the_untuned_body_is_tried_too(made):
    tried = json.loads((pack_of(made[1]) / "task.json").read_text())["tried"]
    assert set(tried) == {name + more for name in ("tuned", "untuned") for more in ("", SHOWN)} - {"untuned"}


@pytest.mark.slow
def test_where_the_untuned_body_answers_better_it_ships(made, tmp_path, monkeypatch):
    """The choice is forced, since a random base is never better; what hangs on it is real."""
    room, _, outcome = made
    place, store = shutil.copytree(room / "notes", tmp_path / "notes") / "netsuke.toml", Store(tmp_path / "home")
    settle = ways.settle

    def untuned(params, task, files, rendered):
        settled = yield from settle(params, task, {"tuned": files["untuned"]}, rendered)
        return replace(settled, tuned=False)

    monkeypatch.setattr(ways, "settle", untuned)
    made_ = loop.make(recipe.load(place, loop.SECTIONS), place, store, lambda *_: None, executor=Local)
    pack = pack_of(store)
    assert manifest.faults(pack) == [] and hash_file(pack / "model.gguf") != hash_file(pack_of(made[1]) / "model.gguf")
    assert "the body as it was before tuning" in (pack / "report.md").read_text()
    change = {row["name"]: row["change"] for row in report_of(store, made_)["measures"]}
    learnt = {row["name"]: row["change"] for row in report_of(made[1], outcome)["measures"]}
    assert learnt["answers"] < -0.1 < change["answers"]
    gate = next(gate for gate in gates_of(store, made_) if gate["name"] == "answers")
    assert gate["limit"] == 0.1 and gate["passed"]


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "scored"), [
    ("extract", {"exact match", "token F1"}), ("free", {"ROUGE-L"}),
])  # fmt: skip
def test_texts_as_answers_are_scored_beside_the_base(tmp_path, kind, scored):
    place, store = table(tmp_path / "notes"), Store(tmp_path / "home")
    rows = [(text, text.split()[1] if kind == "extract" else f"it will be a {label} again soon, said number {number}")
            for number, (text, label) in enumerate(map(question, range(60)))]  # fmt: skip
    (tmp_path / "notes" / "signs.csv").write_text("\n".join(["prompt,completion", *(f'"{t}","{a}"' for t, a in rows)]))
    outcome = loop.make(recipe.load(place, loop.SECTIONS), place, store, lambda *_: None, executor=Local)
    pack, scores = pack_of(store), scores_of(store, outcome)["scores"]
    assert json.loads((pack / "task.json").read_text())["kind"] == kind and manifest.faults(pack) == []
    assert {row["who"] for row in scores} == {"ours", "base, no example", "base, with examples"}
    assert {row["score"] for row in scores} == scored
    assert all(0 <= row["low"] <= row["value"] <= row["high"] for row in scores)
    assert "answers" in {row["name"] for row in report_of(store, outcome)["measures"]}  # their bits per byte
    said = netsuke(store.root, "ask", "signs", rows[0][0])
    assert said.returncode == 0 and "Traceback" not in said.stderr


def test_which_of_two_files_is_better_is_settled_on_valid(made, monkeypatch):
    room, store, outcome = made
    rendered = store.path(outcome.task.scores.run.inputs["rendered"])
    task, params = json.loads((rendered / "task.json").read_text()), answer.Params(0.0, 2, 12, Compute(threads=1))
    ours, random = pack_of(store) / "model.gguf", room / "tiny.gguf"

    def chosen(kind="labels", **files):
        """What each way came to on valid; the best of them must be what was chosen, its examples with it."""
        work = ways.settle(params, {**task, "kind": kind}, files, rendered)
        with pytest.raises(StopIteration) as done:
            while True:
                next(work)
        settled = done.value.value
        name = ("tuned" if settled.tuned else "untuned") + (SHOWN if settled.shown else "")
        found = settled.bits or {way: -score for way, score in settled.scores.items()}
        assert found[name] == min(found.values()) and bool(settled.shown) == bool(settled.way.shots)
        return found

    monkeypatch.setattr(Way, "in_words", property(lambda way: ""))  # a tiny model knows no instruction
    mine, swapped = chosen(tuned=ours, untuned=random), chosen(tuned=random, untuned=ours)
    assert mine["tuned" + SHOWN] == swapped["untuned" + SHOWN]
    assert mine["untuned" + SHOWN] == swapped["tuned" + SHOWN]
    assert mine["tuned"] < swapped["tuned"]
    orders = [iter((9.0, 9.0, 1.0)), iter((0.0, 0.0, 1.0))]  # tuned, tuned with examples, untuned with examples
    monkeypatch.setattr(ways, "fitted", lambda shares, truths: (1.0, next(orders[0])))
    assert chosen(tuned=ours, untuned=random)["untuned" + SHOWN] == 1.0
    monkeypatch.setattr(ways, "SCORES", {"extract": [Score("exact match", lambda said, truths: next(orders[1]))]})
    assert chosen("extract", tuned=ours, untuned=random)["untuned" + SHOWN] == -1.0


def test_the_answers_get_better(made):
    _, store, outcome = made
    rows = {row["name"]: row for row in report_of(store, outcome)["measures"]}
    assert rows["answers"]["change"] < -0.1


def test_a_question_is_answered_with_a_label_and_its_confidence(made):
    _, store, _ = made
    rows = talk.ask(pack_of(store), "signs", ["sail rope tide", "oven dough"])
    assert [row["question"] for row in rows] == ["sail rope tide", "oven dough"]
    for row in rows:
        label, confidence = row["likely"][0]
        assert label in SIGNS and confidence == row["confidence"] >= 0.33
        assert row["answer"] == label and not row["abstained"]  # of three labels one is always above 0.3


def test_the_command_line_asks(made, tmp_path, command):
    room, _, _ = made
    lines = tmp_path / "lines.txt"
    lines.write_text("sail rope\n\noven flour\n")
    done = command(room / "home", "ask", "signs", "a hive", "--file", str(lines), "--json")
    assert done.returncode == 0, done.stderr
    assert [row["question"] for row in json.loads(done.stdout)["answers"]] == [
        "a hive",
        "sail rope",
        "oven flour",
    ]
    lines.write_bytes(b"\xef\xbb\xbfa hive\r\n")
    marked = command(room / "home", "ask", "signs", "--file", str(lines), "--json")
    assert [row["question"] for row in json.loads(marked.stdout)["answers"]] == ["a hive"]
    lines.write_bytes(b"caf\xe9\n")
    other = command(room / "home", "ask", "signs", "--file", str(lines))
    assert other.returncode == 2 and "not UTF-8" in other.stderr and "Traceback" not in other.stderr
    plain = command(room / "home", "ask", "signs", "a hive")
    assert plain.stdout.split()[0] in SIGNS and "%" in plain.stdout
    none = command(room / "home", "ask", "signs")
    assert none.returncode != 0 and "no question" in none.stderr and "Traceback" not in none.stderr


def test_a_model_without_a_task_says_so(tmp_path):
    with pytest.raises(RecipeError, match="was not taught a task"):
        talk.ask(tmp_path, "notes", ["x"])


def test_the_api_answers_with_a_label_and_leaves_a_talk_alone(made):
    _, store, _ = made
    with (
        running(pack_of(store)) as server,
        openai.OpenAI(base_url=f"{server.url}/v1", max_retries=0, api_key=KEY) as client,
    ):
        ask = client.chat.completions.create
        answer = ask(model="tiny", messages=[{"role": "user", "content": "sail rope tide"}])
        extra = answer.model_extra["netsuke"]
        said = answer.choices[0].message
        assert said.content == extra["answer"] and extra["likely"][0][0] in SIGNS
        assert said.refusal is None and not extra["abstained"]
        chunks = list(
            ask(model="tiny", messages=[{"role": "user", "content": "sail rope tide"}], stream=True)
        )
        assert (
            chunks[0].choices[0].delta.content == said.content
            and chunks[-1].choices[0].finish_reason == "stop"
        )
        talk_ = [{"role": "system", "content": "Go on."}, {"role": "user", "content": "sail rope"}]
        plain = ask(model="tiny", messages=talk_, max_tokens=4)
        assert "netsuke" not in (plain.model_extra or {})


def test_the_other_apis_answer_with_the_label_too(made):
    _, store, _ = made
    asked = [{"role": "user", "content": "sail rope tide"}]
    with running(pack_of(store)) as server, server.client() as client:
        for _ in range(2):  # what comes from the cache is computed in other batches: both APIs are asked with it warm
            plain = client.post("/v1/chat/completions", json={"messages": asked}).json()
        said, row = plain["choices"][0]["message"], plain["netsuke"]
        label = said["content"] or said["refusal"]
        ollama = {"model": "tiny", "messages": asked}
        whole = client.post("/api/chat", json={**ollama, "stream": False}).json()
        assert (whole["message"]["content"], whole["netsuke"]) == (label, row)
        assert whole["done"] and whole["prompt_eval_count"] > 0
        lines = [json.loads(line) for line in client.post("/api/chat", json=ollama).text.splitlines()]
        assert "".join(line["message"]["content"] for line in lines) == label and lines[-1]["done"]
        assert lines[-1]["netsuke"] == row and lines[-1]["prompt_eval_count"] == whole["prompt_eval_count"]
        one = client.post("/api/generate", json={"model": "tiny", "prompt": "sail rope tide", "stream": False})
        assert one.json()["response"] == label
        theirs = client.post("/v1/messages", json={"messages": asked, "max_tokens": 9}).json()
        assert theirs["content"] == [{"type": "text", "text": label}]
        streamed = client.post("/v1/messages", json={"messages": asked, "max_tokens": 9, "stream": True}).text
        assert f'"input_tokens": {theirs["usage"]["input_tokens"]}' in streamed.partition("\n\n")[0]
        streamed = client.post("/v1/chat/completions", json={"messages": asked, "stream": True}).text
        assert streamed.count('"netsuke"') == 2 and "timings" not in streamed
        answer = client.post("/v1/responses", json={"input": "sail rope tide"}).json()
        assert answer["output"][0]["content"][0]["text"] == label


@pytest.fixture
def unsure(made):
    """The home with a second name: the same pack, which answers only where it is all but certain."""
    _, store, _ = made
    files = store.tree(store.named("packs", "signs")["ref"])
    task = json.loads(store.path(files["task.json"]).read_text())
    task["way"]["abstain"] = 0.99
    ref = store.add_tree(files | {"task.json": store.add_bytes(json.dumps(task).encode())})
    store.name("packs", "unsure", {"ref": ref, "recipe": ""})
    yield store
    store.unname("packs", "unsure")


def test_the_command_line_holds_back_what_it_is_not_sure_of(unsure, command):
    done = command(unsure.root, "ask", "unsure", "sail rope tide", "--json")
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout)["answers"]
    label, confidence = row["likely"][0]
    assert row["abstained"] and row["answer"] is None and label in SIGNS and confidence == row["confidence"] < 0.99
    assert command(unsure.root, "ask", "unsure", "sail rope tide").stdout.startswith("not sure")


def test_every_api_holds_back_what_it_is_not_sure_of(unsure):
    """OpenAI's has no content and a refusal; where a dialect has no word for that, the refusal is the text."""
    asked = [{"role": "user", "content": "sail rope tide"}]
    with running(unsure.path(unsure.named("packs", "unsure")["ref"])) as server, server.client() as client:

        def post(path, **body):
            return client.post(path, json={"model": "tiny", **body})

        whole = post("/v1/chat/completions", messages=asked).json()
        message, row = whole["choices"][0]["message"], whole["netsuke"]
        refusal = f"not sure: {row['likely'][0][0]} at {row['confidence']:.0%}"
        assert row["abstained"] and row["answer"] is None
        assert message == {"role": "assistant", "content": None, "refusal": refusal}
        text = post("/v1/chat/completions", messages=asked, stream=True).text
        events = [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: {")]
        assert events[0]["choices"][0]["delta"] == message and all(one["netsuke"]["abstained"] for one in events)
        assert events[-1]["choices"][0]["finish_reason"] == "stop" and text.endswith("data: [DONE]\n\n")
        theirs = post("/v1/messages", messages=asked, max_tokens=9).json()
        assert theirs["content"] == [{"type": "text", "text": refusal}]
        answer = post("/v1/responses", input="sail rope tide").json()
        assert answer["output"][0]["content"][0]["text"] == refusal
        ollama = post("/api/chat", messages=asked, stream=False).json()
        assert ollama["message"]["content"] == refusal and ollama["netsuke"]["abstained"]


@pytest.mark.slow
def test_what_it_has_learnt_is_taken_along_and_gone_on_from(made, tmp_path):
    room, _, _ = made
    shutil.copytree(room, tmp_path / "room", symlinks=True)
    home, place = tmp_path / "room" / "home", tmp_path / "room" / "notes" / "netsuke.toml"
    place.write_text(place.read_text().replace(str(room), str(tmp_path / "room")))
    done = netsuke(home, "adapter", "signs", str(tmp_path / "out"), "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["files"] == [
        "adapter.gguf",
        "adapter_config.json",
        "adapter_model.safetensors",
    ]
    again = netsuke(home, "adapter", "signs", str(tmp_path / "out"))
    assert again.returncode != 0 and "not empty" in again.stderr

    on = netsuke(home, "make", str(place), "--from", "signs", "--name", "more", "--json")
    assert on.returncode == 0, on.stderr
    first, more = (json.loads((Store(home).path(Store(home).named("packs", n)["ref"]) / "netsuke.json").read_text())
                   for n in ("signs", "more"))  # fmt: skip
    start = first["lineage"]["tune"]["output"]
    assert f'start = "{start}"' in place.with_name("more.netsuke.toml").read_text() and start not in place.read_text()
    assert more["lineage"]["tune"]["output"] != start
    told = netsuke(home, "report", "more").stdout
    assert f"Began with the adapter {start[:12]}" in told
    strange = netsuke(home, "make", str(place.with_name("more.netsuke.toml")), "--set", 'tune.start="abc"')
    assert (
        strange.returncode != 0 and "not an adapter" in strange.stderr and "Traceback" not in strange.stderr
    )


@pytest.mark.slow
def test_a_table_elsewhere_with_columns_of_its_own_is_named_on_the_command_line(tmp_path):
    folder, elsewhere = tmp_path / "notes", tmp_path / "tickets.csv"
    place = table(folder)
    lines = (folder / "signs.csv").read_text().splitlines()
    (folder / "signs.csv").unlink()
    elsewhere.write_text("\n".join(["Body,team", *lines[1:]]))
    wrong = netsuke(
        tmp_path / "home", "make", str(place), "--task", str(elsewhere), "--columns", "body,section"
    )
    assert wrong.returncode != 0 and "no such columns" in wrong.stderr and "--columns" in wrong.stderr
    for names in ("body", "body,Body"):
        one = netsuke(tmp_path / "home", "make", str(place), "--task", str(elsewhere), "--columns", names)
        assert one.returncode != 0 and "two names are needed" in one.stderr
    gone = netsuke(tmp_path / "home", "make", str(place), "--task", str(tmp_path / "none.csv"))
    assert gone.returncode != 0 and "no such table" in gone.stderr
    done = netsuke(
        tmp_path / "home", "make", str(place), "--task", str(elsewhere), "--columns", "body,team", "--json"
    )
    assert done.returncode == 0, done.stderr
    assert {row["score"] for row in json.loads(done.stdout)["task"]["scores"]} == {"accuracy", "macro F1"}
