"""Reading one file, from its path to what is written of it: every kind, every fault, nothing that stops a run."""

from __future__ import annotations

import errno
import io
import json
import os
import random
import socket
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_documents import (
    EML,
    SAMPLES,
    cell,
    compound,
    docx,
    epub,
    notebook,
    paragraph,
    password_pdf,
    pdf,
    xlsx,
    zipped,
)  # fmt: skip

from netsuke.curate.child import Children
from netsuke.curate.find import find_files
from netsuke.curate.read import read_file
from netsuke.readers.kinds import TEXT

AS_IT_IS = "from netsuke.curate.worker import main; main(lambda raw, options: {**raw, 'options': options})"
RAW = {"text", "reader", "title", "pages", "suffix", "bytes", "markup", "path", "options"}


@pytest.fixture(scope="module", autouse=True)
def children() -> Iterator[Children]:
    """Children whose `examine` gives back what was read."""
    with pytest.MonkeyPatch.context() as patch:
        pool = Children(2, AS_IT_IS)
        patch.setattr(sys.modules[read_file.__module__], "children", pool)
        yield pool
        pool.close()


def given_file(folder: Path, data: bytes) -> Path:
    """A file as the store holds it: without a suffix."""
    path = folder / "object"
    path.write_bytes(data)
    return path


def result_of(path: Path, suffix: str, max_mb: float = 20.0, **options: Any) -> dict[str, Any]:
    out = path.parent / "out.json"
    assert read_file(path, suffix, max_mb, out, options) is None  # type: ignore[func-returns-value]
    data = out.read_bytes()
    out.unlink()
    result: dict[str, Any] = json.loads(data)
    assert data == json.dumps(result, sort_keys=True, separators=(",", ":")).encode() + b"\n"
    return result


def raw_of(folder: Path, data: bytes, suffix: str) -> dict[str, Any]:
    raw = result_of(given_file(folder, data), suffix)
    assert set(raw) == RAW, raw
    lines = raw["text"].split("\n")
    assert all(lines[line - 1].strip() for line, _ in raw["pages"])
    return raw


def drop_of(folder: Path, data: bytes, suffix: str, **options: Any) -> tuple[str, str]:
    drop = result_of(given_file(folder, data), suffix, **options)["drop"]
    assert set(drop) == {"rule", "detail", "bytes"} and drop["bytes"] == len(data)
    assert drop["detail"] and "\n" not in drop["detail"]
    return drop["rule"], drop["detail"]


# -- what is read ----------------------------------------------------------------------------------------
@pytest.mark.parametrize("suffix", sorted(SAMPLES))
def test_every_kind(tmp_path: Path, suffix: str) -> None:
    data, word = SAMPLES[suffix]
    raw = raw_of(tmp_path, data, suffix)
    assert word in raw["text"]
    assert (raw["suffix"], raw["bytes"], raw["options"]) == (suffix, len(data), {})
    assert (raw["markup"] is not None) == (suffix == ".html")


def test_text_and_code_are_kept_verbatim(tmp_path: Path) -> None:
    text = "# A title\r\n\r\n\tint x;\f  /* ü */\n\n\n```\n  <b>\n"
    for suffix in TEXT | {"", ".weird"}:
        raw = raw_of(tmp_path, text.encode(), suffix)
        assert (raw["text"], raw["reader"], raw["pages"]) == (text, "text (utf-8)", []), suffix
        assert raw["suffix"] == suffix


@pytest.mark.parametrize("suffix", [".md", ".txt", ".ipynb"])
def test_images_within_a_text_are_not_text(tmp_path: Path, suffix: str) -> None:
    image = "data:image/png;base64," + "iVBORw0KGgo/+" * 30_000 + "=="
    text = f"![a plan]({image}) and {image}.\n\n[image1]: <{image}>\ndata:, base64, and data: image/png stay."
    data = notebook([cell("markdown", text)]) if suffix == ".ipynb" else text.encode()
    shown = "![a plan]() and .\n\n[image1]: <>\ndata:, base64, and data: image/png stay."
    assert raw_of(tmp_path, data, suffix)["text"] == shown


