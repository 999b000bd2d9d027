"""Looking at what is there, and tidying it."""

from __future__ import annotations

import shutil
from pathlib import Path

import click

from ..errors import StoreError
from ..terminal import paint, say
from . import AS_JSON, open_store, result


@click.command("list")
@AS_JSON
def list_packs(as_json: bool) -> None:
    """List the models that are here."""
    from .. import show
    from ..pack import manifest

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


@click.command()
@click.argument("name")
@AS_JSON
def report(name: str, as_json: bool) -> None:
    """Print the report of a model: what went in, what came out, what got worse."""
    from .. import targets
    from ..pack import manifest

    folder = targets.pack_folder(name, open_store())
    result(
        manifest.read(folder), as_json, lambda: (folder / "report.md").read_text(encoding="utf-8").rstrip()
    )


@click.command()
@click.argument("name")
@click.argument("folder", type=click.Path(path_type=Path))
@AS_JSON
def adapter(name: str, folder: Path, as_json: bool) -> None:
    """Write what a model has learnt into FOLDER: as a peft adapter, and as adapter.gguf for llama.cpp."""
    from .. import targets
    from ..engines import adapter as adapters

    store = open_store()
    learnt, carved = targets.adapter_of(name, store)
    if folder.exists() and any(folder.iterdir()):
        raise StoreError("this folder is not empty", where=str(folder), hint="name a new one")
    folder.mkdir(parents=True, exist_ok=True)
    for file in ("adapter_model.safetensors", "adapter_config.json"):
        shutil.copyfile(store.path(learnt) / file, folder / file)
    adapters.to_gguf(folder, store.path(carved) / "model", folder / "adapter.gguf")
    names = sorted(path.name for path in folder.iterdir())
    told = f"{', '.join(names)} in {folder}\nthey fit its base, and the body in {store.path(carved) / 'model'}"
    result({"name": name, "folder": str(folder), "files": names}, as_json, told)


@click.command()
@click.argument("pack", required=False)
@click.option(
    "--repair", is_flag=True, help="Set damaged objects aside, so that the next make builds them again."
)
@click.option("--key", type=click.Path(path_type=Path), help="The public key that PACK must be signed by.")
@click.option("--accept-template", is_flag=True, help="Take PACK's chat template although it is not a known one.")
@AS_JSON
def verify(pack: str | None, repair: bool, key: Path | None, accept_template: bool, as_json: bool) -> None:
    """Re-hash the whole store, or one PACK (a model's name or a pack's folder) and check its signature."""
    from .. import reachability, targets

    if key and not pack:
        raise click.UsageError("--key goes with a PACK")
    store, signature = open_store(), None
    if pack:
        faults, signature = targets.pack_faults(pack, store, key, accept_template)
        found = [f"{pack}: {fault}" for fault in faults]
    else:
        damages = reachability.verify(store, repair=repair)
        found = [
            f"{d.ref[:12]}: {d.what}" + (f" (hurts {', '.join(d.packs)})" if d.packs else "") for d in damages
        ]
    whole = f"whole; {signature}" if signature else "whole"
    result({"whole": not found, "faults": found, "signature": signature}, as_json, "\n".join(found) or whole)
    if found:
        hint = "set aside; make again" if repair else "`netsuke verify --repair`, then make again"
        if pack:
            hint = "do not use it: make it again, or ask whoever gave it to you"
        raise StoreError(f"{len(found)} {'fault' if len(found) == 1 else 'faults'} found", hint=hint)


@click.command()
@click.option("--dry-run", is_flag=True, help="Only say what would be deleted.")
@AS_JSON
def gc(dry_run: bool, as_json: bool) -> None:
    """Delete what no named model reaches, and half-written work."""
    from .. import reachability

    files, freed = reachability.gc(
        open_store(), dry_run=dry_run, wait_note=lambda: say("waiting for a make to end")
    )
    verb = "would free" if dry_run else "freed"
    result(
        {"files": files, "bytes": freed, "dry_run": dry_run},
        as_json,
        f"{verb} {freed / 1e6:,.1f} MB in {files:,} files",
    )
