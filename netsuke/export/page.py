"""One HTML file with the model and its engine inside, which opens by double click; or the same as a folder to serve.

The engine is wllama, llama.cpp for browsers (https://github.com/ngxson/wllama). A page from file:// has no threads, may
start no worker that is a module, and none of its workers may fetch a blob: address.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import html
import json
import re
from collections.abc import Iterator
from pathlib import Path
from string import Template
from typing import Any

from ..errors import EngineError
from ..terminal import measured
from . import Pack
from .plain import copy_model

ROOM = Path(__file__).parent / "browser"
WLLAMA = "3.13.0"
CONTEXT = 2048  # tokens
CHARSET = "windows-1252"  # a byte is a character, so a byte of the model costs hardly more than one
BLOCK = 1 << 23
OPEN, CLOSE = b'<script type="application/octet-stream">', b"</script>"
_SHIFT = bytes((byte + 42) % 256 for byte in range(256))
_BACK = bytes((byte - 42) % 256 for byte in range(256))
# A parser of HTML changes NUL and CR, and "<" may end a script; "=" says that the next byte is 64 too high.
_ESCAPES = [(bytes([byte]), b"=" + bytes([byte + 64])) for byte in b"=\x00\r<"]


def file(pack: Pack, out: Path) -> list[str]:
    """Write the page with everything inside."""
    page = _page(pack, inside=True)
    head, tail = page.split("$data")
    with out.open("wb") as target:
        target.write(head.encode("ascii"))
        target.write(_block((ROOM / "wllama.wasm.gz").read_bytes(), "take('wasm',0)"))
        done, whole = 0, pack.model_facts["bytes"]
        for piece in _pieces(pack.model):
            done += len(piece)
            target.write(_block(piece, f"take('model',{done / whole:.3f})"))
        target.write(tail.encode("ascii"))
    if hashlib.sha256(model_in(out)).hexdigest() != pack.model_facts["sha256"]:
        raise EngineError("the model in the page is not the pack's", where=out.name, hint="make it again")
    return ["open it by double click, in Chromium, Chrome or Edge (137 or newer); it uses no network"]


def folder(pack: Pack, out: Path) -> list[str]:
    """Write the page with the model and the engine beside it, for `netsuke serve FOLDER`."""
    out.mkdir()
    (out / "index.html").write_text(_page(pack, inside=False).replace("$data\n", ""), encoding="ascii")
    (out / "wllama.wasm").write_bytes(gzip.decompress((ROOM / "wllama.wasm.gz").read_bytes()))
    copy_model(pack, out / "model.gguf")
    return ["serve it with threads: netsuke serve {place}",
            "any other server must send Cross-Origin-Opener-Policy: same-origin and "
            "Cross-Origin-Embedder-Policy: require-corp, else it runs on one thread"]  # fmt: skip


def encoded(data: bytes) -> bytes:
    """Bytes as yEnc writes them (yenc.org/yenc-draft.1.3.txt), so that a parser of HTML leaves them alone."""
    data = data.translate(_SHIFT)
    for one, two in _ESCAPES:
        data = data.replace(one, two)
    return data


def decoded(data: bytes) -> bytes:
    """The inverse of `encoded`."""
    return re.sub(rb"=(.)", lambda found: bytes([found[1][0] - 64]), data, flags=re.DOTALL).translate(_BACK)


def model_in(page: Path) -> bytes:
    """The model's bytes out of a page."""
    blocks = page.read_bytes().split(OPEN)[1:]
    found = [block.partition(CLOSE) for block in blocks]
    return b"".join(decoded(data) for data, _, after in found if after.startswith(b"<script>take('model'"))


def _block(data: bytes, then: str) -> bytes:
    return OPEN + encoded(data) + CLOSE + f"<script>{then}</script>\n".encode("ascii")


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as source:
        while piece := source.read(BLOCK):
            yield piece


