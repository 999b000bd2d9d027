"""Signed agreements: an owner's yes in a TOML file, with an OpenSSH signature (PROTOCOL.sshsig) beside it.

    owner = "Example Press"             the name that the recipe's source has
    by = "Ann Smith, rights"            who signs for the owner; may be left out
    date = 2026-11-02
    allows = ["train-ai"]               the word of IETF AIPREF's vocabulary
    paths = ["**"]                      globs of paths below the source
    statement = "…"                     what is agreed, in words

`ssh-keygen` checks the signature: no cryptography of our own, and code hosts publish people's keys.
"""

from __future__ import annotations

import datetime
import os
import re
import shutil
import subprocess
import tempfile
import tomllib
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from ..disk import expanded
from ..errors import ConsentError

NAMESPACE = "netsuke-consent"  # so that a signature made for anything else does not count
TRAINING = "train-ai"
STATEMENT = (
    "I own this material, or may speak for who owns it. It may be used to train language models,"
    " and those models may be used and passed on."
)
_KEYS = {"owner", "by", "date", "allows", "paths", "statement"}
_PUBLIC_KEY = re.compile(r"(sk-)?(ssh|ecdsa)-[\w@.-]+ +[A-Za-z0-9+/]{16,}=*( |$)")
_GOOD = re.compile(r" with (\S+) key (SHA256:\S+)")
_MOST_BYTES = 1 << 20


@dataclass(frozen=True)
class Agreement:
    """What an owner allows, its signature checked by `read`."""

    owner: str
    allows: tuple[str, ...]
    paths: tuple[str, ...]  # globs, see matches()
    by: str  # who signed; the owner if the file names nobody
    date: str  # ISO 8601
    text: str  # the statement
    signed_by: str  # who, with which key (type and SHA-256 fingerprint), when

    def covers(self, path: str, owner: str) -> bool:
        """Whether it is about this owner's file; `path` is relative to the source."""
        return same_name(owner) == same_name(self.owner) and any(matches(glob, path) for glob in self.paths)


def same_name(name: str) -> str:
    """What two spellings of a name share: case, white space and Unicode composition aside."""
    return unicodedata.normalize("NFC", " ".join(name.split())).casefold()


def matches(glob: str, path: str) -> bool:
    """Whether a path is what a glob names, or lies in a folder that it names; `**` stands for any folders.

    The rule of gitignore, every pattern anchored. Composed and decomposed letters are the same. A name with [ ] * ?
    in it names itself, too: who gives a path as it is listed means that path.
    """
    written, names = _parts(glob), _parts(path)
    if written and names[: len(written)] == written:
        return True
    parts = [*written, "**"]
    part = name = 0
    retry: tuple[int, int] | None = None  # the part after the last **, and the name that it was tried at
    while name < len(names):
        if parts[part] == "**":
            part += 1
            if part == len(parts):
                return True
            retry = (part, name)
        elif fnmatchcase(names[name], parts[part]):
            part, name = part + 1, name + 1
        elif retry:
            part, name = retry[0], retry[1] + 1
            retry = (part, name)
        else:
            return False
    return all(rest == "**" for rest in parts[part:])


def _parts(path: str) -> list[str]:
    return [part for part in unicodedata.normalize("NFC", path).split("/") if part not in ("", ".")]


def draft(owner: str, by: str, date: str, paths: Sequence[str], statement: str) -> str:
    """The TOML text of an agreement that is to be signed."""
    import tomlkit

    document = tomlkit.document()
    document.add(
        tomlkit.comment("Change what is wrong, then sign. After that, any change breaks the signature.")
    )
    document["owner"] = owner
    if by:
        document["by"] = by
    document["date"] = datetime.date.fromisoformat(date)
    document["allows"] = [TRAINING]
    document["paths"] = list(paths)
    document["statement"] = statement
    return tomlkit.dumps(document)


def read(path: str | Path, signers: str | Path, root: Path = Path()) -> Agreement:
    """The agreement in a file, if its signature is right and by a key of its owner.

    `signers` is a public key line, or a file of such lines or of ssh-keygen's ALLOWED SIGNERS, whose principal is
    the owner's name. Paths are relative to `root`, the recipe's folder. Raises ConsentError.
    """
    place = root / expanded(path)
    data = _bytes(place, "the agreement")
    signature = place.with_name(f"{place.name}.sig")
    if not signature.exists():
        hint = f"its owner signs it: {sign_line(place)}"
        raise ConsentError("the agreement is not signed", where=str(place), hint=hint)
    given = _parsed(data, place)
    key = _key(data, signature, place)
    allowed = _allowed_signers(str(signers), root, place)
    owner, by, date = given["owner"], given.get("by") or given["owner"], given["date"].isoformat()
    _require_signer(data, signature, allowed, owner, date, key, place)
    signed_by = f"{by} ({key}, {date})"
    lists = {name: tuple(given[name]) for name in ("allows", "paths")}
    return Agreement(owner=owner, by=by, date=date, text=given["statement"], signed_by=signed_by, **lists)


def sign_line(place: Path | str) -> str:
    """What the owner types to sign a file."""
    import shlex

    return f"ssh-keygen -Y sign -n {NAMESPACE} -f ~/.ssh/id_ed25519 {shlex.quote(str(place))}"


