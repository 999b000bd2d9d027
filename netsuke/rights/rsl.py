"""What a Really Simple Licensing document says of training: RSL 1.0, https://rslstandard.org/rsl.

No licence server is asked: a licence that must first be obtained, or paid for, is no permission yet.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element

from .safe_xml import local

if TYPE_CHECKING:
    from .signals import Value

MEDIA_TYPE = "application/rsl+xml"
HEAD_BYTES = 4096
_NAMESPACE = "rslstandard.org/rsl}"
_TRAINING = {"all", "ai-all", "ai-train", "train-ai"}  # section 3.4.1.1; train-ai is AIPREF's
_CREDIT = {"attribution", "contribution"}  # a duty, but no fee (section 3.7)
_PRICED = {"amount", "custom", "accepts"}
_SAID = {"permits", "prohibits", "payment", "reporting"}


def is_rsl(head: bytes) -> bool:
    """Whether the first HEAD_BYTES of a file name RSL's namespace: a quick look before it is parsed."""
    return b"rslstandard.org/rsl" in head.replace(b"\0", b"")  # in UTF-16 as well


def contents(tree: Element) -> Iterator[tuple[str, Value, str]]:
    """(url, what it says of training, the terms that say so) of each `content` element (section 3.3)."""
    for element in tree.iter():
        if element.tag.endswith(_NAMESPACE + "content"):
            licences = [child for child in element if child.tag.endswith(_NAMESPACE + "license")]
            raw = " ".join(_written(term) for licence in licences for term in licence if local(term) in _SAID)
            yield element.get("url", ""), _value(licences, "server" in element.attrib), raw


def _value(licences: list[Element], by_server: bool) -> Value:
    """What is prohibited in one licence is not licensed by another (section 3.1.1); else the best of them."""
    if any((_usages(licence, "prohibits") or set()) & _TRAINING for licence in licences):
        return "no"
    said = {_permission(licence, by_server) for licence in licences}
    return "yes" if "yes" in said else "no" if said == {"no"} else "unknown"


def _permission(licence: Element, by_server: bool) -> Value:
    """A yes only without a fee or a condition; a no if a fee is asked, or if other uses only are listed."""
    usages = _usages(licence, "permits")
    payments = [term for term in licence if local(term) == "payment"]
    if any(_is_fee(payment) for payment in payments):
        return "no"
    if usages is None:
        return "unknown"
    if not usages & _TRAINING:
        return "no"  # what is not listed is not allowed (section 3.5)
    credit = any(payment.get("type") in _CREDIT for payment in payments)
    return "unknown" if by_server or credit or any(_is_condition(term) for term in licence) else "yes"


def _is_fee(payment: Element) -> bool:
    kind = payment.get("type", "free")
    return kind not in _CREDIT | {"free"} or any(local(child) in _PRICED for child in payment)


def _is_condition(term: Element) -> bool:
    """Who, where, or a duty to report (sections 3.5, 3.6, 3.12)."""
    name = local(term)
    return name == "reporting" or (name in ("permits", "prohibits") and term.get("type") != "usage")


def _usages(licence: Element, name: str) -> set[str] | None:
    """The tokens, with spaces between them or, as before 1.0, commas; None if nothing is said of usage."""
    texts = [term.text or "" for term in licence if local(term) == name and term.get("type") == "usage"]
    return {token.lower() for text in texts for token in re.split(r"[\s,]+", text)} if texts else None


def _written(term: Element) -> str:
    attributes = "".join(f' {name}="{value}"' for name, value in term.attrib.items())
    return f"<{local(term)}{attributes}>{' '.join((term.text or '').split())}</{local(term)}>"
