"""Whether what a small model wrote may stand for a passage: by its words alone, since nothing here reads meaning.

What it changes as it rewrites is mostly a "not", a number, a name, who speaks or is spoken to, or it drops half of what
was said (docs/log.md). All of that shows in the words; two things that changed places do not.
"""

from __future__ import annotations

import re

KEEPS = 0.6  # share of the longer words of a passage that its rewriting must hold
ADDS = 0.25  # share of its own longer words that may be new
STEM = 5  # letters by which two forms of a word are one
_WORD = re.compile(r"[\w'’]+")
_SAID_FIRST = re.compile(r"(In other words,|[A-Za-z][A-Za-z ]{1,30}:)\s+")  # before the text itself
_NOT = {"not", "no", "never", "nobody", "none", "nothing", "nor", "neither", "without", "cannot", "nowhere", "hardly"}
_NEGATING = ("un", "in", "im", "non", "dis")
_COUNTS = {"one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "hundred",
           "thousand", "million", "half", "twice"}  # fmt: skip
_WHO = {"I": "i me my mine myself", "we": "we us our ours ourselves", "you": "you your yours yourself yourselves",
        "he": "he", "she": "she", "they": "they"}  # fmt: skip
_PERSONS = {word: who for who, words in _WHO.items() for word in words.split()}


def bare(passage: str, text: str) -> str:
    """What was written, without quotation marks around it or words before it that announce it."""
    text = text.strip()
    if not _SAID_FIRST.match(passage) and (said := _SAID_FIRST.match(text)):
        text = text[said.end() :]
    return text if passage.startswith('"') else text.strip('"').strip()


def is_close(passage: str, text: str) -> bool:
    """Whether a text may stand for a passage: of its length, in other words, and with what must not change."""
    before, after = _words(passage), _words(text)
    if _telling(before) == _telling(after) or not 0.4 * len(passage) <= len(text) <= 1.8 * len(passage) + 20:
        return False
    wanted, there = _longer(before), _longer(after)
    if len(wanted & there) < KEEPS * len(wanted) or len(there - wanted) > ADDS * len(there):
        return False
    named = _names(passage) <= {*after} and _names(text) <= {*before}
    return named and _fixed(before) == _fixed(after) and not _turned(before, after) and not _turned(after, before)


def _words(text: str) -> list[str]:
    words = (word.casefold().replace("’", "'").strip("'").removesuffix("'s") for word in _WORD.findall(text))
    return list(filter(None, words))


def _telling(words: list[str]) -> list[str]:
    return [word for word in words if word not in ("a", "an", "the")]


def _longer(words: list[str]) -> set[str]:
    return {word[:STEM] for word in words if len(word) > 3}


def _fixed(words: list[str]) -> tuple[int, set[str], set[str]]:
    """What a rewriting keeps: how often something is denied, who speaks and is spoken to, counts."""
    denied = sum(word in _NOT or word.endswith("n't") for word in words)
    persons = {_PERSONS[who] for word in words if (who := word.partition("'")[0]) in _PERSONS}
    return denied, persons, {word for word in words if word in _COUNTS or word[0].isdecimal()}


def _names(text: str) -> set[str]:
    """Words that are names: with a capital within a sentence, or a sign within as code has it."""
    found = set[str]()
    for sentence in re.split(r"(?<=[.!?])\s+", text):
        words = _WORD.findall(sentence)
        found |= {word for word in words[1:] if word[0].isupper()}
        found |= {word for word in words if "_" in word or any(sign.isupper() for sign in word[1:])}
    return {name for word in found for name in _words(word) if name.partition("'")[0] not in _PERSONS}


def _turned(some: list[str], others: list[str]) -> bool:
    """Whether a word is gone whose contrary stands among the others: unpaid, paid."""
    gone, there = {*some} - {*others}, {*others}
    return any(f"{sign}{word}" in there or word.startswith(sign) and word.removeprefix(sign) in there
               for word in gone for sign in _NEGATING)  # fmt: skip
