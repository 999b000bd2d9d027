"""Content Credentials that are really signed: read from each kind of file, changed, remote, beside a file."""

from __future__ import annotations

import datetime
import http.server
import io
import json
import struct
import threading
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import c2pa
import pypdf
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

from netsuke.rights import credentials, sites
from netsuke.rights.signals import Signal, combine, in_binary

NO = {"cawg.ai_generative_training": {"use": "notAllowed"}}
YES = {"cawg.ai_generative_training": {"use": "allowed"}}
RESPONDER = "http://127.0.0.1:{}/ocsp"


def certificate(name: str, key: Any, issuer: str, by: Any, *extensions: tuple[Any, bool]) -> bytes:
    def named(common: str) -> x509.Name:
        pairs = ((NameOID.ORGANIZATION_NAME, "A Publisher"), (NameOID.COMMON_NAME, common))
        return x509.Name([x509.NameAttribute(oid, value) for oid, value in pairs])

    builder = x509.CertificateBuilder(
        named(issuer), named(name), key.public_key(), x509.random_serial_number()
    )
    builder = builder.not_valid_before(datetime.datetime(2025, 1, 1)).not_valid_after(
        datetime.datetime(2099, 1, 1)
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(by, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


@cache
def chain(port: int) -> tuple[bytes, bytes]:
    """(the certificates of a signer and its root, the signer's key); its OCSP responder is at `port`."""
    root, signer = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    others = "content_commitment key_encipherment data_encipherment key_agreement encipher_only decipher_only"
    usage = dict.fromkeys(others.split(), False)
    ca = x509.KeyUsage(digital_signature=False, key_cert_sign=True, crl_sign=True, **usage)
    leaf = x509.KeyUsage(digital_signature=True, key_cert_sign=False, crl_sign=False, **usage)
    responder = x509.UniformResourceIdentifier(RESPONDER.format(port))
    access = x509.AccessDescription(AuthorityInformationAccessOID.OCSP, responder)
    top = certificate("Root", root, "Root", root, (x509.BasicConstraints(True, None), True), (ca, True))
    end = certificate(
        "Signer", signer, "Root", root,
        (x509.BasicConstraints(False, None), True),
        (leaf, True),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), False),
        (x509.AuthorityKeyIdentifier.from_issuer_public_key(root.public_key()), False),
        (x509.AuthorityInformationAccess([access]), False),
    )  # fmt: skip
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return end + top, signer.private_bytes(encoding, form, serialization.NoEncryption())


def signed(
    plain: bytes,
    kind: str,
    entries: Mapping[str, Any],
    *,
    label: str = "cawg.training-mining",
    remote: str = "",
    embed: bool = True,
    parent: bytes = b"",
    port: int = 9,
) -> tuple[bytes, bytes]:
    """(the signed file, its manifest)"""
    assertions = [{"label": label, "data": {"entries": dict(entries)}}] if entries else []
    source_type = "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture"
    made = {"action": "c2pa.created", "digitalSourceType": source_type}
    if not parent:
        assertions.insert(0, {"label": "c2pa.actions.v2", "data": {"actions": [made]}})
    definition = {"claim_generator_info": [{"name": "test", "version": "1"}], "assertions": assertions}
    certificates, key = chain(port)
    offline = c2pa.Settings.from_dict(credentials.OFFLINE)
    information = c2pa.C2paSignerInfo(c2pa.C2paSigningAlg.ES256, certificates, key, None)
    out = io.BytesIO()
    with (
        c2pa.Context(offline) as context,
        c2pa.Builder(definition, context=context) as builder,
        c2pa.Signer.from_info(information) as signer,
    ):
        if parent:
            builder.set_intent(c2pa.C2paBuilderIntent.EDIT)
            builder.add_ingredient({"relationship": "parentOf"}, kind, io.BytesIO(parent))
        if not embed:
            builder.set_no_embed()
        if remote:
            builder.set_remote_url(remote)
        manifest = builder.sign(signer, kind, io.BytesIO(plain), out)
    return out.getvalue(), manifest


def png() -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(b"\0\0")), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*one) for one in chunks)


def pdf() -> bytes:
    writer, made = pypdf.PdfWriter(), io.BytesIO()
    writer.add_blank_page(72, 72)
    writer.write(made)
    return made.getvalue()


def package(media_type: str, *names: str) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        if media_type:
            archive.writestr("mimetype", media_type)
        for name in names:
            archive.writestr(name, "<a/>")
    return made.getvalue()


KINDS = {
    ".pdf": ("application/pdf", pdf()),
    ".epub": ("application/epub+zip", package("application/epub+zip", "META-INF/container.xml", "a.xhtml")),
    ".docx": ("docx", package("", "[Content_Types].xml", "word/document.xml")),
    ".odt": (
        "odt",
        package("application/vnd.oasis.opendocument.text", "content.xml", "META-INF/manifest.xml"),
    ),
    ".png": ("image/png", png()),
}


def said(folder: Path, suffix: str, octets: bytes) -> list[Signal]:
    path = folder / f"a{suffix}"
    path.write_bytes(octets)
    return in_binary(path, suffix)


# -- inside a file ---------------------------------------------------------------------------------------
@pytest.mark.parametrize("suffix", KINDS)
@pytest.mark.parametrize(("entries", "value"), [(NO, "no"), (YES, "yes")])
def test_signed_credentials_are_read(tmp_path, suffix, entries, value):
    kind, plain = KINDS[suffix]
    assert said(tmp_path, suffix, plain) == []
    [signal] = said(tmp_path, suffix, signed(plain, kind, entries)[0])
    assert (signal.kind, signal.value, signal.where) == ("c2pa", value, "Content Credentials, valid")
    assert json.loads(signal.raw) == {"cawg.training-mining": {"entries": entries}}


