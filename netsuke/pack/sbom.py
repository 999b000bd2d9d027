"""sbom.cdx.json: what a model is made of, as a CycloneDX ML-BOM, without a clock and without chance.

https://cyclonedx.org/capabilities/mlbom/. CycloneDX has no field for a chat template yet: its hash is a property.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from typing import Any

from ..store import canonical

NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "netsuke")


def text(record: Mapping[str, Any], rows: list[dict[str, Any]]) -> str:
    """The bill as JSON text, of a manifest and of the documents' rows; equal inputs give equal text."""
    from cyclonedx.model import Property
    from cyclonedx.model.bom import Bom, BomMetaData
    from cyclonedx.model.component import Component, ComponentType, Pedigree
    from cyclonedx.output.json import JsonV1Dot6

    base, model = record["base"], record["files"]["model.gguf"]
    origin, forebear = (
        Component(
            type=ComponentType.MACHINE_LEARNING_MODEL, name=base["title"], bom_ref=f"{role}-{base['sha256'][:12]}",
            hashes=[_hash(base["sha256"])], licenses=_licences([base["licence"]]),
        )
        for role in ("base", "ancestor")
    )  # fmt: skip
    template = record.get("chat_template_sha256")
    ours = Component(
        type=ComponentType.MACHINE_LEARNING_MODEL, name=record["name"], version=model["sha256"][:12],
        bom_ref=f"model-{model['sha256'][:12]}", hashes=[_hash(model["sha256"])],
        pedigree=Pedigree(ancestors=[forebear]), licenses=_licences([base["licence"]]),
        properties=[Property(name="netsuke:chat_template_sha256", value=template)] if template else [],
    )  # fmt: skip
    used = [row for row in rows if row.get("decision") == "in"]
    data = Component(
        type=ComponentType.DATA, name="the owner's documents", bom_ref="documents",
        licenses=_licences(sorted({row["licence"] for row in used})),
        properties=[Property(name=f"netsuke:documents:{part}", value=str(facts["documents"]))
                    for part, facts in sorted(record["documents"].items())],
    )  # fmt: skip
    beside = _adapters(record)
    tool = Component(type=ComponentType.APPLICATION, name="netsuke", version=record["made_with"], bom_ref="netsuke")
    bom = Bom(serial_number=uuid.uuid5(NAMESPACE, canonical(record).decode()), components=[data, origin, *beside])
    bom.metadata = BomMetaData(component=ours)
    bom.metadata.tools.components.add(tool)
    bom.register_dependency(ours, [origin, data, *beside])
    written = json.loads(JsonV1Dot6(bom).output_as_string())
    del written["metadata"]["timestamp"]  # when it was made is not part of what it is made of
    written["metadata"]["component"]["modelCard"] = _model_card(record)
    return json.dumps(written, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _adapters(record: Mapping[str, Any]) -> list[Any]:
    """The adapters beside the model, by their files: they are models of their own."""
    from cyclonedx.model.component import Component, ComponentType

    return [
        Component(
            type=ComponentType.MACHINE_LEARNING_MODEL, name=name, bom_ref=f"adapter-{facts['sha256'][:12]}",
            hashes=[_hash(facts["sha256"])], licenses=_licences([record["base"]["licence"]]),
        )
        for name, facts in sorted(record["files"].items()) if name.startswith("voice-")
    ]  # fmt: skip


def _model_card(record: Mapping[str, Any]) -> dict[str, Any]:
    """What was measured, as CycloneDX has it; the library that writes the rest does not know the field."""
    return {
        "modelParameters": {"task": "text-generation", "architectureFamily": "transformer"},
        "quantitativeAnalysis": {"performanceMetrics": [
            {"type": f"{row['name']}, {row['unit']}", "value": str(row["ours"]), "slice": "held out"}
            for row in record["measures"]
        ]},
        "considerations": {"technicalLimitations": ["It is not a source of facts", "It may repeat its material"]},
    }  # fmt: skip


def _hash(digest: str) -> Any:
    from cyclonedx.model import HashAlgorithm, HashType

    return HashType(alg=HashAlgorithm.SHA_256, content=digest)


def _licences(names: list[str]) -> list[Any]:
    """SPDX names as such, anything else as a name."""
    from cyclonedx.contrib.license.factories import LicenseFactory
    from cyclonedx.model.license import DisjunctiveLicense

    made = LicenseFactory()
    found = []
    for name in names:
        one = made.make_from_string(name)
        if not isinstance(one, DisjunctiveLicense) and len(names) > 1:  # an expression stands alone in CycloneDX
            one = DisjunctiveLicense(name=name)
        found.append(one)
    return found
