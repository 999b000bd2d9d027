"""Searching a model's documents, and giving it to an agent as tools."""

from __future__ import annotations

import contextlib
import sys

import click

from ..errors import RecipeError
from ..terminal import say
from . import AS_JSON, Words, open_store, result


@click.command()
@click.argument("name")
@click.argument("question", type=Words())
@click.option("--most", default=3, type=click.IntRange(1, 10), show_default=True, help="Quotes at most.")
@AS_JSON
def search(name: str, question: str, most: int, as_json: bool) -> None:
    """Find what the documents of a model say about QUESTION. Their own words, and where they stand."""
    from .. import search as searching
    from ..front import show, targets
    from ..pack import manifest

    if not question.strip():
        raise RecipeError("no question", hint=f'netsuke search {name} "what you look for"')
    folder = targets.pack_folder(name, open_store())
    with contextlib.closing(searching.open_pack(folder, manifest.read(folder), name)) as index:
        answer = searching.answer(index, question, most)
    result({"name": name, **answer.row}, as_json, lambda: show.quotes(answer.row))


@click.command()
@click.argument("name")
def mcp(name: str) -> None:
    """Give a model to an agent or an editor, as an MCP server. It speaks on standard input and output.

    Its tools are search, complete and, where the model was taught a task, ask.
    """
    from ..front import targets, tools

    if sys.stdin.isatty():
        say("an MCP server: a program speaks to it (docs/search.md); Ctrl-C stops it")
    store = open_store()
    tools.serve(name, targets.pack_folder(name, store), store)
