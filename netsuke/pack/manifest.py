"""The files of a pack, and reading them back: every file is named with its sha256 in netsuke.json."""

from __future__ import annotations

import contextlib
import json
import shlex
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import chat_templates, signing, voices
from ..errors import NetsukeError, StoreError
from ..nouns import Ref
from ..recipe import is_name
from ..store import Store, hash_file
from ..texts.documents import read_rows, write_json, write_rows
from . import Params, page, sbom, words

FORMAT = 1


@dataclass(frozen=True)
class Parts:
    """What a pack is put together from."""

    model: Path
    vocabulary: Path
    report: Path
    documents: Path
    summary: Path
    curve: Path
    choice: Path
    lineage: Path
    search: Path | None = None
    voices: Path | None = None  # a folder that combine's `voice` wrote


NEEDED = ("model.gguf", "card.md")  # of every pack
TASK_FILES = {"task": "task.json", "shots": "shots.jsonl", "scores": "scores.json"}


def write(params: Params, out: Path, parts: Parts, told: Mapping[str, Path]) -> None:
    """Write the whole folder; netsuke.json last."""
    report = json.loads(parts.report.read_bytes())
    facts = {
        "params": params, "report": report, "summary": json.loads(parts.summary.read_bytes()),
        "curve": json.loads(parts.curve.read_bytes()), "choice": json.loads(parts.choice.read_bytes()),
        "rows": list(read_rows(parts.documents)),
        **{name: json.loads(path.read_bytes()) for name, path in told.items() if name != "shots"},
        **_voices(parts),
    }  # fmt: skip
    _copied(parts, told, out)
    write_rows(out / "ledger.jsonl", map(_ledger_row, facts["rows"]))
    (out / "card.md").write_text(words.card(facts), encoding="utf-8")
    (out / "report.md").write_text(words.report(facts), encoding="utf-8")
    content, quoted = page.data(facts), page.quotes(facts)
    write_json(out / "report.json", content)
    write_json(out / "quotes.json", quoted)
    (out / "report.html").write_text(page.html(content, quoted), encoding="utf-8")
    record = {
        "netsuke": FORMAT, "made_with": params.netsuke, "name": params.name,
        "base": {"name": params.base, "title": params.base_title, "licence": params.base_licence,
                 "sha256": params.base_sha256},
        "measures": report["measures"], "gates": content["gates"],
        "task": facts.get("scores"),
        "documents": facts["summary"].get("splits", {}),
        "chat_template_sha256": _template_hash(parts.model),
        "lineage": json.loads(parts.lineage.read_bytes()),
        "files": _listed(out),
    }  # fmt: skip
    (out / "sbom.cdx.json").write_text(sbom.text(record, facts["rows"]), encoding="utf-8")
    record["files"] = _listed(out)
    write_json(out / "netsuke.json", record)


def _copied(parts: Parts, told: Mapping[str, Path], out: Path) -> None:
    """Copy what a pack takes as it is."""
    for name, path in told.items():
        if name in TASK_FILES and path.stat().st_size:
            shutil.copyfile(path, out / TASK_FILES[name])
    shutil.copyfile(parts.model, out / "model.gguf")
    shutil.copyfile(parts.vocabulary, out / "vocabulary.json")
    if parts.search:
        shutil.copyfile(parts.search, out / "search.db")
    for path in sorted(parts.voices.iterdir()) if parts.voices else ():
        shutil.copyfile(path, out / path.name)


def _voices(parts: Parts) -> dict[str, Any]:
    """The voices as a report has them. Raises EngineError for an adapter that does not fit the model."""
    if parts.voices is None:
        return {}
    from ..engines import strict

    rows = []
    for one in voices.read(parts.voices):
        strict.require_adapter(parts.voices / one.file, parts.model)
        size = (parts.voices / one.file).stat().st_size
        rows.append({"name": one.name, "weight": one.weight, "bytes": size})
    return {"voices": rows}


def _listed(out: Path) -> dict[str, Any]:
    return {p.name: {"sha256": hash_file(p), "bytes": p.stat().st_size} for p in sorted(out.iterdir())}


def _ledger_row(row: dict[str, Any]) -> dict[str, Any]:
    """A document's row without its text and without its path, which may tell what is in it."""
    return {k: row.get(k) for k in ("hash", "source", "owner", "licence", "decision", "reason", "split")}


def _template_hash(model: Path) -> str | None:
    from ..engines.gguf import read_fields

    template = read_fields(model)[1].get("tokenizer.chat_template")
    return chat_templates.digest(template) if template else None