def test_at_least_twenty_languages() -> None:
    code = """.py .js .ts .java .kt .scala .c .cpp .cs .go .rs .rb .php .pl .lua .r .jl .swift .sh .sql .hs .ml .ex
.erl .clj .dart .f90 .pas .zig""".split()
    assert set(code) <= TEXT and len(code) >= 20


def test_pages_of_a_pdf(tmp_path: Path) -> None:
    lines = ["The first line ends in a hy-", "phen and goes on to be long enough."]
    raw = raw_of(tmp_path, pdf(lines, [], ["The last page."], title="A title"), ".pdf")
    first, last = raw["text"].split("\n\n")
    assert first.split() == "The first line ends in a hyphen and goes on to be long enough.".split()
    assert last == "The last page." and raw["title"] == "A title"
    assert [label for _, label in raw["pages"]] == ["page 1", "page 3"]
    assert raw["text"].split("\n")[raw["pages"][1][0] - 1] == "The last page."


def test_a_pdf_that_only_the_second_reader_reads(tmp_path: Path) -> None:
    from netsuke.readers import pdf as reader

    found = reader.read_damaged(io.BytesIO(pdf(["Plain words."], ["More."])), ".pdf")
    assert found.text.split() == ["Plain", "words.", "More."] and found.pages == [
        (1, "page 1"),
        (3, "page 2"),
    ]


def test_surrogates_do_not_leave_the_child(tmp_path: Path) -> None:
    raw = raw_of(tmp_path, notebook([cell("markdown", "a \ud83d b")]), ".ipynb")
    assert raw["text"] == "a \ufffd b"


def test_options_go_to_examine(tmp_path: Path) -> None:
    assert result_of(given_file(tmp_path, b"x"), ".txt", countries=("DE",))["options"] == {
        "countries": ["DE"]
    }


