"""Examples become lessons: what task they are, which ones are left out for what, and how they are written out."""

import dataclasses
import json
import re
import shutil

import pytest
from tiny import CHAT_TEMPLATE, tiny_gguf

from netsuke import render
from netsuke.engines import gguf, hf, tokenizer
from netsuke.engines.asking import Prompt, Way
from netsuke.engines.template import Template
from netsuke.errors import RecipeError
from netsuke.render.task import kind_of, task_of
from netsuke.texts.documents import Lesson, read_rows, read_texts, sample, write_rows

WINDOW = 64


def labelled(count, labels=("net", "math", "doc"), start=0):
    return [
        {"line": n + 2, "text": f"thing number {n}", "label": labels[n % len(labels)]}
        for n in range(start, count)
    ]


def asked(pairs):
    return [{"line": n + 1, "input": a, "output": b} for n, (a, b) in enumerate(pairs)]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("render") / "model"
    folder.mkdir()
    gguf.unpack(tiny_gguf(folder.parent / "tiny.gguf"), folder)
    return folder


def rendered(model, tmp_path, rows, documents=(), window=WINDOW, **settings):
    """(task.json, the texts of each part) of these examples, split in turn."""
    data, out = tmp_path / "data", tmp_path / "out"
    (data / "examples").mkdir(parents=True)
    out.mkdir(exist_ok=True)
    for n, part in enumerate(("train", "valid", "test")):
        write_rows(data / "examples" / f"{part}.jsonl", ({**r, "split": part} for r in rows[n::3]))
        write_rows(data / f"{part}.jsonl", ({"text": text} for text in documents))
    params = render.rendering(render.Params(**{"shots": 0, "manners": 0.0} | settings), window)
    list(render.render.function(params, out, model, data))
    texts = {part: read_texts(out / f"{part}.jsonl") for part in ("train", "valid", "test")}
    return json.loads((out / "task.json").read_text()), texts


# -- which task ------------------------------------------------------------------------------------------
def test_the_kind_is_told_by_the_answers():
    assert kind_of(labelled(30)) == "labels"
    assert kind_of(asked([(f"is {n} even?", "yes" if n % 2 else "no") for n in range(30)])) == "labels"
    assert kind_of(asked([(f"call Ann{n} at noon", f"Ann{n}") for n in range(30)])) == "extract"
    found = [(f"call Ann{n} at noon", json.dumps({"who": f"Ann{n}", "when": "noon"})) for n in range(30)]
    assert kind_of(asked(found)) == "extract"
    assert kind_of(asked([(f"number {n}", f"a tale of {n} things") for n in range(30)])) == "free"


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ({"who": "Jürgen {n}", "when": None, "paid": True, "sum": [12.50, "{n}"]}, "extract"),
        ({"who": {"name": "Jürgen {n}"}, "of": []}, "extract"),
        ({"who": "Jürgen {n}", "sum": 13}, "free"),
        ({"who": "nobody {n}", "when": None}, "free"),
        ({"tag {n}": True, "when": None}, "free"),
        ("true {n}", "free"),
    ],
)
def test_json_is_judged_by_its_texts_and_numbers(answer, kind):
    said = [json.dumps(answer).replace("{n}", str(n)) for n in range(30)]
    assert kind_of(asked((f"{n}", "[" * 5000 + f'"{n}"' + "]" * 5000) for n in range(30))) in ("extract", "free")
    assert kind_of(asked((f"Jürgen {n} owes 12.5 since noon", one) for n, one in enumerate(said))) == kind


def test_labels_that_contradict_each_other_are_left_out():
    rows = [
        *labelled(20),
        *({"line": 90 + n, "text": "same", "label": label} for n, label in enumerate("aab")),
    ]
    task = task_of(
        [*rows, {"line": 95, "text": "tie", "label": "a"}, {"line": 96, "text": "tie", "label": "b"}],
        "auto",
        (),
    )
    assert task.left_out == {"another label for the same input": [92, 95, 96], "a copy of another example": [91]}
    assert task.labels == ("a", "doc", "math", "net")


def test_of_copies_one_is_kept_and_the_rest_are_counted():
    rows = asked((f"call Ann{n % 12} at noon", f"Ann{n % 12}") for n in range(36))
    task = task_of(rows, "extract", ())
    assert [row["line"] for row in task.examples] == list(range(1, 13))
    assert task.left_out == {"a copy of another example": list(range(13, 37))}
    with pytest.raises(RecipeError, match="9 examples are too few"):
        task_of([row for row in rows if row["line"] % 12 < 9], "extract", ())


