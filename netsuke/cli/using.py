"""Using a model in the terminal."""

from __future__ import annotations

import sys
from typing import Any

import click

from ..errors import RecipeError
from . import AS_JSON, Words, open_store, result

REPEAT_PENALTY = click.option(
    "--repeat-penalty",
    default=1.1,
    type=click.FloatRange(1, 2),
    show_default=True,
    help="Makes words of the last 256 tokens less likely: a small model goes in circles without it; 1 is none.",
)


@click.command()
@click.argument("name")
@click.option("--max-tokens", default=512, type=click.IntRange(1, 4096), show_default=True)
@click.option("--temperature", default=0.7, type=click.FloatRange(0, 2), show_default=True)
@REPEAT_PENALTY
def chat(name: str, max_tokens: int, temperature: float, repeat_penalty: float) -> None:
    """Talk to a model in the terminal; Ctrl-D ends."""
    from ..front import talk, targets

    model = targets.pack_folder(name, open_store()) / "model.gguf"
    talk.chat(model, name, max_tokens, temperature, repeat_penalty)


@click.command()
@click.argument("name")
@click.argument("prompt", required=False, type=Words())
@click.option("--max-tokens", default=128, type=click.IntRange(1, 4096), show_default=True)
@click.option("--temperature", default=0.3, type=click.FloatRange(0, 2), show_default=True)
@click.option("--seed", type=click.IntRange(0, 2**31))
@REPEAT_PENALTY
@AS_JSON
def complete(
    name: str, prompt: str | None, max_tokens: int, temperature: float, seed: int | None, repeat_penalty: float,
    as_json: bool,
) -> None:  # fmt: skip
    """Go on writing from PROMPT (or from standard input)."""
    from ..front import talk, targets

    if prompt is None:
        prompt = "" if sys.stdin.isatty() else Words()(sys.stdin.read())
    if not prompt.strip():
        raise RecipeError("no prompt", hint=f'netsuke complete {name} "The with statement"')
    text = talk.complete(
        targets.pack_folder(name, open_store()) / "model.gguf",
        prompt,
        max_tokens,
        temperature,
        seed,
        echo=not as_json,
        repeat_penalty=repeat_penalty,
    )
    if as_json:
        result({"name": name, "prompt": prompt, "completion": text}, True, "")


@click.command()
@click.argument("name")
@click.argument("questions", nargs=-1, type=Words())
@click.option(
    "--file", "lines", type=click.File(encoding="utf-8-sig"), help="Ask each line of a file; - is standard input."
)
@AS_JSON
def ask(name: str, questions: tuple[str, ...], lines: Any, as_json: bool) -> None:
    """Answer QUESTIONS as the examples of a model taught. A label comes with its confidence; else it is a text."""
    from ..front import show, talk, targets

    try:
        asked = [*questions, *(line.strip() for line in lines or () if line.strip())]
    except UnicodeDecodeError as error:
        raise RecipeError("the questions are not UTF-8", where=lines.name, hint="save the file as UTF-8") from error
    if not asked:
        raise RecipeError("no question", hint=f'netsuke ask {name} "some text", or --file questions.txt')
    rows = talk.ask(targets.pack_folder(name, open_store()), name, asked)
    result({"name": name, "answers": rows}, as_json, lambda: show.answers(rows))