def _bytes(place: Path, what: str) -> bytes:
    try:
        with place.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise ConsentError(f"{what} cannot be read: {why}", where=str(place)) from error
    if len(data) > _MOST_BYTES:
        raise ConsentError(f"{what} is longer than {_MOST_BYTES:,} bytes", where=str(place))
    return data


# -- what it says ----------------------------------------------------------------------------------------
def _parsed(data: bytes, place: Path) -> dict[str, Any]:
    """The keys of an agreement, each of its type. One that is not known may limit it, so it is refused."""
    try:
        given = tomllib.loads(data.decode())
    except (ValueError, RecursionError) as error:
        raise ConsentError(f"the agreement is not TOML: {error}", where=str(place)) from error
    wrong = [f"unknown key {key!r}" for key in given if key not in _KEYS]
    wrong += [f"{key!r} is missing" for key in sorted(_KEYS - {"by"} - given.keys())]
    for key in ("owner", "by"):
        if not is_line(given.get(key, "-")):
            wrong.append(f"{key!r} must be a text of one line")
    if not isinstance(given.get("statement", ""), str):
        wrong.append("'statement' must be a text")
    for key in ("allows", "paths"):
        values = given.get(key, ["-"])
        if not isinstance(values, list) or not values or not all(map(is_line, values)):
            wrong.append(f"{key!r} must be a list of texts")
    if type(given.get("date", datetime.date.min)) is not datetime.date:
        wrong.append("'date' must be a date, as 2026-11-02")
    if not wrong and TRAINING not in given["allows"]:
        wrong.append(f"it does not allow {TRAINING!r}")
    if wrong:
        raise ConsentError(
            f"the agreement cannot be used: {wrong[0]}",
            where=str(place),
            hint="`netsuke consent agreement OWNER --out FILE` writes a right one; signing comes after any change",
        )
    return given


def is_line(value: Any) -> bool:
    """Whether it is a text that can stand on one line and in an argument."""
    if not isinstance(value, str) or not value.strip():
        return False
    return not any(unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") for letter in value)


# -- who signed it ---------------------------------------------------------------------------------------
def _allowed_signers(signers: str, root: Path, place: Path) -> str:
    """The lines of an ALLOWED SIGNERS file (ssh-keygen(1)); a bare public key may sign for any owner."""
    if not signers.strip():
        hint = 'give the owner\'s public key, or a file with it: signers = "ssh-ed25519 AAAA…"'
        raise ConsentError("the recipe does not say whose signature counts", where=str(place), hint=hint)
    text = signers
    if not _PUBLIC_KEY.match(signers.strip()):
        file = root / expanded(signers)
        text = _bytes(file, "the file of signers").decode(errors="replace")
    lines = (line.strip() for line in text.splitlines())
    return "".join(f"* {line}\n" if _PUBLIC_KEY.match(line) else f"{line}\n" for line in lines)


def _key(data: bytes, signature: Path, place: Path) -> str:
    """Type and fingerprint of the key that signed these bytes."""
    told = _ssh_keygen(["check-novalidate", "-s", str(signature)], data, place)
    key = _GOOD.search(told.stdout)
    if told.returncode or not key:
        raise ConsentError(
            f"the signature does not fit the agreement: {_last_line(told.stderr)}",
            where=str(signature),
            hint=f"was it changed after it was signed? Its owner signs again: {sign_line(place)}",
        )
    return f"{key[1]} {key[2]}"


def _require_signer(
    data: bytes, signature: Path, allowed: str, owner: str, date: str, key: str, place: Path
) -> None:
    """Raise ConsentError unless the key was the owner's at the agreement's date (not today: no clock decides)."""
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", prefix="signers-") as file:
        file.write(allowed)
        file.flush()
        when = f"verify-time={date.replace('-', '')}"
        told = _ssh_keygen(
            ["verify", "-s", str(signature), "-f", file.name, "-I", owner, "-O", when], data, place
        )
    if told.returncode:
        why = _last_line(told.stderr.replace(file.name, "signers"))
        raise ConsentError(
            f"it is signed by a key that may not sign for {owner!r}: {key}{f' ({why})' if why else ''}",
            where=str(signature),
            hint="if it is the owner's key, add it to the recipe's `signers`, after the owner's name",
        )


def _ssh_keygen(words: list[str], data: bytes, place: Path) -> subprocess.CompletedProcess[str]:
    program = shutil.which("ssh-keygen")
    if not program:
        raise ConsentError(
            "ssh-keygen is not there, and nothing else checks a signature",
            where=str(place),
            hint="install OpenSSH's client (Debian and Ubuntu: openssh-client)",
        )
    command = [program, "-Y", *words, "-n", NAMESPACE]
    plain = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8", "TZ": "UTC"}
    try:
        done = subprocess.run(command, input=data, capture_output=True, timeout=60, env=plain)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConsentError(f"ssh-keygen failed: {error}", where=str(place)) from error
    out, err = (stream.decode(errors="replace") for stream in (done.stdout, done.stderr))
    return subprocess.CompletedProcess(command, done.returncode, out, err)


def _last_line(text: str) -> str:
    return text.strip().splitlines()[-1] if text.strip() else ""
