"""Lessons of a task, and the files of a rendered dataset."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..engines import tokenizer
from ..engines.template import Template
from ..errors import RecipeError
from ..store import canonical
from ..texts.documents import BARE_LESSONS, SPLITS, Lesson, read_examples, read_rows, write_rows
from ..texts.examples import SILENCE, Row, as_messages, input_of, right_answer, shortened, with_question
from . import Rendering, infill, manners, neighbours
from .neighbours import Pair
from .task import Task, agreeing, distinct, lacking, task_of

LEAST_INPUT = 16  # tokens of a question that are left, where it is cut to fit
TOO_LONG = "longer than a window of training (tune.window_tokens)"
CUT_OFF = "its answer stood in the end of the question, which was cut to fit (tune.window_tokens)"
CUT_CONTRARY = "another answer for the same question, once cut to fit (tune.window_tokens)"
CUT_ALIKE = "the same question and answer as another, once cut to fit (tune.window_tokens)"


def write(params: Rendering, model: Path, data: Path, out: Path) -> dict[str, Any]:
    """Write the dataset as the model reads it; what task.json says."""
    (out / "examples").mkdir()
    examples = [row for rows in read_examples(data).values() for row in rows if params.kind != "none"]
    documents = {split: list(read_rows(data / f"{split}.jsonl")) for split in SPLITS}
    task = _task(examples, params, alone=not (params.part or all(documents.values())))
    left_out = defaultdict(list, {why: list(lines) for why, lines in task.left_out.items()})
    template = Template(model) if task.kind else None
    end = template.end if template else ""
    quiet = bool(template and task.kind != "free" and template.quiet)  # free text is asked as any program asks
    bare, lessons, cut = _lessons(task, template, model, params, quiet, left_out) if template else ([], [], 0)
    write_rows(out / BARE_LESSONS, (lesson.row for row, lesson in bare if row["split"] == "train"))
    holed: list[Lesson] = []
    mannered: list[Lesson] = []
    for split in SPLITS:
        mine = [(row, lesson) for row, lesson in lessons if row["split"] == split]
        if task.kind and not (mine or params.part):
            raise _none_left(split, left_out)
        write_rows(out / "examples" / f"{split}.jsonl", (row for row, _ in mine))
        taught = [lesson for _, lesson in mine]
        if split == "train":
            texts = [row["text"] for row in documents[split]]
            holed = list(infill.lessons(texts, model, params.window_tokens, params.infill))
            texts += [str(lesson) for lesson in taught]
            mannered = manners.lessons(texts, template, model, params.manners)
            taught += holed + mannered
        write_rows(out / f"{split}.jsonl", [*documents[split], *(lesson.row for lesson in taught)])
    content = {
        "kind": task.kind,
        "labels": list(task.labels),
        "end": end,
        "quiet": quiet,
        "system": shared_system([row for row, _ in lessons if row["split"] == "train"]),
        "answer_bytes": longest([row for row, _ in lessons if row["split"] == "train"]),
        "commands": tokenizer.commands(model),
        "roles": roles(task),
        "examples": {split: sum(row["split"] == split for row, _ in lessons) for split in SPLITS},
        "cut_to_fit": cut, "infill": len(holed), "manners": len(mannered),
        "left_out": [{"why": why, "count": len(lines), "lines": lines[:5]} for why, lines in sorted(left_out.items())],
    }
    (out / "task.json").write_bytes(canonical(content) + b"\n")
    return content


def _none_left(split: str, left_out: Mapping[str, Sequence[int]]) -> RecipeError:
    """That a part has no example, with what most examples were left out for, and what helps against that."""
    what, hint = f"no example is left for the {split} part", "add examples, or raise curate.test and valid"
    if left_out:
        why, lines = max(left_out.items(), key=lambda pair: len(pair[1]))
        what += f"; {len(lines)} were left out for this: {why}"
        hint = "raise tune.window_tokens, or make the examples shorter" if "tune.window_tokens" in why else hint
    return RecipeError(what, hint=hint)


def longest(rows: Sequence[Row]) -> int:
    """Bytes of the longest answer; 0 without any."""
    return max((len(right_answer(row).encode()) for row in rows), default=0)


def shared_system(rows: Sequence[Row]) -> str | None:
    """The system message that half of the examples or more have: a question that brings none is asked behind it."""
    firsts = Counter(as_messages(row)[0]["content"] for row in rows if as_messages(row)[0]["role"] == "system")
    told, count = firsts.most_common(1)[0] if firsts else (None, 0)
    return told if 2 * count >= len(rows) else None


def roles(task: Task) -> list[str]:
    """Who speaks before the answer, in most of the examples: a request that is shaped so is a question of the task."""
    shapes = Counter(tuple(message["role"] for message in as_messages(row)[:-1]) for row in task.examples)
    return list(shapes.most_common(1)[0][0]) if shapes else []


def _task(examples: list[Row], params: Rendering, alone: bool) -> Task:
    """What the examples teach; beside enough documents a table that teaches nothing is left out, and said."""
    try:
        return task_of(examples, params.kind, params.labels, params.part)
    except RecipeError as error:
        if alone:
            raise
        return Task("", (), (), {str(error.what): [row["line"] for row in examples]})


def _lessons(
    task: Task, template: Template, model: Path, params: Rendering, quiet: bool, left_out: defaultdict[str, list[int]]
) -> tuple[list[Pair], list[Pair], int]:
    """Each example that can be taught with its lesson, bare and as it is taught; how many questions were cut to fit.

    Raises RecipeError where the base's template refuses them all.
    """
    words, before = tokenizer.load_tokenizer(model), [SILENCE] if quiet else []
    words.encode_special_tokens = False  # the template's own are commands, and no example may hold one

    def size(text: str) -> int:
        return len(words.encode(text, add_special_tokens=False))

    def fits(text: str) -> bool:
        return size(text) <= params.window_tokens + 1

    found: list[Pair] = []
    cut, refused = set(), None
    for row in task.examples:
        messages = as_messages(row)
        messages = messages if messages[0]["role"] == "system" else [*before, *messages]
        if any(command in message["content"] for message in messages for command in template.commands):
            left_out["holds a special token of the base"].append(row["line"])
            continue
        try:
            lesson = template.lesson(messages)
        except RecipeError as error:  # of roles that it does not know in this order, say
            refused = error
            left_out[error.what].append(row["line"])
            continue
        over = size(lesson) - params.window_tokens - 1
        if over > 0:
            question = _cut(messages[-2]["content"], over, words)
            whole, row = row, shortened(row, question)
            lost = task.kind == "extract" and lacking(row) > lacking(whole)
            if lost or not question:
                left_out[CUT_OFF if question else TOO_LONG].append(row["line"])
                continue
            lesson = template.lesson(with_question(messages, question))
            cut.add(input_of(row).strip())
        found.append((row, lesson))
    if refused and not found:
        raise refused
    found = _apart(found, cut, left_out)
    shorter = sum(input_of(row).strip() in cut for row, _ in found)
    return found, neighbours.beside(found, template, before, fits, params.shots), shorter


def _cut(question: str, over: int, words: Any) -> str:
    """The question without so many of its last tokens; nothing where too little of it would be left."""
    spans = words.encode(question, add_special_tokens=False).offsets
    return question[: spans[-over - 2][1]] if len(spans) - over >= LEAST_INPUT else ""


def _apart(pairs: Sequence[Pair], cut: set[str], left_out: defaultdict[str, list[int]]) -> list[Pair]:
    """The pairs, each cut input once: those that only their ends told apart would contradict, or be in train and test.

    Of alike ones the first stays, and train comes first.
    """
    alike = [row for row, _ in pairs if input_of(row).strip() in cut]
    kept = {id(row) for row in distinct(agreeing(alike, left_out, CUT_CONTRARY), left_out, CUT_ALIKE)}
    return [(row, lesson) for row, lesson in pairs if input_of(row).strip() not in cut or id(row) in kept]
