"""The base's own chat template, rendered in Jinja's sandbox as transformers does it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from transformers.utils.chat_template_utils import render_jinja_template

from ..errors import RecipeError
from ..texts.documents import Lesson
from ..texts.examples import SILENCE
from . import tokenizer

NO_DATE = "1 January 2026"
Messages = Sequence[dict[str, str]]


class Template:
    """How the base of a model folder writes a conversation. Raises RecipeError where it has no template."""

    def __init__(self, folder: Path) -> None:
        config = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
        file = folder / "chat_template.jinja"
        self.source = file.read_text(encoding="utf-8") if file.exists() else config.get("chat_template")
        if not isinstance(self.source, str):
            raise RecipeError(
                "the base has no chat template, and examples are taught in it",
                hint="use a base that was tuned to answer, or leave the examples out of the sources",
            )
        named = ("bos_token", "eos_token", "unk_token", "pad_token")
        self.tokens = {name: _content(config[name]) for name in named if config.get(name)}
        self.commands = tokenizer.commands(folder)

    def render(self, messages: Messages, answering: bool) -> str:
        """The conversation as text; `answering`: up to where the assistant's next answer begins."""
        options: dict[str, Any] = {"chat_template": self.source, "add_generation_prompt": answering, **self.tokens}
        options["strftime_now"] = lambda form: NO_DATE  # the same lessons tomorrow
        try:
            rendered: Any = render_jinja_template([list(messages)], **options)
        except Exception as error:  # whatever a stranger's template does wrong
            raise RecipeError(f"the base's chat template refuses an example: {error}") from error
        return str(rendered[0][0])

    @property
    def quiet(self) -> bool:
        """Whether an empty system message spares the template's own, which says nothing of a task and takes time."""
        asked = [{"role": "user", "content": "?"}]
        try:
            return len(self.render([SILENCE, *asked], True)) < len(self.render(asked, True))
        except RecipeError:  # it knows no system messages
            return False

    @property
    def end(self) -> str:
        """What it writes behind an answer. Raises RecipeError where that is nothing but blanks."""
        whole = self.render([{"role": "user", "content": "?"}, {"role": "assistant", "content": "\u2020"}], False)
        end = whole.rpartition("\u2020")[2].strip()
        if not end:
            raise RecipeError(
                "the base's chat template writes nothing behind an answer, so where one ends cannot be learnt",
                hint="use another base for examples",
            )
        return end

    def lesson(self, messages: Messages) -> Lesson:
        """A conversation whose last message is the assistant's, with where that begins."""
        whole, prompt = self.render(messages, False), self.render(messages[:-1], True)
        if not whole.startswith(prompt):
            raise RecipeError(
                "the base's chat template writes an answer otherwise than it asks for one",
                hint="use another base for examples",
            )
        return Lesson(whole.rstrip(), len(prompt))


def _content(token: object) -> str:
    return str(token["content"]) if isinstance(token, dict) else str(token)
