"""The command line: one thin verb a function. stdout is data, stderr is talk."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import __version__
from .errors import NetsukeError, RecipeError, StoreError
from .machine import wait_passively
from .terminal import paint, printable, say

if TYPE_CHECKING:
    from .store import Store

AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")


def main() -> None:
    """Run a verb; a NetsukeError becomes a message, a hint and its exit code, and no traceback without --debug."""
    debug = "--debug" in sys.argv
    wait_passively()
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
        say(
            f"{paint('error:', 'red')} {error.strerror or error}{f': {error.filename}' if error.filename else ''}"
        )
        sys.exit(1)


def result(value: Any, as_json: bool, text: str | Callable[[], str]) -> None:
    """Print a verb's result: JSON, or words."""
    if as_json:
        click.echo(json.dumps(value, indent=1, sort_keys=True))
    else:
        click.echo(printable(text if isinstance(text, str) else text()))


def open_store() -> Store:
    from .store import Store

    return Store()


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="netsuke")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def netsuke(debug: bool) -> None:
    """Carve a pocket-sized language model that is yours out of an open base.

    \b
    netsuke bases fetch smollm2-135m-instruct     once: the open base, 98 MB
    netsuke make ~/notes                          your folder in, a checked model out
    netsuke chat notes                            talk to it
    """


# -- making ----------------------------------------------------------------------------------------


@netsuke.command()
@click.argument("target")
@click.option(
    "--mb",
    type=click.FloatRange(0),
    help="Size of the model in megabytes [default: the smallest that holds].",
)
@click.option("--minutes", type=click.FloatRange(0.05), help="Minutes of training [default: 10].")
@click.option("--base", help="The base to carve from: a known one, a GGUF file or a Hugging Face folder.")
@click.option("--name", help="What to call the model [default: the folder's name].")
@click.option(
    "--set", "settings", multiple=True, metavar="SECTION.KEY=VALUE", help="Any setting of the recipe."
)
@click.option("--relock", is_flag=True, help="Measure this machine's speed anew.")
@AS_JSON
def make(
    target: str,
    mb: float | None,
    minutes: float | None,
    base: str | None,
    name: str | None,
    settings: tuple[str, ...],
    relock: bool,
    as_json: bool,
) -> None:
    """Make a model of TARGET: a folder, a netsuke.toml, or the name of a model made before."""
    from . import loop, recipe, show, targets
    from .bases import KNOWN

    store = open_store()
    wanted, path, fresh = targets.find_recipe(target, store)
    if base and base not in KNOWN:
        base = str(Path(base).expanduser().absolute())
    given: dict[str, Any] = {"mb": mb, "minutes": minutes, "base": base, "name": name}
    wanted = dataclasses.replace(wanted, **{k: v for k, v in given.items() if v is not None})
    recipe.check_top(wanted, "the command line")
    wanted = recipe.with_settings(wanted, targets.settings(settings), loop.SECTIONS)
    other = store.named("packs", wanted.name)
    if other and other["recipe"] != str(path) and Path(other["recipe"]).exists():
        raise RecipeError(
            f"a model named {wanted.name!r} was made from {other['recipe']}",
            hint="give this one another name with --name",
        )
    lines = loop.plan(wanted, path, store, relock)
    if fresh:
        say(f"recipe: {path}")
    seconds, size = loop.estimate(lines, wanted, path.parent, store)
    there = sum(line.cached for line in lines)
    if there < len(lines):
        store.require_space(size, f"making {wanted.name}")
        say(
            f"about {show.duration(seconds)} and {size / 1e9:.1f} GB of disk while it works; "
            f"{there} of {len(lines)} steps are there already"
        )
    with recipe.written(wanted, path), show.Watcher() as watcher:

        def show_table(outcome: loop.Outcome) -> None:
            watcher.after(lambda: tell(outcome, store, wanted.name, as_json))

        outcome = loop.make(wanted, path, store, watcher, relock=relock, tell=show_table)
    if not as_json:
        say(show.next_steps(wanted.name, path, outcome.pack.ref))