def read(folder: Path) -> dict[str, Any]:
    """The manifest of a pack. Raises StoreError if the folder is not one."""
    try:
        record: dict[str, Any] = json.loads((folder / "netsuke.json").read_text(encoding="utf-8"))
        if record["netsuke"] != FORMAT:
            raise StoreError(
                f"its netsuke.json has format {record['netsuke']}, this netsuke reads {FORMAT}", where=str(folder)
            )
        _require_shape(record)
    except (FileNotFoundError, NotADirectoryError):
        raise StoreError("not a pack: there is no netsuke.json", where=str(folder)) from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        why = f"{error} is missing" if isinstance(error, KeyError) else error
        raise StoreError(f"the pack's netsuke.json is damaged: {why}", where=str(folder)) from error
    return record


@contextlib.contextmanager
def understood(*folders: Path) -> Iterator[None]:
    """Around what reads on in packs that are whole: one from elsewhere may have another shape. Raises StoreError."""
    try:
        yield
    except NetsukeError:
        raise
    except Exception as error:  # whatever Python says of a field that is not there, or is another kind of thing
        hint = "another netsuke wrote it, or somebody changed it: --debug shows where it ends"
        where = " or ".join(map(str, folders))
        raise StoreError(f"this pack is not as this netsuke reads them ({type(error).__name__}: {error})", where=where,
                         hint=hint) from error  # fmt: skip


def _require_shape(record: dict[str, Any]) -> None:
    """Raise for the first field that is not as docs/netsuke.schema.json has it: a pack may come from anybody.

    ValueError or KeyError names it; TypeError and AttributeError tell of what is something else altogether.
    """
    _require(record, "", name=str, made_with=str, base=dict, measures=list, lineage=dict, files=dict)
    if not is_name(record["name"]):
        raise ValueError(f"{record['name'][:80]!r} cannot be a model's name")
    _require(record["base"], "base.", name=str, title=str, licence=str, sha256=str)
    for row in record["measures"]:
        _require(row, "measures: ", name=str, unit=str, base=(int, float), ours=(int, float), change=(int, float))
    for part in record.get("documents", {}).values():
        _require(part, "documents: ", documents=int)
    for run in record["lineage"].values():
        Ref(run["key"]), Ref(run["output"])
    for name in NEEDED:
        if name not in record["files"]:
            raise ValueError(f"it lists no {name}")
    for name, facts in record["files"].items():
        if not isinstance(facts, dict) or not isinstance(facts["bytes"], int) or not isinstance(facts["sha256"], str):
            raise ValueError(f"files.{name} has no sha256 and bytes")


def _require(given: Mapping[str, Any], where: str, **kinds: type | tuple[type, ...]) -> None:
    """Raise KeyError or ValueError for the first of these fields that is not there, or of another kind."""
    for name, kind in kinds.items():
        if not isinstance(given[name], kind):
            raise ValueError(f"{where}{name} is not a {getattr(kind, '__name__', 'number')}")


def read_part(folder: Path, name: str) -> dict[str, Any] | None:
    """A JSON file of a pack, verified by its digest; None if the pack has none. Raises StoreError if it changed."""
    facts, path = read(folder)["files"].get(name), folder / name
    if facts is None or not path.is_file():
        return None
    if hash_file(path) != facts.get("sha256"):
        hint = f"netsuke verify {shlex.quote(str(folder))}"
        raise StoreError(f"{name} is not what the pack says it is", where=str(folder), hint=hint)
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def read_from(store: Store, ref: str) -> dict[str, Any]:
    """The manifest of a pack in the store; nothing else of it is read."""
    record: dict[str, Any] = json.loads(store.path(store.tree(ref)["netsuke.json"]).read_text(encoding="utf-8"))
    return record


def faults(folder: Path) -> list[str]:
    """What is wrong with a pack's files: changed, missing or added; an empty list if it is whole."""
    listed = read(folder)["files"]
    found = []
    for name, facts in sorted(listed.items()):
        path = folder / name
        if "/" in name or name in ("", ".", "..") or path.is_symlink():
            found.append(f"{name}: not a plain file of this folder")
        elif not path.is_file():
            found.append(f"{name}: missing")
        elif path.stat().st_size != facts.get("bytes"):
            found.append(f"{name}: {path.stat().st_size} bytes, not {facts.get('bytes')}")
        elif hash_file(path) != facts.get("sha256"):
            found.append(f"{name}: its bytes changed")
    extra = {p.name for p in folder.iterdir()} - set(listed) - {"netsuke.json", signing.FILE}
    return found + [f"{name}: not part of the pack" for name in sorted(extra)]
