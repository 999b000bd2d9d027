"""Finding files, and reading each to text or to the reason why not; every file here is a real one."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path
from typing import Any

import pypdf
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsuke.curate import ReadParams, find_files, read
from netsuke.curate.read import Parser, ParserDied, Refused, decode, parser, read_file
from netsuke.curate.worker import html_text
from netsuke.errors import RecipeError

W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def pdf(lines: list[str]) -> bytes:
    """A one-page PDF with these lines."""
    shown = b" ".join(b"(" + line.encode("latin-1") + b") Tj T*" for line in lines)
    content = b"BT /F1 12 Tf 72 720 Td 14 TL " + shown + b" ET"
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
        b"<</Length %d>>stream\n%s\nendstream" % (len(content), content),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    made, offsets = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        offsets.append(len(made))
        made += b"%d 0 obj%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    trailer = b"trailer<</Size 6/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % len(made)
    return made + b"xref\n0 6\n0000000000 65535 f \n" + table + trailer


def password_pdf() -> bytes:
    writer = pypdf.PdfWriter(io.BytesIO(pdf(["A secret line."])))
    writer.encrypt("sesame", algorithm="RC4-128")
    made = io.BytesIO()
    writer.write(made)
    return made.getvalue()


def zipped(members: dict[str, str]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return made.getvalue()


def docx(paragraphs: list[str]) -> bytes:
    body = "".join(f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>" for text in paragraphs)
    main = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
    return zipped({
        "[Content_Types].xml": f'<Types xmlns="{PACKAGE}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/word/document.xml" ContentType="{main}"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{PACKAGE}/relationships">'
        f'<Relationship Id="r1" Type="{OFFICE}/officeDocument" Target="word/document.xml"/></Relationships>',
        "word/document.xml": f'<w:document xmlns:w="{W}"><w:body>{body}</w:body></w:document>',
    })  # fmt: skip


EML = (
    b"MIME-Version: 1.0\nSubject: =?utf-8?q?Caf=C3=A9?=\nFrom: ann@example.org\nTo: bo@example.org\n"
    b'Content-Type: multipart/alternative; boundary="x"\n\n--x\nContent-Type: text/plain; charset=iso-8859-1\n'
    b"Content-Transfer-Encoding: quoted-printable\n\nThe plain caf=E9.\n--x\nContent-Type: text/html\n\n"
    b"<p>The web one.</p>\n--x--\n"
)
NOTEBOOK = json.dumps({
    "cells": [{"cell_type": "markdown", "metadata": {}, "source": ["# Title\n", "Some words."]},
              {"cell_type": "code", "metadata": {}, "source": "print(41 + 1)", "outputs": [], "execution_count": 1}],
    "metadata": {}, "nbformat": 4, "nbformat_minor": 5}).encode()  # fmt: skip
HTML = """<!DOCTYPE html><html><head><title>A  page</title><style>p {color: red}</style></head><body>
<nav><a href="/">Home</a><p>Menu</p></nav><h1>Head &amp; shoulders</h1><p>Some <b>bold</b> and
<i>slanted</i> caf\u00e9.<br>A line.</p><script>var a = "<p>no</p>";</script><blockquote>Quoted.</blockquote>
<ol><li>one<li>two</ol><table><tr><td>a</td><td>b</td></tr></table><pre>def f():
    return 1</pre></body></html>"""


def given_file(folder: Path, data: bytes) -> Path:
    """A file as the store holds it: without a suffix."""
    path = folder / "object"
    path.write_bytes(data)
    return path


def text_of(folder: Path, data: bytes, suffix: str) -> str:
    result = read_file(given_file(folder, data), suffix, 20.0)
    assert "drop" not in result, result
    return str(result["text"])


def drop_of(folder: Path, data: bytes, suffix: str, max_mb: float = 20.0) -> tuple[str, str]:
    drop = read_file(given_file(folder, data), suffix, max_mb)["drop"]
    assert "\n" not in drop["detail"] and drop["bytes"] == len(data)
    return drop["rule"], drop["detail"]


# -- finding ---------------------------------------------------------------------------------------------
def names(folder: Path, **options: Any) -> list[str]:
    return [name for name, _ in find_files(folder, **options)]


def test_files_are_found_in_order_without_what_is_not_the_persons(tmp_path: Path) -> None:
    wanted = ["a.txt", "a/b.txt", "a/deep/er/c.txt", "b.md", "zoë.txt"]
    unwanted = [".hidden", ".git/config", "a/.venv/x.py", "__pycache__/a.pyc", "js/node_modules/x/i.js",
                "netsuke.toml", "netsuke.lock"]  # fmt: skip
    for name in wanted + unwanted:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    assert names(tmp_path) == sorted(wanted)
    assert all(path.read_text() == name for name, path in find_files(tmp_path))
    assert names(tmp_path, skip=("b.md", "a/deep")) == ["a.txt", "a/b.txt", "zoë.txt"]


def test_links_are_read_only_where_they_stay_inside(tmp_path: Path) -> None:
    outside = tmp_path / "outside.txt"
    outside.write_text("secret")
    folder = tmp_path / "notes"
    (folder / "sub").mkdir(parents=True)
    (folder / "real.txt").write_text("text")
    (folder / ".hidden.txt").write_text("hidden")
    for name, target in {"in.txt": folder / "real.txt", "out.txt": outside, "sub/loop": folder, "broken": "nowhere",
                         "to_hidden.txt": folder / ".hidden.txt", "self": folder / "self"}.items():  # fmt: skip
        (folder / name).symlink_to(target)
    os.mkfifo(folder / "pipe")
    assert names(folder) == ["in.txt", "real.txt"]
    (tmp_path / "link").symlink_to(folder)
    assert names(tmp_path / "link") == ["in.txt", "real.txt"]


def test_a_single_file_and_none(tmp_path: Path) -> None:
    path = tmp_path / "book.txt"
    path.write_text("text")
    assert list(find_files(path)) == [("book.txt", path)]
    assert names(tmp_path / "..") != []
    with pytest.raises(RecipeError, match="no such file") as caught:
        names(tmp_path / "nowhere")
    assert caught.value.hint


def test_a_name_that_is_not_utf8_is_found_and_read(tmp_path: Path) -> None:
    with open(os.fsencode(tmp_path) + b"/caf\xe9.txt", "w") as file:
        file.write("some text")
    ((name, path),) = find_files(tmp_path)
    assert os.fsencode(name) == b"caf\xe9.txt"
    assert read_file(path, ".txt", 20.0)["text"] == "some text"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may list every folder")
def test_a_closed_folder_is_told(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0)
    errors: list[OSError] = []
    assert names(tmp_path, on_error=errors.append) == [] and errors[0].filename == str(closed)


# -- text ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("data", "text", "encoding"),
    [
        ("Grüße 日本".encode(), "Grüße 日本", "utf-8"),
        ("Grüße".encode("utf-8-sig"), "Grüße", "utf-8"),
        ("Grüße 日本".encode("utf-16"), "Grüße 日本", "utf-16"),
        ("Grüße".encode("utf-16-be"), None, "binary"),
        (b"\xfe\xff" + "Grüße".encode("utf-16-be"), "Grüße", "utf-16"),
        ("Grüße".encode("utf-32"), "Grüße", "utf-32"),
        ("Viele Grüße – „so“ sagt man".encode("cp1252"), "Viele Grüße – „so“ sagt man", "cp1252"),
        ("# -*- coding: koi8-r -*-\nпривет".encode("koi8-r"), "# -*- coding: koi8-r -*-\nпривет", "koi8-r"),
        ("привет, как дела".encode("cp1251"), None, "unreadable"),
        ("日本語の文章です".encode("shift_jis"), None, "unreadable"),
        (
            "日本語の文章です。".encode() * 9 + b"\xe3\x81",
            "日本語の文章です。" * 9 + "\ufffd",
            "utf-8, damaged",
        ),
        (b"\xff\xfeodd", None, "unreadable"),
        (b"text \0 and more", None, "binary"),
        (bytes(range(1, 256)), None, "binary"),
        (b"", "", "utf-8"),
    ],
)
def test_encodings(data: bytes, text: str | None, encoding: str) -> None:
    if text is None:
        with pytest.raises(Refused) as caught:
            decode(data)
        assert caught.value.rule == encoding
    else:
        assert decode(data) == (text, encoding)


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc"])))
def test_utf8_is_read_as_it_is(text: str) -> None:
    assert decode(text.encode())[0] == text.removeprefix("\ufeff")


@given(st.binary(max_size=300), st.sampled_from([".txt", ".py", "", ".unknown"]))
def test_no_bytes_make_reading_raise(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, suffix: str
) -> None:
    path = given_file(tmp_path_factory.mktemp("file"), data)
    result = read_file(path, suffix, 1.0)
    assert set(result) in ({"drop"}, {"text", "reader", "title"})
    json.dumps(result).encode("ascii")


@pytest.mark.parametrize("suffix", [".md", ".rst", ".py", ".rs", ".csv", "", ".weird"])
def test_text_is_text_whatever_its_name(tmp_path: Path, suffix: str) -> None:
    assert text_of(tmp_path, b"# A title\r\n\r\nand text\n", suffix) == "# A title\r\n\r\nand text\n"


@pytest.mark.parametrize(
    ("data", "suffix", "rule"),
    [
        (zipped({"a.txt": "text"}), ".zip", "archive"),
        (zipped({"a.txt": "text"}), "", "archive"),
        (b"\x1f\x8b\x08 and so on", ".bin", "archive"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", ".png", "unsupported type"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", ".svg", "unsupported type"),
        (b"text \0", ".md", "binary"),
        (b"\0 text", ".html", "binary"),
        (b"%PDF-1.4 and no more", ".pdf", "unreadable"),
        (pdf(["A line that is cut off."])[:300], ".pdf", "unreadable"),
        (b"", ".pdf", "unreadable"),
        (password_pdf(), ".pdf", "unreadable"),
        (pdf([]), ".pdf", "empty"),
        (b"no zip", ".docx", "unreadable"),
        (docx(["text"])[:-60], ".docx", "unreadable"),
        (b'{"cells": [', ".ipynb", "unreadable"),
        (b"no mail", ".eml", "unreadable"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, data: bytes, suffix: str, rule: str) -> None:
    found, detail = drop_of(tmp_path, data, suffix)
    assert found == rule and detail


def test_a_password_is_named_and_so_is_a_size(tmp_path: Path) -> None:
    assert "password" in drop_of(tmp_path, password_pdf(), ".pdf")[1]
    rule, detail = drop_of(tmp_path, b"x" * 1_500_000, ".txt", max_mb=1.0)
    assert (rule, detail) == ("too large", "1.5 MB, the limit is 1 MB")
    assert read_file(tmp_path / "gone", ".txt", 1.0)["drop"]["rule"] == "unreadable"
    assert read_file(tmp_path, ".txt", 1.0)["drop"]["rule"] == "unreadable"  # a folder


# -- parsed types ----------------------------------------------------------------------------------------
def test_pdf(tmp_path: Path) -> None:
    lines = ["The first line ends in a hy-", "phen and goes on to be long enough.", "A second one."]
    for suffix in (".pdf", "", ".unknown"):
        text = text_of(tmp_path, pdf(lines), suffix)
        assert (
            text.split()
            == "The first line ends in a hyphen and goes on to be long enough. A second one.".split()
        )


def test_a_pdf_that_only_the_fall_back_reads(tmp_path: Path) -> None:
    from netsuke.curate import worker

    path = given_file(tmp_path, pdf(["Plain words."]))
    assert worker._pypdf(path, ".pdf")[0].strip() == "Plain words."
    path.write_bytes(EML)
    assert worker._email(path, ".eml")[0].startswith("Subject: Café\nFrom: ann@example.org\n")
    path.write_bytes(NOTEBOOK)
    assert worker._notebook(path, ".ipynb")[0] == "# Title\nSome words.\n\nprint(41 + 1)"


def test_docx_eml_ipynb(tmp_path: Path) -> None:
    for suffix in (".docx", ""):
        text = text_of(tmp_path, docx(["The first.", "The second, café."]), suffix)
        assert text.split("\n\n") == ["The first.", "The second, café."]
    mail = read_file(given_file(tmp_path, EML), ".eml", 20.0)
    assert "The plain café." in mail["text"] and "web one" not in mail["text"] and mail["title"] == "Café"
    assert "Some words." in (book := text_of(tmp_path, NOTEBOOK, ".ipynb")) and "print(41 + 1)" in book


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_html(tmp_path: Path, encoding: str) -> None:
    result = read_file(given_file(tmp_path, HTML.encode(encoding)), ".html", 20.0)
    assert result["title"] == "A page"
    assert result["text"].split("\n\n") == [
        "Head & shoulders", "Some bold and slanted café.\nA line.", "Quoted.", "- one\n- two", "a\tb",
        "def f():\n    return 1"]  # fmt: skip


def test_html_says_its_encoding(tmp_path: Path) -> None:
    page = '<meta charset="windows-1251"><p>привет, как дела</p>'.encode("cp1251")
    assert text_of(tmp_path, page, ".htm") == "привет, как дела"


def test_a_menu_that_is_not_closed_does_not_swallow_the_page() -> None:
    assert html_text("<nav><p>Menu<main><p>The text.</main>")[0] == "The text."
    assert html_text("<p>One</select> two<svg/> three")[0] == "One two three"


@given(st.text(alphabet="<>/!-&;= \n\"'apnavliscrtx", max_size=200))
def test_no_html_makes_it_raise(source: str) -> None:
    assert "\n\n\n" not in html_text(source)[0]


def test_the_step_writes_one_file(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    for data in (b"some text", b"\0"):
        work = read.function(ReadParams(suffix=".txt"), out, file=given_file(tmp_path, data))
        progress = list(work)
        assert progress and [p.name for p in out.iterdir()] == ["text.json"]
    assert json.loads((out / "text.json").read_bytes())["drop"]["rule"] == "binary"


# -- the child -------------------------------------------------------------------------------------------
@pytest.fixture
def child() -> Any:
    made = Parser()
    yield made
    made.close()
    assert made.pid is None


def slow_file(folder: Path) -> Path:
    """A pipe that nobody writes to: whoever opens it to read waits."""
    path = folder / "slow"
    os.mkfifo(path)
    return path


def test_a_killed_child_costs_one_file(tmp_path: Path, child: Parser) -> None:
    good = given_file(tmp_path, docx(["Still read."]))
    assert child.ask(good, ".docx", 20)["text"] == "Still read."
    first = child.pid
    assert first

    def kill() -> None:
        time.sleep(0.2)
        os.kill(first, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(ParserDied, match="SIGKILL"):
        child.ask(slow_file(tmp_path), ".docx", 20)
    killer.join()
    assert child.ask(good, ".docx", 20)["text"] == "Still read."
    assert child.pid not in (None, first)


def test_a_child_that_died_between_two_files_is_not_missed(tmp_path: Path, child: Parser) -> None:
    good = given_file(tmp_path, docx(["Still read."]))
    child.ask(good, ".docx", 20)
    assert child.pid
    os.kill(child.pid, signal.SIGKILL)
    while child.pid is not None:
        time.sleep(0.01)
    assert child.ask(good, ".docx", 20)["text"] == "Still read."


def test_a_file_that_takes_too_long_is_given_up(tmp_path: Path, child: Parser) -> None:
    started = time.monotonic()
    with pytest.raises(ParserDied, match="not read within 1 seconds"):
        child.ask(slow_file(tmp_path), ".docx", 1)
    assert time.monotonic() - started < 20 and child.pid is None
    assert child.ask(given_file(tmp_path, docx(["Still read."])), ".docx", 20)["text"] == "Still read."


def test_memory_has_a_limit(tmp_path: Path, child: Parser) -> None:
    child.ask(given_file(tmp_path, docx(["text"])), ".docx", 20)
    limits = Path(f"/proc/{child.pid}/limits")
    if not limits.exists():
        pytest.skip("this system does not show limits")
    (line,) = [line for line in limits.read_text().splitlines() if line.startswith("Max address space")]
    assert line.split()[3] == str(2 << 30)


def test_threads_share_a_child(tmp_path: Path, child: Parser) -> None:
    paths = []
    for number in range(8):
        paths.append(tmp_path / f"{number}")
        paths[-1].write_bytes(docx([f"Text {number}."]))
    answers: dict[int, str] = {}

    def ask(number: int) -> None:
        answers[number] = child.ask(paths[number], ".docx", 20)["text"]

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {number: f"Text {number}." for number in range(8)}


def test_the_child_takes_no_module_from_the_current_folder(tmp_path: Path) -> None:
    (tmp_path / "pypdf.py").write_text("import os; os._exit(3)")
    (tmp_path / "kreuzberg.py").write_text("import os; os._exit(3)")
    (tmp_path / "object").write_bytes(pdf(["Plain words."]))
    code = ("import os, sys; from pathlib import Path; from netsuke.curate.read import read_file;"
            "os.chdir(sys.argv[1]); print(read_file(Path('object'), '.pdf', 1.0)['text'])")  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, timeout=60
    )
    assert done.stdout.strip() == "Plain words.", done.stderr


def test_reading_text_starts_no_child_and_imports_no_parser(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from netsuke.curate.read import parser, read_file;"
        "assert read_file(Path(sys.argv[1]), '.md', 1.0)['text'] == 'text';"
        "assert parser.pid is None; print(*({'kreuzberg', 'pypdf', 'rensa', 'numpy'} & set(sys.modules)))"
    )
    path = given_file(tmp_path, b"text")
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr


def test_the_child_ends_with_its_parent(tmp_path: Path) -> None:
    path = given_file(tmp_path, docx(["text"]))
    code = (
        "import os, sys; from pathlib import Path; from netsuke.curate.read import parser, read_file;"
        "read_file(Path(sys.argv[1]), '.docx', 1.0); print(parser.pid, flush=True); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True, timeout=60
    )
    pid = int(done.stdout)
    for _ in range(500):
        status = Path(f"/proc/{pid}/stat")
        if not status.exists() or status.read_text().rpartition(")")[2].split()[0] == "Z":
            break
        time.sleep(0.01)
    else:
        pytest.fail("the child outlived its parent")


def test_the_shared_child_is_kept(tmp_path: Path) -> None:
    text_of(tmp_path, docx(["text"]), ".docx")
    first = parser.pid
    text_of(tmp_path, NOTEBOOK, ".ipynb")
    assert first is not None and parser.pid == first
