"""Private things in a text: found, and put under placeholders that keep who is who."""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from . import digits, keys, phones
from .marks import MARK, Find, without

LIBRARIES = ("phonenumbers", "python-stdnum", "detect-secrets")  # that decide what is found: in the key of who looks
KINDS = ("EMAIL", "PHONE", "IBAN", "CARD", "ID", "IP", "SECRET")

_PLACEHOLDER = re.compile(rf"\[(?:{'|'.join(KINDS)})_[0-9]+\]")
_BLOCK = 1 << 13  # characters that are searched at once: where nothing is found, once is enough

# Digits of all scripts, full width, no-break and hidden signs: each becomes the plain sign it stands for.
_SIGNS = {
    **dict.fromkeys(
        (0xA0, *range(0x2000, 0x2010), *range(0x202A, 0x2030), *range(0x2066, 0x206A), 0x3000), " "
    ),
    **dict.fromkeys((0x2010, 0x2011, 0x2012, 0x2013, 0x2212), "-"),
    **{code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)},
}
_FOREIGN = re.compile(rf"[^\x00-\x7f](?<=[\d{''.join(map(chr, _SIGNS))}])")


def find(text: str, countries: Sequence[str]) -> list[Find]:
    """(start, end, type) of the private things in a text: sorted, never overlapping; types are KINDS.

    `countries`: ISO 3166-1 codes whose national phones and ids count. What can be nobody's is left: example
    domains (RFC 2606), networks that are private or for documentation, and placeholders.
    """
    known = tuple(countries)
    rest = _PLACEHOLDER.sub(lambda found: MARK * len(found[0]), text)
    finds = list(keys.blocks(rest))
    rest = without(rest, finds)
    for start, end in _blocks(rest):
        block = fold(rest[start:end])
        # Until there is nothing more: a mask can then never bring out what was not seen before it.
        while found := _round(block, known):
            finds += [(start + first, start + last, kind) for first, last, kind in found]
            block = without(block, found)
    return sorted(finds)


def fold(text: str) -> str:
    """The text, sign for sign, with plain digits, spaces and hyphens for their foreign spellings."""
    return text if text.isascii() else _FOREIGN.sub(_plain_sign, text)


def _plain_sign(found: re.Match[str]) -> str:
    return _SIGNS.get(ord(found[0])) or str(unicodedata.decimal(found[0]))


def _blocks(text: str) -> Iterator[tuple[int, int]]:
    """The text in parts that end at an empty line: no find, and no context of one, goes beyond it."""
    start = 0
    while start < len(text):
        cut = text.find("\n\n", start + _BLOCK)
        end = cut + 2 if cut >= 0 else len(text)
        yield start, end
        start = end


def _round(text: str, countries: tuple[str, ...]) -> list[Find]:
    """What each finder sees in what those before it left."""
    finds: list[Find] = []
    for in_all in (keys.secrets, emails, digits.accounts, addresses):
        found = list(in_all(text))
        finds, text = finds + found, without(text, found)
    for in_some in (digits.written_ids, digits.runs):
        found = list(in_some(text, countries))
        finds, text = finds + found, without(text, found)
    return finds