@pytest.mark.parametrize(("entries", "value"), [(NO, "no"), (YES, "unknown")])
def test_in_a_file_that_was_changed_a_no_counts_and_a_yes_does_not(tmp_path, entries, value):
    kind, plain = KINDS[".pdf"]
    changed = signed(plain, kind, entries)[0].replace(b"%%EOF", b"%%EOF\n% changed", 1)
    [signal] = said(tmp_path, ".pdf", changed)
    assert (signal.value, signal.where) == (value, "Content Credentials, invalid")


def test_the_older_label_is_read(tmp_path):
    entries = {"c2pa.ai_generative_training": {"use": "constrained", "constraint_info": "ask"}}
    octets, _ = signed(*reversed(KINDS[".png"]), entries, label="c2pa.training-mining")
    assert combine(said(tmp_path, ".png", octets)) == "no"


@pytest.mark.parametrize(("entries", "value"), [(NO, "no"), (YES, "unknown")])
def test_what_an_earlier_version_said_forbids_but_does_not_allow(tmp_path, entries, value):
    kind, plain = KINDS[".png"]
    parent, _ = signed(plain, kind, entries)
    edited, _ = signed(plain, kind, {}, parent=parent)
    assert combine(said(tmp_path, ".png", edited)) == value


def test_a_manifest_that_cannot_be_read_is_unknown(tmp_path):
    kind, plain = KINDS[".epub"]
    octets = bytearray(signed(plain, kind, NO)[0])
    at = octets.find(b"jumb")
    octets[at + 4 : at + 40] = bytes(36)
    [signal] = said(tmp_path, ".epub", bytes(octets))
    assert signal.value == "unknown" and signal.raw.startswith("credentials that cannot be read")


def test_a_file_that_cannot_hold_credentials_is_not_asked(tmp_path):
    assert said(tmp_path, ".html", signed(*reversed(KINDS[".png"]), NO)[0]) == []


@pytest.mark.parametrize(
    "entries", [None, [], "allowed", {"x": None}, {"": []}, {"ai_generative_training": {"use": {}}}]
)
def test_entries_of_another_shape_say_nothing(entries):
    assert credentials.training(entries, True) == "unknown"


# -- beside a file ---------------------------------------------------------------------------------------
@pytest.mark.parametrize("sidecar", ["a.png.c2pa", "a.c2pa"])
@pytest.mark.parametrize(("entries", "changed", "value"), [
    (NO, False, "no"), (NO, True, "no"), (YES, False, "yes"), (YES, True, "unknown"),
])  # fmt: skip
def test_a_sidecar_is_checked_against_its_file(tmp_path, sidecar, entries, changed, value):
    plain, manifest = signed(*reversed(KINDS[".png"]), entries, embed=False)
    (tmp_path / "a.png").write_bytes(plain + b"x" * changed)
    (tmp_path / sidecar).write_bytes(manifest)
    assert combine(sites.around(tmp_path, ["a.png", sidecar])("a.png")) == value


@pytest.mark.parametrize(("entries", "value"), [(NO, "no"), (YES, "unknown")])
def test_a_sidecar_of_another_file_forbids_but_does_not_allow(tmp_path, entries, value):
    (tmp_path / "a.txt").write_text("words")
    (tmp_path / "a.txt.c2pa").write_bytes(signed(*reversed(KINDS[".png"]), entries, embed=False)[1])
    assert combine(sites.around(tmp_path, ["a.txt", "a.txt.c2pa"])("a.txt")) == value


@pytest.mark.parametrize("octets", [b"\xff" * 1_000_000, bytes(1_000_000), b"\0\0\0\x20jumb" * 100_000])
def test_a_broken_sidecar_is_unknown(tmp_path, octets):
    (tmp_path / "a.txt").write_text("words")
    (tmp_path / "a.c2pa").write_bytes(octets)
    [signal] = sites.around(tmp_path, ["a.txt", "a.c2pa"])("a.txt")
    assert (signal.value, signal.where) == ("unknown", "a.c2pa")


# -- the network -----------------------------------------------------------------------------------------
@pytest.fixture
def server() -> Iterator[tuple[int, list[str]]]:
    """(port, the paths that were asked for) of a web server on this machine."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        do_POST = do_GET

        def log_message(self, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as served:
        thread = threading.Thread(target=served.serve_forever, args=(0.01,))
        thread.start()
        yield served.server_port, asked
        served.shutdown()
        thread.join()


def test_a_remote_manifest_is_named_and_not_fetched(tmp_path, server):
    port, asked = server
    kind, plain = KINDS[".png"]
    octets, _ = signed(plain, kind, NO, embed=False, remote=f"http://127.0.0.1:{port}/remote.c2pa")
    [signal] = said(tmp_path, ".png", octets)
    assert signal.value == "unknown" and "/remote.c2pa" in signal.raw
    assert asked == []
    with pytest.raises(c2pa.C2paError):
        c2pa.Reader(kind, io.BytesIO(octets))  # as it would be by itself
    assert asked == ["/remote.c2pa"]


def test_nobody_is_asked_whether_a_certificate_was_revoked(tmp_path, server):
    port, asked = server
    octets, _ = signed(*reversed(KINDS[".png"]), NO, port=port)
    assert combine(said(tmp_path, ".png", octets)) == "no"
    assert asked == []
    online = c2pa.Settings.from_dict({"verify": {"ocsp_fetch": True}})
    with c2pa.Context(online) as context, c2pa.Reader("image/png", io.BytesIO(octets), context=context):
        assert len(asked) == 1  # the certificate does name who could be asked