def tell(outcome: Any, store: Store, name: str, as_json: bool) -> None:
    """Print the before/after table."""
    from . import loop, show

    report = loop.report_of(store, outcome)
    trial = [dataclasses.asdict(m) for m in outcome.trial.run.measures]
    value = {
        "name": name,
        "pack": outcome.pack.ref,
        "measures": report["measures"],
        "gates": report["gates"],
        "trial": trial,
    }
    result(value, as_json, lambda: show.table(report["measures"], trial, report["gates"]))


@netsuke.command()
@click.argument("target")
@AS_JSON
def plan(target: str, as_json: bool) -> None:
    """Show what `make TARGET` would run, and why; runs nothing."""
    from . import loop, show, targets

    store = open_store()
    wanted, path, _ = targets.find_recipe(target, store)
    lines = loop.plan(wanted, path, store)
    seconds, size = loop.estimate(lines, wanted, path.parent, store)
    value = {"steps": [dataclasses.asdict(line) for line in lines], "seconds": round(seconds), "bytes": size}
    result(value, as_json, lambda: show.plan(lines, seconds, size))


@netsuke.command()
@click.argument("target")
@click.argument("step", required=False)
@AS_JSON
def why(target: str, step: str | None, as_json: bool) -> None:
    """Say why each step (or STEP) of TARGET would run again: which input or setting changed."""
    from . import loop, show, targets

    store = open_store()
    wanted, path, _ = targets.find_recipe(target, store)
    lines = [
        line
        for line in loop.plan(wanted, path, store)
        if step in (None, line.step) and (step or not line.cached)
    ]
    if step and not lines:
        raise RecipeError(f"no step {step!r} in this plan", hint="netsuke plan shows the steps")
    result([dataclasses.asdict(line) for line in lines], as_json, lambda: show.why(lines))


# -- looking ---------------------------------------------------------------------------------------


@netsuke.command("list")
@AS_JSON
def list_packs(as_json: bool) -> None:
    """List the models that are here."""
    from . import show
    from .pack import manifest

    store = open_store()
    rows = []
    for name in store.names("packs"):
        try:
            record = store.named("packs", name) or {}
            content = manifest.read_from(store, record["ref"])
        except StoreError as error:
            say(f"{paint('error:', 'red')} {name}: {error}")
            continue
        rows.append({
            "name": name, "pack": record["ref"], "base": content["base"]["name"], "measures": content["measures"],
            "recipe": record["recipe"], "trial": record["trial"],
        })  # fmt: skip
    result(rows, as_json, lambda: show.packs(rows))


@netsuke.command()
@click.argument("name")
@AS_JSON
def report(name: str, as_json: bool) -> None:
    """Print the report of a model: what went in, what came out, what got worse."""
    from . import targets
    from .pack import manifest

    folder = targets.pack_folder(name, open_store())
    result(
        manifest.read(folder), as_json, lambda: (folder / "report.md").read_text(encoding="utf-8").rstrip()
    )


@netsuke.command()
@click.argument("pack", required=False)
@click.option(
    "--repair", is_flag=True, help="Set damaged objects aside, so that the next make builds them again."
)
@AS_JSON
def verify(pack: str | None, repair: bool, as_json: bool) -> None:
    """Re-hash the whole store, or one PACK (a model's name or a pack's folder)."""
    from . import reachability, targets
    from .pack import manifest

    store = open_store()
    if pack and not (Path(pack) / "netsuke.json").exists():
        found = [f"{pack}: {fault}" for fault in manifest.faults(targets.pack_folder(pack, store))]
    elif pack:
        found = [f"{pack}: {fault}" for fault in manifest.faults(Path(pack))]
    else:
        damages = reachability.verify(store, repair=repair)
        found = [
            f"{d.ref[:12]}: {d.what}" + (f" (hurts {', '.join(d.packs)})" if d.packs else "") for d in damages
        ]
    result({"whole": not found, "faults": found}, as_json, "\n".join(found) or "whole")
    if found:
        hint = "set aside; make again" if repair else "`netsuke verify --repair`, then make again"
        raise StoreError(f"{len(found)} {'fault' if len(found) == 1 else 'faults'} found", hint=hint)