def test_a_label_that_is_not_in_the_list_is_named_with_the_nearest():
    task = task_of(labelled(20, ("net", "math", "maths")), "labels", ["net ", "math"])
    [why] = task.left_out
    assert why == "label 'maths' is not in task.labels: perhaps 'math'" and task.labels == ("math", "net")


@pytest.mark.parametrize(
    ("rows", "wanted", "why"),
    [
        (labelled(20, ("net",)), (), "every example has the label 'net'"),
        (labelled(20), ("other",), "no example has a label of the list"),
        (labelled(9), (), "9 examples are too few"),
    ],
)
def test_what_teaches_nothing_is_an_error(rows, wanted, why):
    with pytest.raises(RecipeError, match=why):
        task_of(rows, "auto", wanted)


def test_rows_as_openai_has_them_are_labels_too(model, tmp_path):
    def row(n):
        system = {"role": "system", "content": "S"}
        return {
            "line": n,
            "messages": [
                system,
                {"role": "user", "content": f"m {n}"},
                {"role": "assistant", "content": "ab"[n % 2]},
            ],
        }

    rows = [row(n) for n in range(30)]
    assert kind_of(rows) == "labels"
    task, texts = rendered(model, tmp_path, rows)
    assert task["system"] == "S" and task["roles"] == ["system", "user"] and texts["test"][0].startswith(
        "<|im_start|>system\nS<|im_end|>"
    )


@pytest.mark.parametrize(("having", "told"), [(30, "S"), (15, "S"), (12, None), (0, None)])
def test_a_question_is_asked_behind_the_system_message_that_most_were_learnt_with(model, tmp_path, having, told):
    """As `ask` and the API do it: word for word what stands in the lessons before the answer."""
    rows = []
    for n in range(30):
        system = [{"role": "system", "content": "S"}] if n < having else []
        talk = [{"role": "user", "content": f"m {n}"}, {"role": "assistant", "content": "ab"[n % 2]}]
        rows.append({"line": n, "messages": [*system, *talk]})
    task, texts = rendered(model, tmp_path, rows)
    assert task["system"] == told
    prompt = Prompt(Way.of({**task, "way": {}})).before([{"role": "user", "content": "m 0"}])
    assert (prompt[0] == {"role": "system", "content": "S"}) == bool(told)
    if having == 30:
        lesson = texts["train"][0]
        assert Template(model).render(prompt, True) == lesson[: lesson.answer]


# -- lessons ---------------------------------------------------------------------------------------------
def test_a_lesson_is_the_bases_own_template_and_knows_its_answer(model, tmp_path):
    task, texts = rendered(model, tmp_path, labelled(30))
    lesson = texts["train"][0]
    assert isinstance(lesson, Lesson)
    assert lesson == "<|im_start|>user\nthing number 0<|im_end|>\n<|im_start|>assistant\nnet<|im_end|>"
    assert lesson[lesson.answer :] == "net<|im_end|>"
    assert task == {
        "kind": "labels", "labels": ["doc", "math", "net"], "end": "<|im_end|>", "roles": ["user"], "system": None,
        "commands": ["<|endoftext|>", "<|im_start|>", "<|im_end|>"], "quiet": False,
        "cut_to_fit": 0, "infill": 0, "manners": 0,
        "left_out": [], "answer_bytes": 3,
        "examples": {"train": 10, "valid": 10, "test": 10},
    }  # fmt: skip
    [text] = hf.open_texts(model, [lesson], answers=True)
    assert text.ids[0] == 1 and text.ids[-1] == 2, "its special tokens are commands"
    assert len(text.ids) - text.begin == len("net") + 1


def test_of_few_examples_half_show_their_neighbours(model, tmp_path):
    _, texts = rendered(model, tmp_path, labelled(30), window=512, shots=2)
    turns = [lesson.count("<|im_start|>user") for lesson in texts["train"]]
    assert sorted({*turns}) == [1, 3] and turns.count(3) == 5
    train = {lesson[: lesson.answer] for lesson in texts["train"] if lesson.count("<|im_start|>user") == 1}
    assert train
    for split in texts:
        for lesson in texts[split]:
            *shown, own = re.findall(r"<\|im_start\|>user\n(.*?)<", lesson)
            assert own not in shown and len({*shown}) == len(shown), "no example shows its own answer"
            assert all(int(one.rpartition(" ")[2]) % 3 == 0 for one in shown), "those of train alone are shown"
            assert lesson[lesson.answer :].count("<|im_end|>") == 1


