"""The command line: one thin verb a function. stdout is data, stderr is talk."""

from __future__ import annotations

import errno
import io
import json
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from .. import __version__
from ..errors import NetsukeError
from ..machine import wait_passively
from ..terminal import not_text, paint, printable, say

if TYPE_CHECKING:
    from ..step import Local
    from ..store import Store

AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")


ON = click.option(
    "--on",
    type=click.Choice(["local", "ray"]),
    default="local",
    show_default=True,
    help="Where many files, many models and tune.shards are worked on: here, or on Ray ($RAY_ADDRESS, else its own).",
)


class Words(click.ParamType):
    """Text for a model or a search: what is not UTF-8 has no words."""

    name = "text"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if fault := not_text(value):
            self.fail(fault, param, ctx)
        return value


def executor(on: str) -> type[Local]:
    """What runs the steps: Local or Ray."""
    from ..step import Local

    if on == "local":
        return Local
    from ..engines.ray import Ray

    return Ray


def main() -> None:
    """Run a verb; a NetsukeError becomes a message, a hint and its exit code, and no traceback without --debug."""
    debug = "--debug" in sys.argv
    wait_passively()
    _set_streams()
    try:
        netsuke(standalone_mode=False)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        say("\nstopped" + ("; the next make goes on from here" if "make" in sys.argv[1:2] else ""))
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except NetsukeError as error:
        if debug:
            raise
        say(f"{paint('error:', 'red')} {error}")
        if error.hint:
            say(f"{paint('hint:', 'cyan')} {error.hint}")
        sys.exit(error.exit_code)
    except OSError as error:
        if debug:
            raise
        place = error.filename2 or error.filename  # of a copy, the place that it goes to
        say(f"{paint('error:', 'red')} {error.strerror or error}{f': {place}' if place else ''}")
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            say(f"{paint('hint:', 'cyan')} free some space, or name a place on another disk")
        sys.exit(1)


def _set_streams() -> None:
    """Standard input as the command line is read: UTF-8, other bytes kept so that they can be told; closed is empty.

    What the locale of standard output has no letter for is written as standard error writes it.
    """
    sys.stdin = sys.stdin or open(os.devnull, encoding="utf-8")
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(encoding="utf-8", errors="surrogateescape")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def result(value: Any, as_json: bool, text: str | Callable[[], str]) -> None:
    """Print a verb's result: JSON, or words."""
    if as_json:
        click.echo(json.dumps(value, indent=1, sort_keys=True))
    else:
        click.echo(printable(text if isinstance(text, str) else text()))


def open_store() -> Store:
    from ..store import Store

    return Store()


def tell_pending(store: Store) -> None:
    """Say that a withdrawal is not finished, if one is."""
    from ..forget import pending

    if found := pending(store.root):
        day = f"{found[0][:4]}-{found[0][4:6]}-{found[0][6:8]}"
        say(f"a withdrawal is pending since {day}: netsuke forget finishes it")


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="netsuke")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def netsuke(debug: bool) -> None:
    """Carve a pocket-sized language model that is yours out of an open base.

    \b
    netsuke bases fetch smollm2-135m-instruct  once: the open base, 98 MB
    netsuke curate ~/notes                     what it would learn from
    netsuke make ~/notes                       your folder in, a checked model out
    netsuke chat notes                         talk to it
    netsuke open                               all of it in the browser
    """


def _verbs() -> list[click.Command]:
    from . import (  # they need what stands above
        carving,
        combining,
        consent,
        curating,
        fetching,
        forgetting,
        looking,
        making,
        opening,
        packing,
        searching,
        serving,
        using,
        valuing,
        watching,
    )

    return [
        making.make, making.plan, making.why, curating.curate, carving.carve, combining.combine, looking.list_packs,
        looking.report, looking.adapter, packing.pack, packing.diff, looking.verify, looking.gc, consent.consent,
        forgetting.forget, valuing.value, fetching.bases, using.chat, using.complete, using.ask, searching.search,
        searching.mcp, serving.serve, serving.keys, serving.usage, serving.audit, watching.watch, opening.open_studio,
    ]  # fmt: skip


for verb in _verbs():
    netsuke.add_command(verb)
