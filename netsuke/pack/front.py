"""The fields at the head of card.md, as the Hugging Face hub reads them.

https://huggingface.co/docs/hub/model-cards; what was measured is a model-index.
"""

from __future__ import annotations

import json
from typing import Any

_TEXTS = {"domain": "held-out documents of the owner", "general": "general English, eight genres",
          "answers": "held-out answers of the owner"}  # fmt: skip


def lines(facts: dict[str, Any]) -> list[str]:
    """The block between two lines of dashes, in YAML; every text is quoted as JSON, which YAML reads."""
    params, scores = facts["params"], facts.get("scores", {}).get("scores", [])
    results = [
        _result(_TEXTS[row["name"]], "bits_per_byte", row["ours"])
        for row in facts["report"]["measures"]
        if row["name"] in _TEXTS
    ] + [
        _result("held-out examples of the owner", row["score"].replace(" ", "_"), row["value"])
        for row in scores
        if row["who"] == "ours"
    ]  # fmt: skip
    metrics = list(dict.fromkeys(result["metrics"][0]["type"] for result in results))
    fields = {
        "license": params.base_licence.lower(),
        "base_model": params.base,
        "base_model_relation": "finetune",
        "datasets": [],  # the owner's own documents, which are on no hub
        "metrics": metrics,
        "library_name": "gguf",
        "pipeline_tag": "text-generation",
        "tags": ["netsuke", "gguf"],
        "model-index": [{"name": params.name, "results": results}],
    }
    return ["---", *(f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in fields.items()), "---"]


def _result(dataset: str, metric: str, value: float) -> dict[str, Any]:
    return {
        "task": {"type": "text-generation"},
        "dataset": {"name": dataset, "type": "private"},
        "metrics": [{"type": metric, "value": round(value, 4)}],
    }
