"""Looking at what is there, and tidying it."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..disk import require_new_file
from ..errors import StoreError
from ..terminal import count, paint, say
from . import AS_JSON, open_store, result, tell_pending

if TYPE_CHECKING:
    from ..nouns import Recipe
    from ..reachability import Damage
    from ..store import Store


@click.command("list")
@AS_JSON
def list_packs(as_json: bool) -> None:
    """List the models that are here."""
    from ..front import show
    from ..pack import manifest

    store = open_store()
    tell_pending(store)
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
@click.option("--html", "place", metavar="FILE|open", help="Write the page to FILE, or open it in the browser.")
@click.option("--force", is_flag=True, help="Write over a FILE that is there.")
@AS_JSON
def report(name: str, place: str | None, force: bool, as_json: bool) -> None:
    """Print the report of a model: what went in, came out, got worse."""
    from ..front import targets
    from ..pack import manifest

    store = open_store()
    folder = targets.pack_folder(name, store)
    if place is None:
        text = (folder / "report.md").read_text(encoding="utf-8").rstrip()
        result(manifest.read(folder), as_json, lambda: text + to_forget(name, store))
        return
    if place != "open":
        require_new_file(Path(place), force)
    path = write_page(name, folder, store, place)
    if place == "open":
        click.launch(path.resolve().as_uri())
    result({"name": name, "file": str(path)}, as_json, f"written to {path}")


def to_forget(name: str, store: Store) -> str:
    """What forgetting one owner of a model of this home would cost; "" where that is not known."""
    from ..front import foretold, show, targets

    costs = foretold.forgetting(targets.named_pack(name, store) or {}, store)
    if not costs:
        return ""
    joint, apart = (show.duration(costs[units]) for units in ("joint", "per-owner"))
    return (
        f"\n\n## Forgetting\n\nTo forget one owner, as the steps took here: about {joint} where all are learnt at once "
        f"(tune.units = joint), about {apart} with one adapter for each (per-owner)."
    )


def write_page(name: str, folder: Path, store: Store, place: str) -> Path:
    """Write the page of a pack, with what stands beside its name: its trial, the one before it, the sizes there are."""
    from ..errors import NetsukeError
    from ..front import targets
    from ..pack import manifest, page

    content, quoted = (manifest.read_part(folder, file) for file in ("report.json", "quotes.json"))
    if content is None:
        raise StoreError("this pack holds no report.json", where=str(folder), hint="make it again")
    beside: dict[str, Any] = {}
    if record := targets.named_pack(name, store):
        beside = {"trial": record["trial"], "since": record.get("since", []), "value": value_picture(name, store)}
        with contextlib.suppress(NetsukeError):  # the recipe may be gone; the page does without the picture
            wanted, path, _ = targets.find_recipe(name, store)
            beside["frontier"] = frontier_picture(wanted, path, store)
    own = store.root / "pages"
    called = targets.model_name(manifest.read(folder)["name"])  # a pack of somebody else's says what it likes
    target = own / f"{called}.html" if place == "open" else Path(place)
    with manifest.understood(folder):
        text = page.html(content, quoted, beside)
    try:
        if place == "open":
            own.mkdir(exist_ok=True)
        target.write_text(text, encoding="utf-8")
    except OSError as error:
        why = f"the page could not be written: {error.strerror}"
        raise StoreError(why, where=str(target), hint="name another place") from error
    return target


def value_picture(name: str, store: Store) -> str | None:
    """The picture of what each part of the material was worth, where `netsuke value` has worked it out."""
    from ..front import worth

    ref = worth.latest(name, store)
    return (store.path(ref) / "value.svg").read_text(encoding="utf-8") if ref else None


def frontier_picture(recipe: Recipe, path: Path, store: Store) -> str | None:
    """The picture of sizes and stock presets, where `carve --frontier` has measured it for this very recipe."""
    from .. import loop
    from ..plan import Plan
    from ..tune.pace import Pace

    pace = Pace(path.with_suffix(".lock"), store, lambda text: None, measures=False)
    ref = loop.frontier(recipe, path, store, Plan(store), pace)["frontier.svg"]
    return store.path(ref).read_text(encoding="utf-8") if ref else None


@click.command()
@click.argument("name")
@click.argument("folder", type=click.Path(path_type=Path))
@AS_JSON
def adapter(name: str, folder: Path, as_json: bool) -> None:
    """Write what a model has learnt into FOLDER. As a peft adapter, and as adapter.gguf for llama.cpp."""
    from ..front import targets

    store = open_store()
    learnt, carved = targets.adapter_of(name, store)
    if folder.exists() and any(folder.iterdir()):
        raise StoreError("this folder is not empty", where=str(folder), hint="name a new one")
    from ..engines import adapter as adapters  # loads torch

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
@click.option("--revoked", metavar="RECEIPT", type=click.Path(path_type=Path, exists=True, dir_okay=False),
              help="Say whether PACK (or a model.gguf alone) is withdrawn by this receipt; --key must have signed it.")
@AS_JSON
def verify(
    pack: str | None, repair: bool, key: Path | None, accept_template: bool, revoked: Path | None, as_json: bool
) -> None:
    """Re-hash the whole store, or one PACK and check its signature. PACK: a model's name or a pack's folder."""
    from .. import reachability
    from ..front import targets

    if (key or revoked or accept_template) and not pack:
        raise click.UsageError("--key, --revoked and --accept-template go with a PACK")
    if repair and pack:
        raise click.UsageError("--repair is about the whole store: give it without a PACK")
    store, signature, hint = open_store(), None, "do not use it: make it again, or ask whoever gave it to you"
    if pack and revoked and (why := withdrawn(pack, revoked, store, key)):
        found, signature = [f"{pack}: {why}"], None
    elif pack and Path(pack).is_file() and not targets.named_pack(pack, store):  # a model's name wins, as elsewhere
        found, signature = [], "a model without its pack" if revoked else None
        if not revoked:
            raise StoreError("this is no pack", where=pack, hint="--revoked RECEIPT checks a model's file alone")
    elif pack:
        faults, signature = targets.pack_faults(pack, store, key, accept_template)
        found = [f"{pack}: {fault}" for fault in faults]
    else:
        damages = reachability.verify(store, repair=repair)
        found, hint = [_damage(one) for one in damages], _mending(damages, repair)
    whole = f"whole; {signature}" if signature else "whole"
    result({"whole": not found, "faults": found, "signature": signature}, as_json, "\n".join(found) or whole)
    if found:
        raise StoreError(f"{count(len(found), 'fault')} found", hint=hint)


def _damage(one: Damage) -> str:
    """What is damaged, and whom it hurts, in a line."""
    hurt = ", ".join([*one.packs, *(f"base {name}" for name in one.bases)])
    return f"{one.ref[:12]}: {one.what}" + (f" (hurts {hurt})" if hurt else "")


def _mending(damages: Sequence[Damage], repair: bool) -> str:
    """What to do about damages: a make builds all again but a base, which is fetched or added again before."""
    from ..bases import way_to

    bases = sorted({name for one in damages for name in one.bases})
    steps = ["set aside" if repair else "`netsuke verify --repair`", *(f"`{way_to(name)}`" for name in bases)]
    return f"{', '.join(steps)}, then make again"


def withdrawn(pack: str, revoked: Path, store: Store, key: Path | None) -> str | None:
    """Why a pack of a name, a pack's folder or a model's file is withdrawn by a receipt; None if it is not."""
    from ..forget import receipt
    from ..front import targets

    record = targets.named_pack(pack, store)
    place = store.path(record["ref"]) if record else Path(pack)
    return receipt.withdrawn(place, revoked, store.root, key) if place.exists() else None


@click.command()
@click.option("--dry-run", is_flag=True, help="Only say what would be deleted.")
@AS_JSON
def gc(dry_run: bool, as_json: bool) -> None:
    """Delete what no named model reaches, and half-written work."""
    from .. import reachability
    from ..forget import pending

    store = open_store()
    if pending(store.root) and not dry_run:
        hint = "netsuke forget finishes it, and frees what it can; what gc would delete tells it what to look for"
        raise StoreError("a withdrawal is not finished", hint=hint)
    files, freed = reachability.gc(store, dry_run=dry_run, wait_note=lambda: say("waiting for a make to end"))
    verb = "would free" if dry_run else "freed"
    result(
        {"files": files, "bytes": freed, "dry_run": dry_run},
        as_json,
        f"{verb} {freed / 1e6:,.1f} MB in {files:,} files",
    )