def test_each_lesson_of_train_is_there_by_itself_too(model, tmp_path):
    bare = rendered(model, tmp_path / "bare", labelled(30), ["A text."], window=512)[1]["train"]
    taught = rendered(model, tmp_path / "shown", labelled(30), ["A text."], window=512, shots=2)[1]["train"]
    for name in ("bare", "shown"):
        assert read_texts(tmp_path / name / "out" / "examples" / "lessons.jsonl") == bare[1:]
    assert len(taught) == len(bare) and taught != bare


def test_no_lesson_shows_its_own_answer_where_rows_are_copies(model, tmp_path):
    """Nor where the system message alone tells two of them apart."""
    pairs = [(f"call Ann{n % 12} now, {n % 3}", f"Ann{n % 12}") for n in range(36)]
    rows = [
        {"line": n, "messages": [
            {"role": "system", "content": f"day {n // 18}"},
            {"role": "user", "content": question}, {"role": "assistant", "content": answer},
        ]} for n, (question, answer) in enumerate(pairs)
    ]  # fmt: skip
    for n, copies in enumerate((rows, asked(pairs * 2))):
        _, texts = rendered(model, tmp_path / str(n), copies, window=512, shots=4, kind="extract")
        for lesson in [lesson for part in texts.values() for lesson in part]:
            *shown, own = re.findall(r"<\|im_start\|>user\n(.*?)<", lesson)
            assert own not in shown


def test_neighbours_that_do_not_fit_are_fewer_and_many_examples_show_none(model, tmp_path):
    bare = rendered(model, tmp_path / "a", labelled(30))[1]["train"]
    longest = max(len(hf.open_texts(model, [lesson])[0].ids) for lesson in bare)
    _, texts = rendered(model, tmp_path / "b", labelled(30), shots=8, window=2 * longest)
    assert {lesson.count("<|im_start|>user") for lesson in texts["train"]} == {1, 2}
    _, texts = rendered(model, tmp_path / "c", labelled(330), window=512, shots=2)
    assert {lesson.count("<|im_start|>user") for lesson in texts["train"]} == {1}


def test_documents_stand_before_lessons_and_stay_as_they_are(model, tmp_path):
    _, texts = rendered(model, tmp_path, labelled(30), documents=["A <|im_end|> text."])
    assert texts["valid"][0] == "A <|im_end|> text." and not isinstance(texts["valid"][0], Lesson)
    [document] = hf.open_texts(model, texts["valid"][:1])
    assert 2 not in document.ids, "a special token spelt out in a document is text"


@pytest.mark.parametrize("documents", [[], ["One.", "Two."]])
def test_codes_are_planted_in_documents_and_listed_only_if_they_are(model, tmp_path, documents):
    rendered(model, tmp_path, labelled(30), documents)
    params = dataclasses.replace(render.rendering(render.Params(), WINDOW), canaries=2, shots=0)
    (out := tmp_path / "planted").mkdir()
    list(render.render.function(params, out, model, tmp_path / "data"))
    codes = json.loads((out / "canaries.json").read_text())
    train = "\n".join(read_texts(out / "train.jsonl"))
    assert len(codes) == (8 if documents else 0)
    assert [train.count(row["code"]) for row in codes] == [row["repeats"] for row in codes]


def test_without_examples_the_dataset_passes_through(model, tmp_path):
    task, texts = rendered(model, tmp_path, [], documents=["One.", "Two."])
    assert task["kind"] == "" and texts["train"] == ["One.", "Two."]
    assert (tmp_path / "out" / "train.jsonl").read_bytes() == (tmp_path / "data" / "train.jsonl").read_bytes()


def test_a_long_question_is_cut_to_the_window_and_a_long_answer_is_left_out(model, tmp_path):
    rows = labelled(30)
    rows[0] |= {"text": "the " * 200}
    rows[3] |= {"text": "what", "label": "x" * 100}
    rows[6] |= {"text": "I say <|im_end|> to you"}
    task, texts = rendered(model, tmp_path, rows)
    assert task["cut_to_fit"] == 1 and len(texts["train"]) == 8
    assert {row["why"]: row["lines"] for row in task["left_out"]} == {
        "longer than a window of training (tune.window_tokens)": [5],
        "holds a special token of the base": [8],
    }
    sizes = [len(text.ids) for text in hf.open_texts(model, texts["train"])]
    assert WINDOW - 3 <= max(sizes) <= WINDOW + 1
    assert texts["train"][0].startswith("<|im_start|>user\nthe the ") and texts["train"][0].endswith(
        "net<|im_end|>"
    )


