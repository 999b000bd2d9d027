"""Calls made up from our own OpenAPI: never a 500, and no answer that is not described."""

from __future__ import annotations

import functools

import hypothesis
import pytest
import schemathesis
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from schemathesis.core.parameters import ParameterLocation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)
from served import KEY, Running

from netsuke.serve import fields, openapi

CHECKS = [  # a 500 is not described
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    negative_data_rejection,
]
PATHS = sorted(path for path, verbs in openapi.described()["paths"].items() for _ in verbs)


@functools.cache
def described() -> schemathesis.BaseSchema:
    schema = schemathesis.openapi.from_dict(openapi.described())
    schema.config.generation.update(modes=list(schemathesis.GenerationMode))
    return schema


def shown(key: str) -> dict[str, str]:
    """The key in every form that is described, so that no made-up one stands beside it and is all that is looked at."""
    return {"Authorization": f"Bearer {key}", "x-api-key": key}


def small(body: object) -> object:
    """The call with few tokens, so that the engine is soon done; what is wrong stays wrong."""
    if isinstance(body, dict):
        for name in ("max_tokens", "max_completion_tokens", "max_output_tokens", "n_predict", "num_predict"):
            asked = body.get(name)
            without_end = name == "num_predict" and asked in (-1, -2)
            if isinstance(asked, int) and (without_end or 4 < asked <= fields.MOST_TOKENS):
                body[name] = 4
        small(body.get("options"))  # Ollama's
    return body


def judge(case: schemathesis.Case, response: schemathesis.Response) -> None:
    """Raises where the answer is not as described. A body that is too large is refused whatever is in it.

    Wrong headers alone are no reason to refuse: the right key stands in their place.
    """
    parts = case.meta.components.items() if case.meta else ()
    wrong = {part for part, made in parts if made.mode is schemathesis.GenerationMode.NEGATIVE}
    excused = response.status_code == 413 or wrong == {ParameterLocation.HEADER}
    case.validate_response(response, checks=CHECKS[:-1] if excused else CHECKS)


@pytest.mark.parametrize("most", [8, pytest.param(50, marks=pytest.mark.slow)])
@pytest.mark.parametrize("path", PATHS)
def test_attack_19_no_call_ends_in_a_500(server: Running, path: str, most: int) -> None:
    verb = next(iter(openapi.described()["paths"][path]))
    operation = described()[path][verb]

    @hypothesis.settings(max_examples=most, deadline=None, suppress_health_check=list(HealthCheck))
    @given(data=st.data())
    def calls(data: st.DataObject) -> None:
        mode = data.draw(st.sampled_from(list(schemathesis.GenerationMode)))
        case = data.draw(operation.as_strategy(generation_mode=mode))
        case.body = small(case.body)
        response = case.call(base_url=server.url, headers=shown(KEY), timeout=60)
        judge(case, response)

    calls()
