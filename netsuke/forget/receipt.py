"""Receipts: what was forgotten, what became of each pack, what was deleted and searched for; signed, in one file.

    receipts/ID.json    {"content": …, "public": the key in PEM, "signature": of content, as OpenSSF Model Signing}

A receipt holds no text, no path and no name of an owner: hashes, and the row of the ledger, which has the rest at home.
So it may be handed to whoever asked, and to whoever has one of the packs. `revocations` is the same of all receipts.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .. import signing
from ..consent.ledger import Ledger
from ..disk import files_in, write_whole
from ..errors import BudgetError, ConsentError, EngineError, GateError, RecipeError, StoreError, explained
from ..store import Store, canonical, hash_file, hash_listing
from .journal import Journal

ROOM, FORMAT, SIGNED = "receipts", 1, "content.json"


def content_of(journal: Journal, store: Store, seconds: float, head: str) -> dict[str, Any]:
    """What a receipt says of a withdrawal."""
    now = [pack.after for pack in journal.packs if pack.after and store.has(pack.after)]
    kept = {pack.model for pack in journal.packs if pack.after} & {store.tree(ref).get("model.gguf", "") for ref in now}
    packs = [
        {"name": p.name, "before": p.before, "model": "" if p.model in kept else p.model,
         **({"after": p.after} if p.after else {"withdrawn": p.withdrawn})}
        for p in journal.packs if p.before != p.after
    ]  # fmt: skip
    earlier = [{"before": ref, "model": "" if sha in kept else sha} for ref, sha in sorted(journal.earlier.items())]
    return {
        "netsuke_receipt": FORMAT, "id": journal.id, "asked_for": journal.kind, "reason": journal.reason,
        "by": journal.by, "asked": journal.when, "done": datetime.now(UTC).isoformat(timespec="seconds"),
        "documents": journal.documents, "documents_of_which_copies_of_others_stay": len(journal.stays),
        "ledger": {"rows": journal.rows, "head": head}, "packs": packs, "earlier_packs": earlier,
        "bases": journal.bases, "deleted": {"files": journal.files, "bytes": journal.bytes},
        "searched": {"pieces": journal.pieces or 0, "hashes": len(journal.documents), "found": journal.found},
        "seconds": round(seconds, 1), "proof": [],
    }  # fmt: skip


def reason(error: Exception) -> str:
    """Why a pack could not be made again, without the places and names that the error itself may tell."""
    kinds = {
        GateError: "what was made is worse than its gates allow", BudgetError: "its size cannot be reached any more",
        ConsentError: "what is left may not be used for it", RecipeError: "its recipe and what is left make no model",
        StoreError: "its recipe, its sources or the home cannot be used", EngineError: "the engine failed",
    }  # fmt: skip
    known = (told for kind, told in kinds.items() if isinstance(error, kind))
    return next(known, f"making it failed ({type(error).__name__})")


def write(store: Store, content: dict[str, Any]) -> Path:
    """Sign a receipt and write it to its place in the home, without why a pack could not be made in all its words."""
    place = store.root / ROOM / f"{content['id']}.json"
    told = {name: value for name, value in content.items() if name != "why"}
    with explained("write the receipt", store.root):
        write_whole(place, sealed(told, store.root))
    return place


def sealed(content: dict[str, Any], home: Path) -> bytes:
    """Some content as a file that is signed by the home's own key."""
    keys = signing.own_keys(home)
    with tempfile.TemporaryDirectory() as room:
        (Path(room) / SIGNED).write_bytes(canonical(content))
        signature = json.loads(signing.signature(Path(room), keys))
    public = keys.public.read_text(encoding="utf-8")
    return canonical({"content": content, "public": public, "signature": signature}) + b"\n"


