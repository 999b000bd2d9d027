"""The dataset's card as Croissant 1.0 with the RAI fields: JSON-LD, checked by mlcroissant (docs.mlcommons.org)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..texts.documents import SPLITS

_CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
_FIELDS = {
    "hash": "sha256 of the text",
    "path": "the file it came from, and #n for its n-th part",
    "owner": "who owns it",
    "licence": "SPDX expression, or unknown",
    "language": "ISO 639-1 code, und if it cannot be told",
    "profile": "prose, notes, code or catalogue",
    "text": "the text",
}


def card(name: str, summary: Mapping[str, Any], files: Mapping[str, tuple[str, int]]) -> dict[str, Any]:
    """The card of a dataset: its summary.json, and (sha256, bytes) of each file by name."""
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": ["http://mlcommons.org/croissant/1.0", "http://mlcommons.org/croissant/RAI/1.0"],
        "name": name,
        "description": f"The documents that the model {name} learns from and is checked on, curated by Netsuke.",
        "license": [_licence(expression) for expression in summary["licences"]],
        "creator": [{"@type": "sc:Person", "name": owner} for owner in summary["owners"]],
        "inLanguage": [code for code in summary["languages"] if code != "und"],
        "isLiveDataset": False,
        **_responsible(summary),
        "distribution": [_file(file, *facts) for file, facts in sorted(files.items())],
        "recordSet": [_records(split) for split in SPLITS if f"{split}.jsonl" in files],
    }


def _licence(expression: str) -> str:
    plain = expression.replace("-", "").replace(".", "").isalnum() and expression != "unknown"
    return f"https://spdx.org/licenses/{expression}.html" if plain else expression


def _responsible(summary: Mapping[str, Any]) -> dict[str, Any]:
    """The RAI fields, in sentences made of what was counted."""
    drops = ", ".join(f"{rule} ({drop['count']})" for rule, drop in summary["drops"].items()) or "nothing"
    private = ", ".join(f"{kind} ({count})" for kind, count in summary["private"].items()) or "none"
    out = sum(row["files"] for reason, row in summary["decisions"].items() if reason.startswith("out"))
    return {
        "rai:dataCollection": f"{summary['files']} files of the owners named as creators, read where they lay.",
        "rai:dataCollectionType": "Document analysis",
        "rai:dataPreprocessingProtocol": [
            "Unicode NFC; control characters and repeated passages cut; near-duplicates by MinHash"
            " (14 bands of 8, runs of five words) confirmed by exact Jaccard.",
            f"Left out, by rule: {drops}.",
        ],
        "rai:dataManipulationProtocol": "Split by content hash, near-duplicates on one side; passages of train"
        " that share twelve words with what is held out were cut.",
        "rai:personalSensitiveInformation": [f"Found by rules, and treated as the recipe says: {private}."],
        "rai:dataLimitations": ["Rules miss what they have no pattern for, names of persons among it."],
        "rai:dataBiases": [f"Languages, by files: {_shares(summary['languages'])}."],
        "rai:dataUseCases": ["Fine-tuning and checking one small language model of its owner."],
        "rai:dataReleaseMaintenancePlan": f"Consent is kept document by document: {out} of {summary['files']} files"
        " are out; a withdrawal is honoured by the next build.",
    }


def _shares(counts: Mapping[str, Mapping[str, int]]) -> str:
    return ", ".join(f"{name} {count['files']}" for name, count in counts.items()) or "none"


def _file(name: str, sha256: str, size: int) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": name,
        "name": name,
        "contentUrl": name,
        "contentSize": f"{size} B",
        "encodingFormat": "application/jsonlines" if name.endswith(".jsonl") else "application/json",
        "sha256": sha256,
    }


def _records(split: str) -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet",
        "@id": split,
        "name": split,
        "field": [
            {
                "@type": "cr:Field",
                "@id": f"{split}/{column}",
                "name": column,
                "description": meaning,
                "dataType": "sc:Text",
                "source": {"fileObject": {"@id": f"{split}.jsonl"}, "extract": {"column": column}},
            }
            for column, meaning in _FIELDS.items()
        ],
    }
