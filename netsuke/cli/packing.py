"""Taking a model elsewhere: in other programs' forms."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from ..terminal import say
from . import AS_JSON, open_store, result


@click.command()
@click.argument("name")
@click.argument("place", required=False, type=click.Path(path_type=Path))
@click.option(
    "--to",
    type=click.Choice(["folder", "gguf", "hf", "ollama", "oci", "html"]),
    default="folder",
    show_default=True,
    help="What as: the pack itself, one GGUF, a Hugging Face folder, an Ollama folder, an OCI layout, one HTML page.",
)
@click.option("--serve-dir", is_flag=True, help="With html: a folder for `netsuke serve`, which allows threads.")
@click.option("--share", is_flag=True, help="The pack without what quotes the documents; says what remains.")
@click.option("--force", is_flag=True, help="Replace an export that lies there.")
@AS_JSON
def pack(name: str, place: Path | None, to: str, serve_dir: bool, share: bool, force: bool, as_json: bool) -> None:
    """Write a model to PLACE in a form that other programs take. PLACE is here, named after it, by default."""
    from .. import export, signing
    from ..export.place import laid
    from ..front import show, targets
    from ..pack import manifest

    if serve_dir and to != "html":
        raise click.UsageError("--serve-dir goes with --to html")
    if share and to != "folder":
        raise click.UsageError("--share goes without --to: it writes the pack's folder")
    store = open_store()
    folder = targets.pack_folder(name, store)
    found = export.Pack(folder, manifest.read(folder), targets.signature_of(name, store))
    form = export.form("shared" if share else "html folder" if serve_dir else to)
    place = place or Path(targets.model_name(found.name) + form.suffix)
    with laid(place, home=store.root, needed_bytes=form.bytes(found), force=force) as out:
        told = form.write(found, out)
        own = to == "folder" and not found.signature and targets.named_pack(name, store)  # older than signatures
        if share or own:
            (out / signing.FILE).write_bytes(signing.signature(out, signing.own_keys(store.root)))
        size = sum(file.stat().st_size for file in ([out] if out.is_file() else out.rglob("*")) if file.is_file())
    notes = [line.replace('"{place}"', repr(str(place))).replace("{place}", shlex.quote(str(place))) for line in told]
    value = {"name": found.name, "to": to, "place": str(place), "bytes": size, "notes": notes}
    result(value, as_json, f"{place}: {size / 1e6:,.1f} MB")
    for line, note in zip(told, notes, strict=True) if not as_json else ():  # a command with a path is copied whole
        say(note if "{place}" in line else "\n".join(show.wrapped([note])))


@click.command()
@click.argument("before")
@click.argument("after")
@AS_JSON
def diff(before: str, after: str, as_json: bool) -> None:
    """Say what changed from one pack to another. Data, settings, measures, size."""
    from ..front import show, targets
    from ..pack import compare, manifest

    store = open_store()
    folders = [targets.pack_folder(name, store) for name in (before, after)]
    with manifest.understood(*folders):
        found = compare.compare(folders[0], folders[1], store)
        lines = show.wrapped(compare.words(found).splitlines(), compare.INDENT)
    result(found, as_json, "\n".join(lines))