def opened(place: Path, home: Path, key: Path | None = None) -> dict[str, Any]:
    """What a signed file says, checked by `key`, else by the home's own. Raises StoreError where it does not hold."""
    try:
        file = json.loads(place.read_bytes())
        content, signature = dict(file["content"]), canonical(file["signature"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(f"this is no receipt: {error}", where=str(place), hint="netsuke forget --receipts") from None
    with tempfile.TemporaryDirectory() as room, tempfile.NamedTemporaryFile() as signed:
        (Path(room) / SIGNED).write_bytes(canonical(content))
        signed.write(signature)
        signed.flush()
        public = signing.checker(Path(signed.name), home, key)
        if public is None:
            by = signing.signed_by(Path(signed.name))
            hint = "--key PUB checks it by the key of whoever gave it to you"
            raise StoreError(f"this receipt is signed by {by[:16]}…, not by your key", where=str(place), hint=hint)
        if fault := signing.fault(Path(room), Path(signed.name), public):
            raise StoreError(f"this receipt is not as it was signed: {fault}", where=str(place))
    return content


def every(store: Store) -> Iterator[dict[str, Any]]:
    """What the receipts of a home say, oldest first; "about" is what the ledger has of it. Raises StoreError."""
    rows = {row.number: row for row in Ledger.of(store.root).rows()} if _places(store) else {}
    for place in _places(store):
        content = _kept(place, store)
        told = [rows.get(row["number"]) for row in content["ledger"]["rows"]]
        yield content | {"about": [f"{row.scope} {row.about}" for row in told if row]}


def find(store: Store, made: str) -> dict[str, Any]:
    """What the receipt of an id, or of its first digits, says. Raises StoreError."""
    found = [place for place in _places(store) if place.stem.startswith(made)]
    if len(found) != 1 or not made:
        known = ", ".join(place.stem for place in _places(store)) or "none"
        raise StoreError(f"{'no' if not found else 'more than one'} receipt {made!r}", hint=f"receipts: {known}")
    return _kept(found[0], store)


def _kept(place: Path, store: Store) -> dict[str, Any]:
    """What a receipt in its home says, by the key that it holds: the home may have had another one since.

    That it is of this home is known by the ledger, whose head it names. Raises StoreError where it is another's.
    """
    try:
        public = str(json.loads(place.read_bytes())["public"])
    except (OSError, ValueError, KeyError, TypeError):
        return opened(place, store.root)  # which tells what is wrong with it
    with tempfile.NamedTemporaryFile("w", encoding="utf-8") as key:
        key.write(public)
        key.flush()
        content = opened(place, store.root, Path(key.name))
    ours = any(row.hash == content["ledger"]["head"] for row in Ledger.of(store.root).rows())
    return content if ours else opened(place, store.root)


def _places(store: Store) -> list[Path]:
    return sorted((store.root / ROOM).glob("*.json"))


# -- packs that were handed out --------------------------------------------------------------------------
def revocations(store: Store) -> bytes:
    """The packs of all receipts, as one signed file."""
    packs = [row for content in every(store) for row in _revoked(content)]
    when = datetime.now(UTC).isoformat(timespec="seconds")
    return sealed({"netsuke_revocations": FORMAT, "made": when, "packs": packs}, store.root)


def _revoked(content: dict[str, Any]) -> list[dict[str, str]]:
    """{"before", "model", "reason", "when"} of each pack that a receipt, or a file of them, withdraws."""
    if "netsuke_revocations" in content:
        return list(content["packs"])
    rows = [*content["packs"], *content["earlier_packs"]]
    more = {"reason": content["reason"], "when": content["done"]}
    return [{"before": row["before"], "model": row["model"], **more} for row in rows]


def withdrawn(pack: Path, place: Path, home: Path, key: Path | None) -> str | None:
    """Why a pack (its folder, or its model.gguf alone) is withdrawn by a signed file; None if it is not.

    Raises StoreError where the file is no receipt, or its signature does not hold.
    """
    rows = _revoked(opened(place, home, key))
    if pack.is_dir():
        files = {file.relative_to(pack).as_posix(): hash_file(file) for file in files_in(pack)}
        files.pop(signing.FILE, None)
        ref, model = str(hash_listing(canonical(files))), str(files.get("model.gguf", ""))
    else:
        ref, model = "", str(hash_file(pack))
    row = next((row for row in rows if row["before"] == ref or (model and row["model"] == model)), None)
    if row is None:
        return None
    return f"withdrawn: {row['reason'] or 'somebody took their documents back'} ({row['when'][:10]})"