@netsuke.command()
@click.option("--dry-run", is_flag=True, help="Only say what would be deleted.")
@AS_JSON
def gc(dry_run: bool, as_json: bool) -> None:
    """Delete what no named model reaches, and half-written work."""
    from . import reachability

    files, freed = reachability.gc(
        open_store(), dry_run=dry_run, wait_note=lambda: say("waiting for a make to end")
    )
    verb = "would free" if dry_run else "freed"
    result(
        {"files": files, "bytes": freed, "dry_run": dry_run},
        as_json,
        f"{verb} {freed / 1e6:,.1f} MB in {files:,} files",
    )


# -- bases -----------------------------------------------------------------------------------------


@netsuke.group(invoke_without_command=True)
@AS_JSON
@click.pass_context
def bases(context: click.Context, as_json: bool) -> None:
    """List the bases that are known: size, licence, and whether each is here."""
    if context.invoked_subcommand:
        return
    from . import show
    from .bases import KNOWN

    store = open_store()
    rows = [
        {
            "name": b.name,
            "title": b.title,
            "licence": b.licence,
            "bytes": b.bytes,
            "here": store.named("bases", b.name) is not None,
        }
        for b in KNOWN.values()
    ]
    result(rows, as_json, lambda: show.bases(rows))


@bases.command("fetch")
@click.argument("name")
@AS_JSON
def fetch_base(name: str, as_json: bool) -> None:
    """Download a base. The only verb that uses the network."""
    from . import show
    from .bases import find
    from .bases.fetch import fetch

    base, store = find(name), open_store()
    record = store.named("bases", name)
    if record and store.has(record["ref"]):
        ref = record["ref"]
        say(f"{name} is here already")
    else:
        with show.Bar(f"fetching {base.title} ({base.licence})") as bar:
            ref = fetch(base, store, bar)
    result({"name": name, "ref": ref, "bytes": base.bytes, "licence": base.licence}, as_json, f"{name} {ref}")


# -- using -----------------------------------------------------------------------------------------


@netsuke.command()
@click.argument("name")
@click.option("--max-tokens", default=512, type=click.IntRange(1, 4096), show_default=True)
@click.option("--temperature", default=0.7, type=click.FloatRange(0, 2), show_default=True)
def chat(name: str, max_tokens: int, temperature: float) -> None:
    """Talk to a model in the terminal; Ctrl-D ends."""
    from . import talk, targets

    talk.chat(targets.pack_folder(name, open_store()) / "model.gguf", name, max_tokens, temperature)


@netsuke.command()
@click.argument("name")
@click.argument("prompt", required=False)
@click.option("--max-tokens", default=128, type=click.IntRange(1, 4096), show_default=True)
@click.option("--temperature", default=0.3, type=click.FloatRange(0, 2), show_default=True)
@click.option("--seed", type=click.IntRange(0, 2**31))
@AS_JSON
def complete(
    name: str, prompt: str | None, max_tokens: int, temperature: float, seed: int | None, as_json: bool
) -> None:
    """Go on writing from PROMPT (or from standard input)."""
    from . import talk, targets

    if prompt is None:
        if sys.stdin.isatty():
            raise RecipeError("no prompt", hint=f'netsuke complete {name} "The with statement"')
        prompt = sys.stdin.read()
    text = talk.complete(
        targets.pack_folder(name, open_store()) / "model.gguf",
        prompt,
        max_tokens,
        temperature,
        seed,
        echo=not as_json,
    )
    if as_json:
        result({"name": name, "prompt": prompt, "completion": text}, True, "")


@netsuke.command()
@click.argument("name")
@click.option("--port", default=8177, type=click.IntRange(1, 65535), show_default=True)
@click.option(
    "--context", default=2048, type=click.IntRange(256, 131072), show_default=True, help="Tokens of context."
)
def serve(name: str, port: int, context: int) -> None:
    """Serve a model on 127.0.0.1 as an OpenAI-style API; Ctrl-C stops everything."""
    from . import serve as front
    from . import targets

    store = open_store()
    model = targets.pack_folder(name, store) / "model.gguf"
    label = name if targets.named_pack(name, store) else Path(name).resolve().name
    key = front.default_key(store.root)

    def ready() -> None:
        say(f"{label} at http://127.0.0.1:{port}/v1")
        say(f"key: {key}")
        say("Ctrl-C stops it")

    front.serve({label: model}, port=port, key=key, context_tokens=context, on_ready=ready)
