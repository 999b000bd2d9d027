"""An OCI image layout that follows the CNCF ModelPack specification: a registry takes it, a cluster mounts it.

https://github.com/modelpack/model-spec (v1; media types application/vnd.cncf.model.*), inside
https://github.com/opencontainers/image-spec/blob/main/image-layout.md. Layers are raw files, one a layer: weights gain
nothing from being packed, and equal packs give equal bytes.
"""

from __future__ import annotations

import hashlib
import json
import math
import shutil
from pathlib import Path
from typing import Any

from ..engines import gguf, strict
from ..errors import EngineError
from ..store import canonical, hash_file
from . import Pack

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
ARTIFACT = "application/vnd.cncf.model.manifest.v1+json"
CONFIG = "application/vnd.cncf.model.config.v1+json"
WEIGHT, SETTINGS, DOC = (f"application/vnd.cncf.model.{kind}.v1.raw" for kind in ("weight", "weight.config", "doc"))
FILEPATH = "org.cncf.model.filepath"
LAYERS = ("model.gguf", "card.md", "sbom.cdx.json", "vocabulary.json")  # none quotes the documents or names owners


def write(pack: Pack, out: Path) -> list[str]:
    """Write oci-layout, index.json and blobs/sha256/*. Raises EngineError where one reads back otherwise."""
    blobs = out / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    strict.require_sound(pack.model)
    names = [name for name in LAYERS if name in pack.record["files"]]
    layers = [_layer(pack.folder / name, blobs) for name in names]
    config = canonical(_config(pack, [layer["digest"] for layer in layers]))
    manifest = canonical({
        "schemaVersion": 2, "mediaType": MANIFEST, "artifactType": ARTIFACT,
        "config": {"mediaType": CONFIG, **_added(config, blobs)}, "layers": layers,
        "annotations": {"org.opencontainers.image.title": pack.name,
                        "org.opencontainers.image.licenses": pack.record["base"]["licence"]},
    })  # fmt: skip
    described = {"mediaType": MANIFEST, "artifactType": ARTIFACT, **_added(manifest, blobs),
                 "annotations": {"org.opencontainers.image.ref.name": _tag(pack.name)}}  # fmt: skip
    (out / "index.json").write_bytes(canonical({"schemaVersion": 2, "mediaType": INDEX, "manifests": [described]}))
    (out / "oci-layout").write_bytes(canonical({"imageLayoutVersion": "1.0.0"}))
    if wrong := faults(out):
        raise EngineError(wrong[0], where=out.name)
    return ["it holds the model and its card, and no file that quotes the documents or names owners",
            f"push it: oras cp --from-oci-layout {{place}}:{_tag(pack.name)} REGISTRY/NAME:TAG"]  # fmt: skip


def faults(out: Path) -> list[str]:
    """What is wrong with a layout by the specifications' media types, digests and sizes; nothing if it is whole."""
    found: list[str] = []

    def blob(described: dict[str, Any]) -> bytes:
        algorithm, _, name = described["digest"].partition(":")
        path = out / "blobs" / algorithm / name
        if not path.is_file() or path.stat().st_size != described["size"] or hash_file(path) != name:
            found.append(f"{described['digest']}: missing, or not what its digest and size say")
            return b"{}"
        return path.read_bytes() if described["mediaType"] in (MANIFEST, CONFIG) else b"{}"

    (top,) = json.loads((out / "index.json").read_text(encoding="utf-8"))["manifests"]
    manifest = json.loads(blob(top))
    config = json.loads(blob(manifest.get("config", top)))
    for layer in manifest.get("layers", ()):
        blob(layer)
    if not found:
        kinds = (top["mediaType"], manifest["artifactType"], manifest["config"]["mediaType"])
        if kinds != (MANIFEST, ARTIFACT, CONFIG):
            found.append("a media type is not that of ModelPack")
        if config["modelfs"] != {"type": "layers", "diffIds": [layer["digest"] for layer in manifest["layers"]]}:
            found.append("modelfs does not name the layers")
    return found


def _layer(path: Path, blobs: Path) -> dict[str, Any]:
    name, kind = hash_file(path), WEIGHT if path.suffix == ".gguf" else SETTINGS
    if path.suffix == ".md":
        kind = DOC
    shutil.copyfile(path, blobs / name)
    return {"mediaType": kind, "digest": f"sha256:{name}", "size": path.stat().st_size,
            "annotations": {FILEPATH: path.name}}  # fmt: skip


def _added(data: bytes, blobs: Path) -> dict[str, Any]:
    name = hashlib.sha256(data).hexdigest()
    (blobs / name).write_bytes(data)
    return {"digest": f"sha256:{name}", "size": len(data)}


def _tag(name: str) -> str:
    return "".join(c if c.isalnum() and c.isascii() or c in "._-" else "-" for c in name).lstrip(".-") or "model"


def _config(pack: Pack, digests: list[str]) -> dict[str, Any]:
    """The model's description; without a date, so that equal packs give equal bytes."""
    reader, fields = gguf.read_fields(pack.model)
    parameters = sum(math.prod(int(n) for n in tensor.shape) for tensor in reader.tensors)
    kinds = [tensor.tensor_type.name for tensor in reader.tensors if len(tensor.shape) > 1]
    base, shape = pack.record["base"], fields["general.architecture"]
    return {
        "descriptor": {"name": pack.name, "title": pack.name, "family": base["name"], "licenses": [base["licence"]],
                       "description": f"Carved by Netsuke {pack.record['made_with']} out of {base['title']}"},
        "modelfs": {"type": "layers", "diffIds": digests},
        "config": {
            "architecture": "transformer", "format": "gguf", "paramSize": f"{parameters / 1e6:.0f}m",
            "quantization": max(sorted({*kinds}), key=kinds.count),
            "transformerConfig": {
                "attentionType": "gqa", "mlpType": "dense", "numLayers": fields[f"{shape}.block_count"],
                "numAttentionHeads": fields[f"{shape}.attention.head_count"],
                "numKVHeads": fields[f"{shape}.attention.head_count_kv"],
                "hiddenSize": fields[f"{shape}.embedding_length"],
                "intermediateSize": fields[f"{shape}.feed_forward_length"],
            },
            "capabilities": {"inputTypes": ["text"], "outputTypes": ["text"]},
        },
    }  # fmt: skip
