"""Notebooks: prose as it is, code fenced, short outputs only."""

from __future__ import annotations

import io
import json

import pytest
from made_documents import cell, notebook

from netsuke.readers.notebook import read
from netsuke.readers.pages import Found, Refused


def found(data: bytes) -> Found:
    return read(io.BytesIO(data), ".ipynb")


def test_cells_are_pages() -> None:
    made = found(
        notebook([
            cell("markdown", "# Title\nSome words."), cell("code", ""), cell("raw", "raw"),
            cell("code", "print(41 + 1)\n", {"output_type": "stream", "text": ["42\n"]}),
        ], "julia")
    )  # fmt: skip
    assert made.text == "# Title\nSome words.\n\nraw\n\n```julia\nprint(41 + 1)\n```\n\n```text\n42\n```"
    assert made.pages == [(1, "cell 1"), (4, "cell 3"), (6, "cell 4")]


@pytest.mark.parametrize(
    ("output", "shown"),
    [
        ({"data": {"text/plain": "x", "image/png": "AAAA"}}, True),
        ({"data": {"text/html": "<b>x</b>"}}, False),
        ({"text": "y" * 501}, False),
        ({"text": "y\n" * 11}, False),
        ({"ename": "ValueError", "traceback": ["x"]}, False),
    ],
)
def test_only_short_text_outputs(output: dict[str, object], shown: bool) -> None:
    assert ("```text" in found(notebook([cell("code", "1", output)])).text) == shown


def test_version_3_and_what_is_none() -> None:
    old = {"worksheets": [{"cells": [{"cell_type": "code", "input": ["a\n", "b"], "language": "python"}]}]}
    assert found(json.dumps(old).encode()).text == "```python\na\nb\n```"
    bare = {"cells": [cell("code", "1")], "metadata": {"kernelspec": None, "language_info": {"name": "r"}}}
    assert found(json.dumps(bare).encode()).text == "```r\n1\n```"
    assert found(json.dumps(bare | {"metadata": None}).encode()).text == "```\n1\n```"
    with pytest.raises(Refused, match="no notebook"):
        found(b"[1]")
    for broken in (b'{"cells": [', b'{"cells": 3}', b"{}", b""):
        with pytest.raises((ValueError, KeyError, TypeError)):
            found(broken)
