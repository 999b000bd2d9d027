"""Chat templates that are known: a template is a program inside a model file, so one that is not known is looked at.

A changed template can turn a model against its user while its weights are as they were (arXiv 2602.04653).
"""

from __future__ import annotations

import difflib
import hashlib
from dataclasses import dataclass


@dataclass(frozen=True)
class Known:
    """A template by its text, with the same in Go's language, as Ollama takes it, and what ends an answer."""

    name: str
    source: str
    go: str
    stops: tuple[str, ...]

    @property
    def sha256(self) -> str:
        return digest(self.source)


LONGEST = 64_000  # letters: what a person can be shown, and what is compared in about a second

_TURNS = (
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + "
    "'\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
_GREETING = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"
_GREETED = (
    "{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\n" + _GREETING + "<|im_end|>\n' }}"
    "{% endif %}"
)
_GO_TURNS = "{{ range .Messages }}<|im_start|>{{ .Role }}\n{{ .Content }}<|im_end|>\n{{ end }}<|im_start|>assistant\n"

KNOWN = (
    Known(
        "SmolLM2 Instruct",
        _TURNS.replace("%}{{'", "%}" + _GREETED + "{{'", 1),
        '{{ if and .Messages (ne (index .Messages 0).Role "system") }}<|im_start|>system\n'
        + _GREETING
        + "<|im_end|>\n{{ end }}"
        + _GO_TURNS,
        ("<|im_end|>",),
    ),
    Known("ChatML", _TURNS, _GO_TURNS, ("<|im_end|>",)),
)


def digest(source: str) -> str:
    """sha256 of a template's text."""
    return hashlib.sha256(source.encode()).hexdigest()


def known(source: str) -> Known | None:
    """The known template of this very text."""
    return next((one for one in KNOWN if one.source == source), None)


def difference(source: str) -> str:
    """A template beside the known one that it is most like, as a unified diff of its statements."""
    nearest = max(KNOWN, key=lambda one: difflib.SequenceMatcher(None, one.source, source, autojunk=False).ratio())
    lines = difflib.unified_diff(
        _statements(nearest.source), _statements(source), f"known: {nearest.name}", "this one", lineterm="", n=1
    )
    return "\n".join(lines)


def _statements(source: str) -> list[str]:
    """A template cut where its statements begin, safe to print."""
    parts = source.replace("{%", "\0{%").replace("{{", "\0{{").strip("\0").split("\0")
    return ["".join(map(_shown, part)) for part in parts]


def _shown(letter: str) -> str:
    """A letter as it is, if it can be told from every other one; what looks like nothing or like another is spelt."""
    return letter if letter.isascii() and letter.isprintable() else letter.encode("unicode_escape").decode()
