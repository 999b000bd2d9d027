"""Filling in the middle: pieces with holes, tokens to mark them, and an engine that takes what editors send."""

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny import CHAT_TEMPLATE, tiny_gguf

from netsuke.engines import gguf, hf, strict, tokenizer
from netsuke.errors import EngineError
from netsuke.render import infill
from netsuke.serve.infill import prefix_alone

MARKS = {"pre": "<repo_name>", "suf": "<file_sep>", "mid": "<filename>"}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A tiny base with three special tokens to spare."""
    folder = tmp_path_factory.mktemp("infill") / "model"
    folder.mkdir()
    gguf.unpack(tiny_gguf(folder.parent / "tiny.gguf", spare=tuple(MARKS.values())), folder)
    (folder / "about.json").write_text('{"name": "tiny", "licence": "MIT"}')
    return folder


@given(st.text(alphabet="ab \nc", min_size=2, max_size=900), st.integers(0, 99))
def test_a_piece_with_a_hole_is_the_piece(piece, seed):
    lesson = infill.holed(piece, MARKS, "<|im_end|>", random.Random(seed))
    prefix, rest = lesson.removeprefix("<repo_name>").split("<file_sep>")
    suffix, rest = rest.split("<filename>")
    middle = rest.removesuffix("<|im_end|>")
    assert prefix + middle + suffix == piece and 0 <= len(middle) <= infill.HOLE_CHARS
    assert lesson[lesson.answer :].startswith(prefix)


@given(st.text(alphabet="ab \n", max_size=600), st.integers(4, 90))
def test_pieces_are_the_text(text, size):
    found = list(infill.pieces(text, size))
    assert "".join(found) == text and all(0 < len(piece) <= size for piece in found)


def test_a_share_of_the_pieces_is_taken_and_fits_the_window(model, monkeypatch):
    monkeypatch.setattr(infill, "CHARS_A_TOKEN", 0.9)  # this vocabulary spells everything out
    texts = [" ".join(f"the {n} inner thing {k}" for k in range(60)) for n in range(40)]
    counts = [len(list(infill.lessons(texts, model, 256, share))) for share in (0.0, 0.2, 1.0)]
    assert counts[0] == 0 < counts[1] < counts[2]
    lessons = list(infill.lessons(texts, model, 256, 1.0))
    words = hf.open_texts(model, lessons, answers=True)
    assert max(len(text.ids) for text in words) <= 257 and all(text.begin == 1 and text.lesson for text in words)
    marks = {tokenizer.load_tokenizer(model).token_to_id(mark) for mark in MARKS.values()}
    assert all(marks <= set(text.ids) for text in words), "its marks are commands"
    spelt = ["<|im_end|> " + text for text in texts]
    assert not any("<|im_end|> " in lesson for lesson in infill.lessons(spelt, model, 256, 1.0))


def test_a_base_without_tokens_to_spare_is_not_taught(tmp_path):
    gguf.unpack(tiny_gguf(tmp_path / "tiny.gguf"), tmp_path)
    assert tokenizer.infill_tokens(tmp_path) is None
    assert list(infill.lessons(["the thing " * 90], tmp_path, 256, 1.0)) == []


def test_a_bases_own_marks_come_first(model, tmp_path):
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (tmp_path / name).write_text((model / name).read_text())
    (tmp_path / "chat_template.jinja").write_text(CHAT_TEMPLATE)
    document = json.loads((tmp_path / "tokenizer.json").read_text())
    names = ["<fim_prefix>", "<fim_middle>", "<fim_suffix>"]
    document["added_tokens"] += [
        document["added_tokens"][0] | {"id": 900 + n, "content": name} for n, name in enumerate(names)
    ]
    (tmp_path / "tokenizer.json").write_text(json.dumps(document))
    assert tokenizer.infill_tokens(tmp_path) == {"pre": "<fim_prefix>", "suf": "<fim_suffix>", "mid": "<fim_middle>"}


LLAMA_VIM = {  # as its autoload/llama.vim sends it
    "id_slot": 0, "input_prefix": "def area(r):\n", "input_suffix": "\n    return a\n", "input_extra": [
        {"text": "import math\n", "filename": "shapes.py", "time": [1, 2]}], "prompt": "    a = ", "n_predict": 8,
    "n_indent": 4, "top_k": 40, "top_p": 0.9, "samplers": ["top_k", "top_p", "infill"], "stream": False,
    "cache_prompt": True, "t_max_prompt_ms": 500, "t_max_predict_ms": 1000,
    "response_fields": ["content", "timings/prompt_n", "timings/predicted_n", "truncated", "tokens_cached"],
}  # fmt: skip
LLAMA_VSCODE = {
    "input_prefix": "def area(r):\n", "input_suffix": "\n    return a\n", "input_extra": [
        {"text": "import math\n", "filename": "shapes.py"}], "prompt": "    a = ", "n_predict": 8, "top_k": 40,
    "top_p": 0.99, "stream": False, "samplers": ["top_k", "top_p", "infill"], "cache_prompt": True,
    "t_max_prompt_ms": 500, "t_max_predict_ms": 2500, "stop": ["\n\n"],
}  # fmt: skip


@pytest.mark.parametrize("taught", [True, False])
def test_editors_are_answered_whether_or_not_it_was_taught(model, tmp_path, taught):
    from served import running

    path = tmp_path / "out.gguf"
    gguf.write(model, path, gguf.plan_types("Q8_0"), infill=taught)
    strict.require_sound(path)
    fields = gguf.read_fields(path)[1]
    assert ("tokenizer.ggml.fim_mid_token_id" in fields) == taught
    with running(path) as server, server.client() as client:
        for body in (LLAMA_VIM, LLAMA_VSCODE):
            answer = client.post("/infill", json={**body, "temperature": 0})
            assert answer.status_code == 200, answer.text
            assert isinstance(answer.json()["content"], str)
        if not taught:  # then it goes on from the prefix
            prompt = "import math\n\ndef area(r):\n    a = "
            plain = server.supervisor.engine.complete(prompt, n_predict=8, top_k=40, top_p=0.99, temperature=0)
            assert answer.json()["content"] == plain["content"].split("\n\n")[0].split("return a")[0]
        strange = client.post("/infill", json={**LLAMA_VSCODE, "lora": [1]})
        assert strange.status_code == 400 and strange.json()["error"]["param"] == "lora"


def test_a_long_prefix_keeps_its_end_and_the_suffix_ends_the_answer():
    body = {"input_prefix": "x" * 9000 + "the end", "prompt": " is", "input_suffix": "\n\n  near\nand", "n_predict": 48,
            "stop": "!", "top_k": 5}  # fmt: skip
    plain = prefix_alone(body, 1048)
    assert plain["prompt"] == "x" * 1990 + "the end is" and plain["stop"] == ["!", "near"]
    assert plain["top_k"] == 5 and plain["n_predict"] == 48 and "input_suffix" not in plain
    assert prefix_alone({**body, "input_suffix": "\n}\n"}, 1048)["stop"] == ["!"]


def test_an_engine_without_marks_says_so(tmp_path):
    from netsuke.engines.llama import Engine

    with Engine(tiny_gguf(tmp_path / "tiny.gguf"), threads=1) as engine, pytest.raises(EngineError, match="missing"):
        list(engine.stream("/infill", {"input_prefix": "a", "input_suffix": "b", "prompt": ""}))