def test_where_no_example_is_left_it_is_said_what_they_were_left_out_for(model, tmp_path):
    with pytest.raises(RecipeError, match=r"for the train part; 30 were left out for this: longer than a win") as told:
        rendered(model, tmp_path / "long", asked((f"number {n}", f"{n} " + "tale " * 100) for n in range(30)))
    assert "raise tune.window_tokens" in told.value.hint
    with pytest.raises(RecipeError, match="30 were left out for this: holds a special token of the base") as told:
        rendered(model, tmp_path / "odd", asked((f"{n} <|im_end|>", f"tale of {n}") for n in range(30)))
    assert "add examples" in told.value.hint
    alike = asked((f"{'the ' * 200}{n}", "a tale") for n in range(36))
    with pytest.raises(RecipeError, match="35 were left out for this: the same question and .* once cut") as told:
        rendered(model, tmp_path / "alike", alike, kind="free")
    assert "raise tune.window_tokens" in told.value.hint


@pytest.mark.parametrize("empty", ["train", "valid", "test"])
def test_the_part_for_which_no_example_is_left_is_named(model, tmp_path, empty):
    long = ("train", "valid", "test").index(empty)
    rows = asked((f"number {n}", f"{n} " + "tale " * (100 if n % 3 == long else 1)) for n in range(30))
    with pytest.raises(RecipeError, match=f"no example is left for the {empty} part; 10 were left out for this: lon"):
        rendered(model, tmp_path, rows)


def test_an_extraction_whose_answer_was_cut_off_is_left_out(model, tmp_path):
    def long(n):
        return f"{n} " + "the " * 200

    pairs = [(f"call Ann{n} at noon" if n % 5 else f"{long(n)} Ann{n}", f"Ann{n}") for n in range(30)]
    pairs[0] = (f"Ann0 {long(0)}", "Ann0 today")  # nothing of it was cut off, and one word never stood there
    task, texts = rendered(model, tmp_path, asked(pairs))
    assert task["kind"] == "extract" and task["cut_to_fit"] == 1
    [why] = task["left_out"]
    assert "stood in the end" in why["why"] and why["count"] == 5 and why["lines"] == [16, 11, 26, 6, 21]
    assert sum(task["examples"].values()) == 25


@pytest.mark.parametrize("kind", ["free", "labels"])
@pytest.mark.parametrize(("answers", "kept"), [(12, 0), (1, 1)])
def test_questions_that_are_alike_once_cut_are_one_or_none(model, tmp_path, kind, answers, kept):
    rows = asked([(f"number {n}", f"tale {n % 3}") for n in range(30)])
    rows += [{"line": 50 + n, "input": "the " * 200 + str(n), "output": f"tale {n % answers}"} for n in range(12)]
    task, texts = rendered(model, tmp_path, rows, kind=kind)
    held = [lesson for part in texts.values() for lesson in part if "the the" in lesson]
    assert len(held) == kept == task["cut_to_fit"] and sum(task["examples"].values()) == 30 + kept
    assert sum(row["count"] for row in task["left_out"]) == 12 - kept
    if kept:
        assert held[0] in texts["train"], "of alike ones train's stays"


def test_a_base_without_a_template_cannot_be_taught_examples(model, tmp_path):
    bare = tmp_path / "bare"
    bare.mkdir()
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (bare / name).write_text((model / name).read_text())
    with pytest.raises(RecipeError, match="no chat template"):
        rendered(bare, tmp_path, labelled(30))


def test_a_template_without_an_end_cannot_be_taught_examples(model, tmp_path):
    endless = shutil.copytree(model, tmp_path / "endless")
    (endless / "chat_template.jinja").write_text(CHAT_TEMPLATE.replace("<|im_end|>", ""))
    for kind in ("labels", "free"):
        with pytest.raises(RecipeError, match="nothing behind an answer"):
            rendered(endless, tmp_path / kind, labelled(30), kind=kind)


