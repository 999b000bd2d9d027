"""Signatures of packs: OpenSSF Model Signing (https://github.com/sigstore/model-transparency) with a key of one's own.

A signature says that whoever holds the key signed these very files. It has no date, so it does not expire; it lies
beside the pack's files, since it is other bytes each time and equal inputs must give an equal pack.
"""

from __future__ import annotations

import base64
import hashlib
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .disk import write_once, write_whole
from .errors import StoreError
from .store import canonical, hash_file

FILE = "netsuke.sig"
_KIND = "application/vnd.dev.sigstore.bundle.v0.3+json"
_PAYLOAD = "application/vnd.in-toto+json"


@dataclass(frozen=True)
class Keys:
    """A pair of files in PEM: the secret one is for the owner's eyes alone, the public one for everybody's."""

    secret: Path
    public: Path

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.public)


def keys_in(home: Path) -> Keys:
    """Where the keys of a home folder lie, whether or not there are any."""
    folder = home / "keys"
    return Keys(folder / "signing.pem", folder / "signing.pub.pem")


def own_keys(home: Path) -> Keys:
    """The keys of a home folder, made now if there are none. Raises StoreError where they cannot be used."""
    keys = keys_in(home)
    try:
        keys.secret.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        keys.secret.parent.chmod(0o700)
        if not keys.secret.exists():
            write_once(keys.secret, _new_secret())
        keys.secret.chmod(0o600)
        public = _public_of(keys.secret)
        write_once(keys.public, public, 0o644)
        if keys.public.read_bytes() != public:  # of a secret key that was put back
            write_whole(keys.public, public)
    except OSError as error:
        hint = "make the home folder writable, or set NETSUKE_HOME to another one"
        raise StoreError(f"no key to sign with: {error.strerror}", where=str(keys.secret), hint=hint) from None
    return keys


def fingerprint(public: Path) -> str:
    """sha256 of a public key, as signatures name it. Raises StoreError if the file is none."""
    return hashlib.sha256(_canonical(public)).hexdigest()


def signature(folder: Path, keys: Keys) -> bytes:
    """The signature of all files of a folder but netsuke.sig, in its one form."""
    from model_signing import signing

    with tempfile.TemporaryDirectory() as room:
        place = Path(room) / FILE
        signer = signing.Config().use_elliptic_key_signer(private_key=keys.secret)
        signer.set_hashing_config(_hashing(folder)).sign(folder, place)
        return canonical(json.loads(place.read_bytes()))


def signed_by(signed: Path) -> str:
    """The fingerprint of the key that a signature names. Raises StoreError if this is no signature of the kind."""
    return str(_bundle(signed)["verificationMaterial"]["publicKey"]["hint"])


def checker(signed: Path, home: Path, key: Path | None = None) -> Path | None:
    """The public key to check a signature by: `key`, else the home's own where it is named; None for a stranger's."""
    own = keys_in(home).public
    return key or (own if own.exists() and fingerprint(own) == signed_by(signed) else None)


def fault(folder: Path, signed: Path, public: Path) -> str | None:
    """What is not as it was signed by this key, the file's name first; None if all is."""
    from model_signing import verifying

    bundle = _bundle(signed)
    if (named := signed_by(signed)) != fingerprint(public):
        return f"{FILE}: signed by another key, {named[:16]}…, not by {fingerprint(public)[:16]}…"
    if linked := next((path for path in sorted(folder.rglob("*")) if path.is_symlink()), None):
        return f"{linked.relative_to(folder).as_posix()}: a link, and no file of this folder"
    verifier = verifying.Config().use_elliptic_key_verifier(public_key=public)
    try:
        verifier.set_hashing_config(_hashing(folder)).verify(folder, signed)
    except ValueError as error:
        if str(error).startswith("Signature mismatch"):  # it holds, for other files
            return _first_other(folder, bundle) or f"{FILE}: {error}"
        return f"{FILE}: the signature does not hold: {error}"
    except Exception as error:  # cryptography's, protobuf's
        return f"{FILE}: the signature does not hold ({type(error).__name__})"
    return None


def _bundle(signed: Path) -> dict[str, Any]:
    """A signature read strictly: in the one form that `signature` writes, so that no bit of it is without meaning."""
    try:
        data = signed.read_bytes()
        bundle: dict[str, Any] = json.loads(data)
        envelope, (one,) = bundle["dsseEnvelope"], bundle["dsseEnvelope"]["signatures"]
        hint = bundle["verificationMaterial"]["publicKey"]["hint"]
        form = {
            "mediaType": _KIND,
            "verificationMaterial": {"publicKey": {"hint": hint}, "tlogEntries": []},
            "dsseEnvelope": {"payload": _plain(envelope["payload"]), "payloadType": _PAYLOAD,
                             "signatures": [{"sig": _plain(one["sig"]), "keyid": ""}]},
        }  # fmt: skip
        if data == canonical(form):
            return bundle
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        pass
    raise StoreError("this is no signature of a pack", where=str(signed), hint="sign the pack again") from None


def _plain(text: str) -> str:
    """Base64 in its one spelling."""
    return base64.b64encode(base64.b64decode(text, validate=True)).decode()


def _hashing(folder: Path) -> Any:
    from model_signing import hashing

    return hashing.Config().set_ignored_paths(paths=[folder / FILE], ignore_git_paths=False)


def _first_other(folder: Path, bundle: dict[str, Any]) -> str | None:
    """The first file, by name, that is not as a signature which holds has it."""
    resources = json.loads(base64.b64decode(bundle["dsseEnvelope"]["payload"]))["predicate"]["resources"]
    said = {row["name"]: row["digest"] for row in resources}
    there = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    there.pop(FILE, None)
    for name in sorted({*said, *there}):
        if name not in there:
            return f"{name}: signed, and missing"
        if name not in said:
            return f"{name}: not signed"
        if hash_file(there[name]) != said[name]:
            return f"{name}: not what was signed"
    return None


def _new_secret() -> bytes:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _public_of(secret: Path) -> bytes:
    from cryptography.hazmat.primitives import serialization

    try:
        key = serialization.load_pem_private_key(secret.read_bytes(), None)
    except (ValueError, TypeError):
        hint = "put the right one back, or move it away: a new one is made, which others do not know"
        raise StoreError("this is not a key to sign with", where=str(secret), hint=hint) from None
    return _pem(key.public_key())


def _canonical(public: Path) -> bytes:
    """A public key as PEM, however the file writes it."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    try:
        key = serialization.load_pem_public_key(public.read_bytes())
    except (ValueError, TypeError):
        hint = "netsuke keys prints yours"
        raise StoreError("this is not a public key in PEM", where=str(public), hint=hint) from None
    except OSError as error:
        raise StoreError(f"this key cannot be read: {error.strerror}", where=str(public)) from None
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise StoreError("this key is not of an elliptic curve", where=str(public), hint="netsuke keys prints yours")
    return _pem(key)


def _pem(key: Any) -> bytes:
    from cryptography.hazmat.primitives import serialization

    data: bytes = key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return data