def _page(pack: Pack, inside: bool) -> str:
    """The page's text, in ASCII, with `$data` where the blocks of data go."""
    style, script = ((ROOM / name).read_text(encoding="ascii") for name in ("style.css", "page.js"))
    settings = {"context": CONTEXT, "charset": CHARSET if inside else "", "model": "model.gguf", "wasm": "wllama.wasm",
                **pack.model_facts}  # fmt: skip
    start, engine = f"begin({json.dumps(settings)})", _engine()
    whole = pack.model_facts["bytes"]
    takes = [f"take('model',{min(done, whole) / whole:.3f})" for done in range(BLOCK, whole + BLOCK, BLOCK)]
    scripts = [engine, script, start, *(("take('wasm',0)", *takes) if inside else ())]
    for text in scripts:
        if re.search(r"</script|<!--", text, re.IGNORECASE):
            raise EngineError("a script of the page would end it", hint="this is a fault of netsuke")
    values = {
        "charset": CHARSET if inside else "utf-8", "policy": _policy(scripts, style, inside), "style": style,
        "name": _shown(pack.name), "megabytes": f"{whole / 1e6:.0f}", "made_with": _shown(pack.record["made_with"]),
        "wllama": WLLAMA, "licence": _shown((ROOM / "wllama.LICENCE").read_text(encoding="utf-8")),
        "limits": _limits(pack), "about": _about(pack.record), "engine": engine, "page": script, "start": start,
        "data": "$data",
    }  # fmt: skip
    return Template((ROOM / "index.html").read_text(encoding="ascii")).substitute(values)


def _engine() -> str:
    """wllama as a plain script with a plain worker: neither may be a module in a page from file://."""
    text = (ROOM / "wllama.min.js").read_text(encoding="ascii").strip()
    for pattern, new in ((r'type:"module"', 'type:"classic"'), (r"export\{[^{}]*\};?$", "globalThis.Wllama=Wllama")):
        text, times = re.subn(pattern, new, text)
        if times != 1:
            raise EngineError(f"wllama {WLLAMA} is not as it was: {pattern}", hint="this is a fault of netsuke")
    return f"(()=>{{{text}}})()"


def _policy(scripts: list[str], style: str, inside: bool) -> str:
    """What the page may do: run these very scripts, and reach nothing but itself."""
    hashes = " ".join(dict.fromkeys(f"'sha256-{_digest(text)}'" for text in scripts))
    own = "" if inside else "'self' "
    return "; ".join([
        "default-src 'none'", f"script-src {hashes} blob: 'wasm-unsafe-eval'", "worker-src blob:",
        f"connect-src {own}data: blob:", f"style-src 'sha256-{_digest(style)}'", "img-src data:", "base-uri 'none'",
        "form-action 'none'",
    ])  # fmt: skip


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode("ascii")).digest()).decode()


def _shown(text: str) -> str:
    """Text as HTML in ASCII."""
    return html.escape(text).encode("ascii", "xmlcharrefreplace").decode()


def _limits(pack: Pack) -> str:
    """The limits of the card, and those of a page."""
    told = pack.text("card.md").partition("\n## Limits\n")[2].split("\n## ")[0]
    points = re.split(r"^- ", told.strip(), flags=re.MULTILINE)[1:]
    points += [
        "It looks back over about 1,500 words at most; older messages are forgotten.",
        "It runs on this device's processor, in a browser, which is several times slower than a program of its own. "
        "Nothing is stored: when the page is closed, the conversation is gone.",
    ]  # fmt: skip
    items = "".join(f"<li>{_shown(' '.join(point.split()))}</li>" for point in points)
    return f"<ul>{items}</ul>"


def _about(record: Any) -> str:
    """Base, licence and what was measured, as HTML."""
    base = record["base"]
    names = {"domain": "held-out documents, bits per byte", "general": "general text, bits per byte",
             "answers": "held-out answers, bits per byte", "size": "size, MB"}  # fmt: skip
    rows = []
    for row in record["measures"]:
        told = (measured(row["base"], row["unit"]), measured(row["ours"], row["unit"]), f"{row['change']:+.1%}")
        cells = "".join(f"<td>{cell}</td>" for cell in told)
        rows.append(f'<tr><th scope="row">{_shown(names.get(row["name"], row["name"]))}</th>{cells}</tr>')
    return (
        f"<p>Carved out of {_shown(base['title'])} ({_shown(base['licence'])}). The licence is the base's; what the "
        "owner grants for the material it was made from is not stated here.</p>"
        '<table><thead><tr><td></td><th scope="col">base</th><th scope="col">this</th><th scope="col">change</th></tr>'
        f"</thead><tbody>{''.join(rows)}</tbody></table>"
        '<p class="faint">Bits per byte: how many bits the model needs for each byte of text it has not seen; lower '
        f"is better.</p><p class=\"faint\">Model file: SHA-256 {record['files']['model.gguf']['sha256']}</p>"
    )