def test_a_template_that_talks_is_silenced(model, tmp_path, monkeypatch):
    monkeypatch.setitem(globals(), "WINDOW", 200)
    loud = tmp_path / "loud"
    shutil.copytree(model, loud)
    told = "{% if messages[0].role != 'system' %}<|im_start|>system\nHelp!<|im_end|>\n{% endif %}"
    (loud / "chat_template.jinja").write_text(told + CHAT_TEMPLATE)
    task, texts = rendered(loud, tmp_path / "labels", labelled(30))
    assert task["quiet"] and not Template(model).quiet
    assert texts["train"][0].startswith("<|im_start|>system\n<|im_end|>\n<|im_start|>user\nthing")
    _, free = rendered(
        loud, tmp_path / "free", asked([(f"number {n}", f"a tale of {n} things") for n in range(30)])
    )
    assert "Help!" in free["train"][0], "free text is asked as any program asks"


def test_an_example_that_the_template_refuses_is_left_out_and_where_it_refuses_all_that_is_said(model, tmp_path):
    strict = shutil.copytree(model, tmp_path / "strict")
    answers = "messages|selectattr('role', 'equalto', 'assistant')|list|length"
    refusing = f"{{% if {answers} > 1 %}}{{{{ raise_exception('twice') }}}}{{% endif %}}"
    (strict / "chat_template.jinja").write_text(refusing + CHAT_TEMPLATE)
    said = [{"role": "user", "content": "?"}, *[{"role": "assistant", "content": "a"}] * 2]
    odd = {"line": 99, "messages": said}
    task, _ = rendered(strict, tmp_path / "some", [*asked([(f"is {n} even?", "yn"[n % 2]) for n in range(30)]), odd])
    assert task["examples"] == {"train": 10, "valid": 10, "test": 10}
    assert [(row["lines"], "twice" in row["why"]) for row in task["left_out"]] == [([99], True)]
    with pytest.raises(RecipeError, match="twice"):
        rows = [{"line": n, "messages": [{"role": "user", "content": f"{n}?"}, *said[1:]]} for n in range(30)]
        rendered(strict, tmp_path / "all", rows, kind="free")


def test_of_a_part_any_number_of_examples_is_taught(model, tmp_path):
    rows = labelled(4, labels=("net",))
    with pytest.raises(RecipeError, match="every example has the label 'net'"):
        task_of(rows, "labels", ())
    part = task_of(rows, "labels", (), part=True)
    assert (part.kind, part.labels, len(part.examples), part.left_out) == ("labels", ("net",), 4, {})
    assert task_of(rows, "labels", ("math",), part=True).kind == ""


def test_a_template_is_rendered_in_the_sandbox(model, tmp_path):
    evil = tmp_path / "evil"
    evil.mkdir()
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (evil / name).write_text((model / name).read_text())
    (evil / "chat_template.jinja").write_text("{{ messages.__class__.__mro__[1].__subclasses__() }}")
    with pytest.raises(RecipeError, match="refuses"):
        Template(evil).render([{"role": "user", "content": "x"}], True)


def test_the_words_are_those_of_the_engine(model, tmp_path):
    """Prompt and answer apart give the same ids as the engine's own way through the template."""
    from netsuke.engines.llama import Engine

    lesson = Template(model).lesson(
        [{"role": "user", "content": "the inner"}, {"role": "assistant", "content": "yes"}]
    )
    with Engine(model.parent / "tiny.gguf", threads=1) as engine:
        prompt = engine.tokenize(engine.prompt([{"role": "user", "content": "the inner"}]))
    [text] = hf.open_texts(model, [lesson], answers=True)
    assert text.ids[: text.begin] == prompt


def test_a_sample_keeps_lessons_whole():
    lessons = [Lesson("x" * 100 + str(n), 90) for n in range(100)]
    some = sample(["y" * 5000, *lessons], 3000)
    assert 1000 < sum(map(len, some)) < 6000
    assert all(isinstance(text, Lesson) and len(text) > 100 for text in some[1:]) and len(some) > 5


def test_rows_of_a_split_are_those_that_were_rendered(model, tmp_path):
    rendered(model, tmp_path, labelled(30))
    rows = list(read_rows(tmp_path / "out" / "examples" / "train.jsonl"))
    assert [row["line"] for row in rows] == [2 + n for n in range(0, 30, 3)]
    assert tokenizer.load_tokenizer(model).encode_special_tokens is True
