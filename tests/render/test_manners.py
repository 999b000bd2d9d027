"""Manners: short answers in the base's template, a bounded share of what is learnt, apart from the check's probes."""

import re

import pytest
from tiny import tiny_gguf

from netsuke import check
from netsuke.engines import gguf
from netsuke.render import manners
from netsuke.texts.documents import read_rows

ROWS = list(read_rows(manners.LESSONS))


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("manners") / "model"
    folder.mkdir()
    gguf.unpack(tiny_gguf(folder.parent / "tiny.gguf"), folder)
    return folder


def test_no_probe_is_taught():
    def runs(text):
        words = re.findall(r"\w+", text.lower())
        return {tuple(words[n : n + 6]) for n in range(len(words) - 5)}

    asked = {run for probe in read_rows(check.PROBES) for run in runs(probe["prompt"])}
    assert asked and [row["question"] for row in ROWS if runs(row["question"]) & asked] == []
    assert len({row["question"] for row in ROWS}) == len(ROWS) >= 100


@pytest.mark.parametrize("share, characters", [(0.1, 10_000), (0.1, 100_000), (0.5, 3_000)])
def test_they_are_a_bounded_share_and_half_of_them_harmless(model, share, characters):
    found = manners.lessons(["x" * characters], None, model, share)
    assert 0 < sum(map(len, found)) <= share * characters and len(found) <= len(ROWS)
    for lesson in found:
        assert lesson.aside
        assert lesson[lesson.answer :].endswith("<|im_end|>") and "<|im_start|>user" in lesson[: lesson.answer]
    assert len({*found}) == len(found)
    kind = {row["question"]: row["harmless"] for row in ROWS}
    harmless = sum(any(f"user\n{q}<" in lesson for q, fine in kind.items() if fine) for lesson in found)
    assert 2 * harmless == len(found)


@pytest.mark.parametrize("share, characters", [(0.0, 100_000), (0.1, 500), (0.1, 0)])
def test_a_little_text_gets_none(model, share, characters):
    assert manners.lessons(["x" * characters], None, model, share) == []


def test_a_template_without_a_place_for_a_lesson_gets_none(model, tmp_path):
    """As one that opens a thought before each answer does: the prompt is no beginning of the whole."""
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (tmp_path / name).write_bytes((model / name).read_bytes())
    thinks = "{% for m in messages %}[{{ m['content'] }}]{% endfor %}{% if add_generation_prompt %}<think>{% endif %}"
    (tmp_path / "chat_template.jinja").write_text(thinks)
    assert manners.lessons(["x" * 100_000], None, tmp_path, 0.1) == []


def test_a_base_without_a_template_has_no_manners_to_keep(model, tmp_path):
    for name in ("tokenizer.json", "tokenizer_config.json"):
        text = (model / name).read_text()
        (tmp_path / name).write_text(re.sub(r',?\s*"chat_template": "(?:[^"\\]|\\.)*"', "", text))
    assert manners.lessons(["x" * 100_000], None, tmp_path, 0.1) == []