@pytest.mark.parametrize(
    "name", ["two\nlines.txt", "x" * 251 + ".txt", os.fsdecode(b"caf\xe9.txt"), "\u202etxt"]
)
def test_any_name_is_read(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("some text")
    ((_, path),) = find_files(tmp_path)
    assert result_of(path, ".txt")["text"] == "some text"


# -- what is not read ------------------------------------------------------------------------------------
def far_sheet() -> bytes:
    """A sheet whose rows have no text but a far column."""
    return xlsx({"A": "".join(f'<row><c r="XFD{n}"><v> </v></c></row>' for n in range(1000))})


@pytest.mark.parametrize(
    ("data", "suffix", "rule", "detail"),
    [
        (zipped({"a.txt": "text"}), ".zip", "archive", "unpack it first"),
        (zipped({"a.txt": "text"}), ".docx", "archive", "unpack it first"),
        (b"\x1f\x8b\x08 and so on", "", "archive", "unpack it first"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", ".png", "unsupported type", ".png"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "", "unsupported type", "no suffix"),
        (b"<svg/>", ".svg", "unsupported type", ".svg"),
        (b"text \0", ".md", "binary", "NUL"),
        (b"\0 text", ".html", "binary", "NUL"),
        (b"\0 text", ".fb2", "unreadable", "damaged XML: "),
        (b"%PDF-1.4 and no more", ".pdf", "unreadable", ""),
        (password_pdf(), ".pdf", "unreadable", "it needs a password"),
        (pdf([]), ".pdf", "empty", "scanned pages?"),
        (docx(""), ".docx", "empty", "no text in it"),
        (far_sheet(), ".xlsx", "empty", "no text in it"),
        (b" \n", ".html", "empty", "no text in it"),
        (b"\0 no zip", ".docx", "unreadable", "not what its name says"),
        (zipped({"a.txt": "text"})[:-9], ".docx", "unreadable", "cut off"),
        (zipped({"word/document.xml": "<w"}), ".docx", "unreadable", "damaged XML: "),
        (zipped({"xl/workbook.xml": "<w/>"}), ".xlsx", "empty", ""),
        (epub({"a.xhtml": "<p>\0"}), ".epub", "binary", "NUL"),
        (b'{"cells": [', ".ipynb", "unreadable", "damaged JSON: "),
        (b"no mail", ".eml", "unreadable", "no mail headers"),
        (b"no box", ".mbox", "unreadable", "does not begin"),
        (compound("WordDocument"), ".doc", "unreadable", ""),
        (compound("Workbook"), ".xls", "unreadable", ""),
        (compound("PowerPoint Document"), ".ppt", "unreadable", ""),
        (compound("__properties_version1.0"), ".msg", "unreadable", ""),
        (b"{\\rtf1 }", ".rtf", "empty", ""),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_named(
    tmp_path: Path, data: bytes, suffix: str, rule: str, detail: str
) -> None:
    found = drop_of(tmp_path, data, suffix)
    assert found[0] == rule and detail in found[1], found


@pytest.mark.parametrize("suffix", sorted(SAMPLES))
def test_a_file_that_is_cut_off(tmp_path: Path, suffix: str) -> None:
    data = SAMPLES[suffix][0]
    for share in (0.1, 0.5, 0.9, 0.99):
        result = result_of(given_file(tmp_path, data[: int(len(data) * share)]), suffix)
        assert set(result) == RAW or result["drop"]["detail"], result


@pytest.mark.parametrize("suffix", sorted(SAMPLES))
def test_a_file_with_another_ones_suffix(tmp_path: Path, suffix: str) -> None:
    data, word = SAMPLES[suffix]
    by_name = (".fb2", ".ipynb", ".eml", ".mbox")  # kinds that only their names tell from each other
    for other in [*sorted(SAMPLES), ".txt", ""]:
        result = result_of(given_file(tmp_path, data), other)
        named = other in by_name and suffix in (*by_name, ".html") and result.get("drop", {}).get("detail")
        assert named or word in result["text"], other


def test_damage_anywhere_is_survived(tmp_path: Path) -> None:
    dice = random.Random(1)
    for suffix, (data, _) in SAMPLES.items():
        for _ in range(8):
            damaged = bytearray(data)
            for _ in range(3):
                damaged[dice.randrange(len(data))] = dice.randrange(256)
            result = result_of(given_file(tmp_path, bytes(damaged)), suffix)
            assert set(result) == RAW or result["drop"]["detail"], (suffix, result)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300), st.sampled_from([".txt", ".py", "", ".unknown", ".html", ".eml", ".pdf"]))
def test_no_bytes_make_reading_raise(tmp_path: Path, data: bytes, suffix: str) -> None:
    assert set(result_of(given_file(tmp_path, data), suffix)) in ({"drop"}, RAW)


# -- limits ----------------------------------------------------------------------------------------------
def test_a_size_is_named(tmp_path: Path) -> None:
    assert drop_of(tmp_path, b"x" * 1_500_000, ".txt", max_mb=1.0) == (
        "too large",
        "1.5 MB, the limit is 1 MB",
    )


def endless(path: Path, size: int) -> Path:
    """A file of about this size without a newline."""
    with path.open("wb") as file:
        block = b"a word and another " * 55_000
        for _ in range(size // len(block)):
            file.write(block)
    return path


@pytest.mark.parametrize("suffix", [".txt", ".html", ".ipynb", ".mbox", ""])
def test_one_endless_line_is_read_or_named(tmp_path: Path, suffix: str) -> None:
    path = endless(tmp_path / "line", 60_000_000)
    result = result_of(path, suffix, 100.0, memory_mb=60, seconds=20)
    assert result["drop"]["rule"] in ("too large", "unreadable") and result["drop"]["detail"]
    if suffix in (".txt", ""):
        assert result["drop"]["detail"] == "it needs more than 60 MB of memory"


def test_what_takes_too_long_is_named(tmp_path: Path) -> None:
    path = endless(tmp_path / "line", 20_000_000)
    drop = result_of(path, ".txt", 100.0, seconds=0.001)["drop"]
    assert drop == {
        "rule": "unreadable",
        "detail": "not read within 0.005 seconds",
        "bytes": path.stat().st_size,
    }
    assert result_of(given_file(tmp_path, b"Still read."), ".txt")["text"] == "Still read."


def test_a_sheet_of_many_rows_is_streamed(tmp_path: Path) -> None:
    rows = "".join(
        f'<row r="{n}"><c r="A{n}"><v>{n}</v></c><c r="B{n}"><v>{n}.5</v></c></row>' for n in range(1, 60_001)
    )
    result = result_of(given_file(tmp_path, xlsx({"Big": rows})), ".xlsx", memory_mb=60)
    assert result["text"].endswith("60000 | 60000.5") and result["text"].count("\n") == 60_001


def test_too_much_text_is_a_bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from netsuke.readers.pages import Refused, within_limit

    assert list(within_limit(["ab", "c"], 3)) == ["ab", "c"]
    with pytest.raises(Refused, match="more than 2 characters"):
        list(within_limit(["ab", "c"], 2))


def test_bombs(tmp_path: Path) -> None:
    made = io.BytesIO()
    with (
        zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("word/document.xml", "w") as member,
    ):
        for _ in range(200):
            member.write(b"<" * (1 << 20))
    inner = made.getvalue()
    assert drop_of(tmp_path, inner, ".docx") == ("zip bomb", "word/document.xml: 210 MB unpacked")
    nested = zipped({"word/document.xml": docx(paragraph("x")), "word/embeddings/a.docx": inner})
    assert drop_of(tmp_path, nested, ".docx")[0] == "unreadable"  # a ZIP is no XML, and is not opened
    kept = docx(paragraph("text"), more={"word/embeddings/a.docx": inner})
    assert raw_of(tmp_path, kept, ".docx")["text"] == "text"


def test_tags_nested_a_hundred_thousand_deep(tmp_path: Path) -> None:
    assert "x" in raw_of(tmp_path, b"<div>" * 100_000 + b"x", ".html")["text"]
    deep = "<w:r>" * 100_000 + "<w:t>x</w:t>" + "</w:r>" * 100_000
    assert drop_of(tmp_path, docx(f"<w:p>{deep}</w:p>"), ".docx") == (
        "unreadable",
        "its parts are nested too deep",
    )


# -- what is no file -------------------------------------------------------------------------------------
def test_what_is_no_file_is_never_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # a socket's path may not be long
    os.mkfifo("pipe")
    Path("folder").mkdir()
    Path("loop").symlink_to("loop")
    Path("broken").symlink_to("nowhere")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
        for name in ("pipe", "folder", "socket", "/dev/zero", "/dev/stdin", "loop", "broken", "gone", "a\0b"):
            read_file(Path(name), ".txt", 20.0, tmp_path / "out.json", {})
            drop = json.loads((tmp_path / "out.json").read_bytes())["drop"]
            assert drop["rule"] == "unreadable" and drop["detail"], name


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_no_permission_is_named(tmp_path: Path) -> None:
    path = given_file(tmp_path, b"text")
    path.chmod(0)
    assert result_of(path, ".txt")["drop"]["detail"] == "Permission denied"


def test_where_nothing_can_be_written_it_raises(tmp_path: Path) -> None:
    path = given_file(tmp_path, b"text")
    for data in (b"text", b"\0"):  # what a child would write, and what the parent would
        path.write_bytes(data)
        with pytest.raises(OSError) as caught:
            read_file(path, ".txt", 20.0, tmp_path / "gone" / "out.json", {})
        assert caught.value.errno == errno.ENOENT


def test_importing_starts_no_child_and_loads_no_parser() -> None:
    code = (
        "import sys; from netsuke.curate.read import children; assert children.pids == [];"
        "print(*({'kreuzberg', 'pypdf', 'rensa', 'numpy', 'netsuke.curate.worker'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr


def test_a_child_is_kept(tmp_path: Path, children: Children) -> None:
    raw_of(tmp_path, EML, ".eml")
    first = children.pids
    raw_of(tmp_path, b"text", ".md")
    assert first and children.pids == first
