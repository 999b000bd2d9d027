"""What signed Content Credentials (C2PA) say of training: CAWG's assertion, and C2PA's own before it.

They are read from PDF, EPUB, DOCX, ODT, pictures and sidecar files, without the network. A no counts whatever
its signature is worth; a yes only in the active manifest of a file that is as it was signed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .signals import Signal, Value

LABELS = ("cawg.training-mining", "c2pa.training-mining")
OFFLINE = {
    "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False},
    "core": {"allowed_network_hosts": [], "allow_redirects": False, "decode_identity_assertions": False},
}
# The box that every manifest is in, and the property that tells where a remote one is.
_MARK = re.compile(rb"jumb|dcterms:provenance")


def in_file(path: Path, suffix: str) -> list[Signal]:
    """What the credentials inside a file say; [] where there are none, or the file cannot hold any."""
    import c2pa

    kind = suffix.removeprefix(".").lower()
    if kind not in c2pa.Reader.get_supported_mime_types():
        return []
    return _said(path, kind, None, "Content Credentials")


def in_sidecar(path: Path, manifest: bytes, where: str) -> list[Signal]:
    """What the credentials in a .c2pa file beside `path` say; the whole file is checked against them."""
    return _said(path, "application/c2pa", manifest, where)


def _said(path: Path, kind: str, manifest: bytes | None, where: str) -> list[Signal]:
    import c2pa

    try:
        with path.open("rb") as file, c2pa.Context(c2pa.Settings.from_dict(OFFLINE)) as context:
            try:
                reader = c2pa.Reader.try_create(kind, file, manifest, context)
                if reader is None:
                    return []
                with reader:
                    return list(_in_store(json.loads(reader.json()), where))
            except (c2pa.C2paError, ValueError) as error:
                file.seek(0)
                # What is no PDF at all is an error as well: only a file with a manifest has said something.
                if manifest is None and not _MARK.search(file.read()):
                    return []
                return [Signal("c2pa", "unknown", f"credentials that cannot be read: {error}", where)]
    except OSError:
        return []


def _in_store(store: Mapping[str, Any], where: str) -> Iterator[Signal]:
    active, state = store.get("active_manifest"), store.get("validation_state", "Invalid")
    for name, manifest in store.get("manifests", {}).items():
        valid = name == active and state in ("Valid", "Trusted")
        for assertion in manifest.get("assertions", ()):
            label = str(assertion.get("label", "")).partition("__")[0]
            if label in LABELS:
                yield _of(label, assertion.get("data"), valid, f"{where}, {state.lower()}")


def _of(label: str, data: Any, valid: bool, where: str) -> Signal:
    """CAWG 1.1 keeps its entries in a map of their own, as C2PA did; the text of CAWG 1.0 left that out."""
    entries = data.get("entries", data) if isinstance(data, dict) else {}
    raw = json.dumps({label: data}, ensure_ascii=False)
    return Signal("c2pa", training(entries, valid), raw, where)


def training(entries: Any, valid: bool) -> Value:
    """What a map of uses says. "constrained" is "notAllowed" while no more is known (CAWG 1.1, overview).

    ai_training is of models that do not generate: to forbid it forbids ours, to allow it does not allow ours.
    """
    uses = {}
    for name, entry in entries.items() if isinstance(entries, dict) else ():
        uses[str(name).rpartition(".")[2]] = entry.get("use") if isinstance(entry, dict) else entry
    ours = (uses.get("ai_generative_training"), uses.get("ai_training"))
    if any(use in ("notAllowed", "constrained") for use in ours):
        return "no"
    return "yes" if valid and ours[0] == "allowed" else "unknown"