# -- e-mail ----------------------------------------------------------------------------------------------
_AT = re.compile(r"@(?<=[\w.+%~'-]@)(?=[^\W_])")
_AT_ESCAPED = re.compile(r"%40(?=[^\W_])")  # in the address of a page
# Scripts that are written without spaces, where the next word may follow an address at once.
_DENSE = (
    "\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u2e80-\ud7ff\uf900-\ufaff\uff66-\uffdc"
    "\U00020000-\U0003ffff"
)
_LOCAL_BACKWARDS = [re.compile(rf"[^\W{dense}](?:[^\W{dense}]|[.+%'~-])*+") for dense in (_DENSE, "")]
_DOMAIN = [
    re.compile(rf"(?:[^\W_{dense}]|-){{1,63}}+(?:\.(?:[^\W_{dense}]|-){{1,63}}+)+") for dense in (_DENSE, "")
]
_LABEL = re.compile(r"(?!-)[\w-]{1,63}(?<!-)")
_GOES_ON = re.compile(r"@|_+[^\W_]")
_LOGIN, _URL = re.compile(r"(?:git|hg|svn|cvs|root)$"), re.compile(r"://[^\s/@]*\Z")  # who logs in, and where
_RESERVED = frozenset(
    "test example invalid localhost local localdomain internal lan intranet home arpa".split()
)
# Endings of files and units that are no top-level domain: "icon@2x.png", "getty@tty1.service".
_ENDINGS = frozenset(
    "png jpg jpeg gif svg webp bmp ico pdf html htm css scss js mjs ts tsx jsx json xml yaml yml toml txt csv"
    " tsv gz tgz tar bz2 xz zst deb rpm exe dll service socket target timer mount path slice scope device"
    " swap automount php asp jsp conf cfg ini log bak tmp po pot lst header".split()
)
# Variants of a language as gettext names them: "sr@latin.mo" is a file, other domains in .mo are Macau's.
_VARIANTS = frozenset(
    "latin cyrillic arabic devanagari shaw valencia ijekavian ijekavianlatin iqtelif abegede euro quot"
    " boldquot".split()
)
_LONGEST_LOCAL = 64  # RFC 5321, 4.5.3.1.1


def emails(text: str) -> Iterator[Find]:
    """E-mail addresses of domains that can exist."""
    done = 0
    for at in sorted([*_AT.finditer(text), *_AT_ESCAPED.finditer(text)], key=lambda at: at.start()):
        local = _local(text, at.start())
        domain = _domain(text, at.end())
        start, end = at.start() - len(local), at.end() + len(domain)
        if not local or not domain or start < done or _GOES_ON.match(text, end):
            continue
        if _LOGIN.match(local) and text[end : end + 1] in (":", "/"):
            continue
        if text[start - 1 : start] in (":", "/") and _URL.search(text, max(0, start - 80), start):
            continue
        if is_domain(domain) and not _is_product(text, start, end, domain):
            yield start, end, "EMAIL"
            done = end


def _is_product(text: str, start: int, end: int, domain: str) -> bool:
    """Whether it is a product of matrices in Python: of a member of `self`, or of what is called or indexed."""
    if domain.startswith(("self.", "cls.")):
        return True
    return text[end : end + 1] in ("(", "[") and not text.endswith("mailto:", 0, start)  # "mailto:" of AsciiDoc


def _local(text: str, at: int) -> str:
    """The part before the @ that ends at `at`; "" where there is none, or it is too long."""
    backwards = text[max(0, at - _LONGEST_LOCAL - 1) : at][::-1]
    for pattern in _LOCAL_BACKWARDS:
        if found := pattern.match(backwards):
            if len(found[0]) > _LONGEST_LOCAL:
                return ""
            return found[0][::-1].rpartition("..")[2].lstrip("._+%'~-")
    return ""


def _domain(text: str, start: int) -> str:
    """The domain that begins here, without a full stop or dash after it."""
    for pattern in _DOMAIN:
        if found := pattern.match(text, start):
            return found[0].rstrip("-.")
    return ""


def is_domain(domain: str) -> bool:
    """Whether a domain may be someone's: no reserved one (RFC 2606, RFC 6762), no file's ending."""
    labels = domain.lower().split(".")
    top = labels[-1]
    if len(labels) < 2 or len(domain) > 253 or not all(map(_LABEL.fullmatch, labels)):
        return False
    if not (top.isalpha() and len(top) > 1 or top.startswith("xn--")):
        return False
    if top == "mo" and labels[-2] in _VARIANTS:
        return False
    return labels[-2] != "example" and top not in _RESERVED and top not in _ENDINGS


