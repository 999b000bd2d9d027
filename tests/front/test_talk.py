"""Talking in the terminal."""

import io
import sys

from tiny import tiny_gguf

from netsuke.front import talk


def repeated(text):
    """The share of runs of three characters that were there before."""
    runs = [text[at : at + 3] for at in range(len(text) - 2)]
    return 1 - len(set(runs)) / max(1, len(runs))


def test_a_repeat_penalty_makes_what_was_written_less_likely(tmp_path):
    model = tiny_gguf(tmp_path / "model.gguf")
    plain, varied = (
        talk.complete(model, "the", 120, 0.0, 1, echo=False, repeat_penalty=penalty) for penalty in (1.0, 2.0)
    )
    assert plain == talk.complete(model, "the", 120, 0.0, 1, echo=False)
    assert repeated(varied) < repeated(plain)


def test_a_line_that_is_not_utf8_is_said_and_the_talk_goes_on(tmp_path, monkeypatch, capsys):
    lines = io.TextIOWrapper(io.BytesIO(b"caf\xe9\nhello\n"), "utf-8", "surrogateescape")
    monkeypatch.setattr(sys, "stdin", lines)
    talk.chat(tiny_gguf(tmp_path / "model.gguf"), "notes", 4, 0.0)
    said = capsys.readouterr()
    assert said.err.count("error:") == 1 and "error: byte 0xe9 after 3 letters is not UTF-8" in said.err
    assert said.out.endswith("\n")


def test_a_talk_of_few_letters_a_token_goes_on_without_its_oldest_lines(tmp_path, monkeypatch, capsys):
    long = "漢" * 800  # 2,400 tokens to this model
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{long}\n{long}\n{long * 2}\nhello\n"))
    asked, answer = [], talk._answer
    monkeypatch.setattr(talk, "_answer", lambda engine, said, *more: asked.append(said) or answer(engine, said, *more))
    talk.chat(tiny_gguf(tmp_path / "model.gguf"), "notes", 4, 0.0)
    assert [len(messages) for messages in asked] == [1, 1, 1, 3], "a line too long by itself costs no older one"
    assert capsys.readouterr().err.count("error:") == 1
