"""Answering a task with a model in llama.cpp: a label with its probability, or a text.

A label is decoded token by token: at each place the model's own probabilities are shared out among the labels that are
still possible, so one of them always comes out, and the shares are the labels' probabilities.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..texts.documents import read_rows
from ..texts.examples import as_messages
from ..texts.nearest import Nearest
from .llama import Engine

TASK = "task.json"
CONTEXT_TOKENS = 4096  # while a task is settled, checked and asked, and in the terminal
SHOWN = 4096  # likely next tokens that llama.cpp tells the probability of: 14 ms; with 512 a label may be missing
UNLIKELY = 0.02  # a branch of labels with a smaller share is not looked into; its labels share it evenly
# What llama.cpp is made to say where only the probabilities are wanted: for half a character it would tell those of the
# place behind it. They are the model's own, which no grammar changes.
SHOWABLE = "root ::= [ -~]"
ANSWER_TOKENS = 256  # at most; of a task whose answers are shorter, twice the longest that was learnt

Tree = dict[int, Any]  # by token: the rest of the labels that go on with it; {} at an end


@dataclass(frozen=True)
class Answer:
    """What was answered; `probabilities` are those of the labels, the most likely first, or none for a text."""

    text: str
    confidence: float | None
    probabilities: tuple[tuple[str, float], ...] = ()
    abstained: bool = False
    prompt_tokens: int = 0

    @property
    def row(self) -> dict[str, Any]:
        """As plain values, three labels at most."""
        return {
            "answer": None if self.abstained else self.text,
            "confidence": None if self.confidence is None else round(self.confidence, 4),
            "abstained": self.abstained,
            "likely": [[label, round(p, 4)] for label, p in self.probabilities[:3]],
        }


@dataclass(frozen=True)
class Way:
    """How a task is asked: what stands before the question, and how sure the answers are."""

    kind: str  # "labels", "extract" or "free"
    labels: tuple[str, ...] = ()
    end: str = ""  # what the template writes behind an answer
    commands: tuple[str, ...] = ()  # the base's special tokens, which no question may hold
    quiet: bool = False  # an empty system message, where there is no other
    system: str | None = None  # the examples' own, for a question that brings none
    instruction: str = ""  # a system message
    shots: int = 0  # examples in the prompt, the nearest last
    temperature: float = 1.0  # what calibrates the labels' probabilities: p to the power of 1 / temperature
    abstain: float = 0.0
    answer_tokens: int = ANSWER_TOKENS

    @property
    def in_words(self) -> str:
        """What a model that has not learnt the task is told to answer with."""
        if self.kind == "labels":
            return f"Answer with one of these labels and nothing else: {', '.join(self.labels)}"
        return "Answer in the words of the text, with nothing else." if self.kind == "extract" else ""

    @classmethod
    def of(cls, task: Mapping[str, Any]) -> Way:
        """From a task.json."""
        settled = {name: task[name] for name in ("kind", "end", "quiet")}
        most = min(ANSWER_TOKENS, 2 * (task.get("answer_bytes") or ANSWER_TOKENS))  # a token is a byte or more
        labels, commands = tuple(task["labels"]), tuple(task["commands"])
        system = task.get("system")  # packs of before have none
        return cls(**task["way"], **settled, system=system, labels=labels, commands=commands, answer_tokens=most)


def task_of(pack: Path) -> dict[str, Any] | None:
    """task.json of a pack; None for one without a task."""
    file = pack / TASK
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else None


def shots_of(pack: Path) -> list[dict[str, Any]]:
    """The examples that a pack shows in its prompts."""
    file = pack / "shots.jsonl"
    return list(read_rows(file)) if file.exists() else []


class Prompt:
    """What stands before a question: an instruction, a system message or silence, and the nearest examples."""

    def __init__(self, way: Way, examples: Sequence[Mapping[str, Any]] = ()) -> None:
        self.way = way
        self.shots = [as_messages(row)[-2:] for row in examples] if way.shots else []
        self.nearest = Nearest([question["content"] for question, _ in self.shots])

    def before(self, messages: Sequence[Mapping[str, str]], most: int | None = None) -> list[Mapping[str, str]]:
        """The messages behind that, with at most so many examples; the nearest is the last."""
        messages = [{**message, "content": self.spelt(message["content"])} for message in messages]
        brought = messages[0]["role"] == "system"
        own = messages[0]["content"] if brought else self.way.system
        told = "\n\n".join(filter(None, (self.way.instruction, own)))
        silent = own is None and not told
        system = [] if silent and not self.way.quiet else [{"role": "system", "content": told}]
        shown = self.way.shots if most is None else most
        numbers = self.nearest.find(messages[-1]["content"], shown) if self.shots and shown else []
        shots = [message for number in reversed(numbers) for message in self.shots[number]]
        return [*system, *shots, *messages[brought:]]

    def spelt(self, text: str) -> str:
        """The text with the special tokens in it broken, so that they are text and command nothing."""
        for command in self.way.commands:
            text = text.replace(command, f"{command[:1]} {command[1:]}")
        return text


class Asker:
    """An engine that is asked one task."""

    def __init__(self, engine: Engine, way: Way, examples: Sequence[Mapping[str, Any]] = ()) -> None:
        self.engine, self.room = engine, engine.context_tokens - ANSWER_TOKENS
        self.way = dataclasses.replace(way, instruction=self._told(way.instruction))
        self.prompt = Prompt(self.way, examples)
        self._fields: dict[str, Any] = {"cache_prompt": True}
        self.tree: Tree = {}
        self.paths: dict[str, list[int]] = {}
        end = engine.tokenize(way.end) if way.labels else []
        for label in way.labels:
            self.paths[label] = [*engine.tokenize(label, special=False), *end]
            branch = self.tree
            for token in self.paths[label]:
                branch = branch.setdefault(token, {})

    def _told(self, instruction: str) -> str:
        """The instruction, cut where it takes more than half of the room: a thousand labels would leave none."""
        size = len(self.engine.tokenize(instruction)) if instruction else 0
        return instruction if 2 * size <= self.room else instruction[: len(instruction) * self.room // (2 * size)]

    def ask(
        self, messages: Sequence[Mapping[str, str]], *, id_slot: int = -1, cache_prompt: bool = True
    ) -> Answer:
        """The answer to a conversation that ends with the question, in a slot of the engine.

        Without `cache_prompt` nothing is taken from what the slot was asked before.
        """
        _, prompt = self.fitting(messages)
        self._fields = {"id_slot": id_slot, "cache_prompt": cache_prompt}
        if self.way.kind == "labels":
            return dataclasses.replace(self.chosen(self.shares(prompt)), prompt_tokens=len(prompt))
        ends = [self.way.end] if self.way.end else []  # packs of before may have none, and "" is behind every token
        answer = self.engine.complete(
            prompt, n_predict=self.way.answer_tokens, temperature=0.0, stop=ends, **self._fields
        )
        return Answer(answer["content"].strip(), None, prompt_tokens=len(prompt))

    def fitting(self, messages: Sequence[Mapping[str, str]]) -> tuple[list[Mapping[str, str]], list[int]]:
        """(the prompt, its tokens): as many examples as the context has room for, else none and less of the question.
        """
        room, question = self.room, messages[-1]["content"]
        for most in range(self.way.shots, -1, -1):
            prompt = self.prompt.before(messages, most)
            ids = self.engine.asked(prompt)
            if len(ids) <= room:
                return prompt, ids
        while len(ids) > room and question:
            question = question[: int(len(question) * 0.9 * room / len(ids))]
            prompt = self.prompt.before([*messages[:-1], {**messages[-1], "content": question}], 0)
            ids = self.engine.asked(prompt)
        return prompt, ids

    def chosen(self, shares: Mapping[str, float]) -> Answer:
        """The likeliest label by these shares, calibrated."""
        heated = calibrated(shares, self.way.temperature)
        ranked = sorted(heated.items(), key=lambda pair: (-pair[1], pair[0]))
        label, confidence = ranked[0]
        return Answer(label, confidence, tuple(ranked), confidence < self.way.abstain)

    def shares(self, prompt: list[int]) -> dict[str, float]:
        """The probability of each label, given that one of them is said."""
        found = dict.fromkeys(self.way.labels, 0.0)
        open_: list[tuple[list[int], Tree, float]] = [([], self.tree, 1.0)]
        while open_:
            said, branch, share = open_.pop()
            while len(branch) == 1:  # nothing to choose
                token, branch = next(iter(branch.items()))
                said = [*said, token]
            below = [label for label, path in self.paths.items() if path[: len(said)] == said]
            if not branch or share < UNLIKELY:
                for label in below:
                    found[label] += share / len(below)
                continue
            odds = self._odds(prompt + said)
            least = min(odds.values())
            weights = {token: math.exp(odds.get(token, least)) for token in branch}
            total = sum(weights.values())
            open_ += [([*said, token], branch[token], share * weights[token] / total) for token in branch]
        return found

    def _odds(self, ids: list[int]) -> dict[int, float]:
        """Log-probabilities of the likeliest next tokens, by id."""
        answer = self.engine.complete(
            ids, n_predict=1, n_probs=SHOWN, temperature=0.0, grammar=SHOWABLE, **self._fields
        )
        self._fields["cache_prompt"] = True  # what lies there is this question's own now
        return {top["id"]: top["logprob"] for top in answer["completion_probabilities"][0]["top_logprobs"]}


def calibrated(shares: Mapping[str, float], temperature: float) -> dict[str, float]:
    """Probabilities to the power of 1 / temperature, adding up to 1."""
    heated = {label: max(p, 1e-9) ** (1 / temperature) for label, p in shares.items()}
    total = sum(heated.values())
    return {label: p / total for label, p in heated.items()}