# -- IP addresses ----------------------------------------------------------------------------------------
_IP = re.compile(
    r"[0-9](?<![\w.+~-][0-9])"
    r"(?:(?<=[23])(?<!:.)[0-9A-Fa-f]{3}:(?=:?[0-9A-Fa-f])[0-9A-Fa-f:]*[0-9A-Fa-f](?![\w:])"
    r"|[0-9]{0,2}(?:\.[0-9]{1,3}){3}(?![\w+~]|\.[0-9]|-(?![0-9]{1,3}\.)\w))"
)
_VERSION = re.compile(r"(?:\bv|\bver|versions?|releases?|\boid|[a-z]/|[=<>~^]=)[ :=]*$", re.IGNORECASE)
_NET_WORDS = re.compile(
    r"(?:\b(?:ip(?:v4)?|address(?:es)?|addr|adresse|hosts?|servers?|gateway|dns|peers?|ping|ssh"
    r"|inet|nameserver|remote|login)\b[^.]{0,24}|//|@|\(\[|[a-z]\.[a-z]{2,24} ?\[)$",
    re.IGNORECASE,
)
_MASK_OR_PORT = re.compile(r"/(?:[89]|[12][0-9]|3[0-2])\b|:[0-9]{2}")
_DOCUMENTATION = ipaddress.IPv6Network("3fff::/20")  # RFC 9637, younger than this Python may be


def addresses(text: str) -> Iterator[Find]:
    """IP addresses on the public internet."""
    for found in _IP.finditer(text):
        if is_public(found[0]) and (":" in found[0] or not _is_version(text, *found.span())):
            yield *found.span(), "IP"


def _is_version(text: str, start: int, end: int) -> bool:
    """Whether four numbers are rather a version, a section or an object identifier.

    Small numbers are one unless a word of networks stands by; large ones unless it says "version".
    """
    before = text[max(0, start - 32) : start].rpartition("\n")[2].rpartition(MARK)[2]
    if _VERSION.search(before):
        return True
    parts = [int(part) for part in text[start:end].split(".")]
    small = max(parts) < 100 or max(parts[:2]) < 20
    return small and not (_NET_WORDS.search(before) or _MASK_OR_PORT.match(text, end))


def is_public(address: str) -> bool:
    """Whether it is an address that the whole internet can reach, and no stand-in as 1.2.3.4 or 8.8.8.8."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    if parsed.version == 4 and (address == "1.2.3.4" or len(set(address.split("."))) == 1):
        return False
    return (
        parsed.is_global
        and not parsed.is_multicast
        and not (parsed.version == 6 and parsed in _DOCUMENTATION)
    )


# -- placeholders ----------------------------------------------------------------------------------------
def same(kind: str, value: str, countries: Sequence[str] = ()) -> str:
    """What two spellings of one value share; a national phone is of the first of `countries` that it fits."""
    plain = fold(value)
    if kind == "EMAIL":
        return _same_email(plain)
    if kind == "PHONE":
        return phones.e164(plain, tuple(countries)) or re.sub("[^0-9]", "", plain)
    if kind == "IP":
        try:
            return str(ipaddress.ip_address(plain))
        except ValueError:
            return plain
    if kind == "SECRET":
        return re.sub(r"\s|\\n", "", value)
    return re.sub(r"[\W_]", "", plain).upper()


def _same_email(address: str) -> str:
    local, _, domain = address.replace("%40", "@").casefold().rpartition("@")
    try:
        domain = domain.encode("idna").decode()
    except UnicodeError:
        pass
    return f"{local}@{domain}"


class Placeholders:
    """Masks: "[EMAIL_1]" for a value, the same for all its spellings in an owner's texts, by first use."""

    def __init__(self, countries: Sequence[str] = ()) -> None:
        self._countries = tuple(countries)
        self._numbers: defaultdict[tuple[str, str], dict[str, int]] = defaultdict(dict)

    def mask(self, text: str, finds: Iterable[Find], owner: str) -> str:
        """The text with placeholders for what was found in it; as many lines as before."""
        parts, done = [], 0
        for start, end, kind in sorted(finds):
            numbers, value = self._numbers[owner, kind], text[start:end]
            number = numbers.setdefault(same(kind, value, self._countries), len(numbers) + 1)
            parts += [text[done:start], f"[{kind}_{number}]", "\n" * value.count("\n")]
            done = end
        return "".join([*parts, text[done:]])
