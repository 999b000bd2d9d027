"""Secrets: private keys, vendors' tokens, credentials in URLs and headers, and what passwords.py finds.

Cheap searches find candidates; detect-secrets' rules and our own shapes judge them. Its rules are used one by
one, never its scanner: so nothing here reads or changes its global settings, opens a file or the network.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from functools import lru_cache
from importlib import import_module
from itertools import chain

from . import passwords
from .marks import MARK, Find, Span, places
from .passwords import is_stand_in

# -- private keys ----------------------------------------------------------------------------------------
_BEGIN = re.compile(r"BEGIN (?:[A-Z0-9]+ ){0,4}PRIVATE KEY(?: BLOCK)? ?-{4,5}")
_END = re.compile(r"END (?:[A-Z0-9]+ ){0,4}PRIVATE KEY(?: BLOCK)? ?-{4,5}")
_LONGEST_BLOCK = 32_768  # characters
_BODY = re.compile(r"[0-9A-Za-z+/]{24}")
_KEY_LINES = re.compile(r"(?:(?:[\s\"'#*>|,;]|\\[nr])*+[0-9A-Za-z+/=_-]{24,}+)+")
_PUTTY = re.compile(r"Private-Lines: [0-9]+\n((?:[0-9A-Za-z+/=]{4,}+(?:\n|\Z))+)")


def blocks(text: str) -> Iterator[Find]:
    """Private keys in PEM, OpenSSH, PGP and PuTTY form, whole; one that is cut off as far as its lines go."""
    begins = list(places(text, "BEGIN ")) if "PRIVATE KEY" in text else []
    for at, following in zip(begins, [*begins[1:], len(text)], strict=False):
        begin, dashes = _BEGIN.match(text, at), text[max(0, at - 5) : at]
        if begin and dashes in ("-----", "---- "):
            if end := _block_end(text, begin.end(), min(following, at + _LONGEST_BLOCK)):
                yield at - 5, end, "SECRET"
    if "Private-Lines: " in text:
        for found in _PUTTY.finditer(text):
            yield found.start(1), found.end(1) - found[1].endswith("\n"), "SECRET"


def _block_end(text: str, start: int, limit: int) -> int:
    """Where the key ends that begins before `start`; 0 if none follows."""
    end = _END.search(text, start, limit)
    if end and _BODY.search(text, start, end.start()) and MARK not in text[start : end.start()]:
        return end.end()
    lines = _KEY_LINES.match(text, start, limit)
    return lines.end() if lines else 0


# -- tokens of vendors -----------------------------------------------------------------------------------
# A digit with ten signs of a word before or after it: every word of twenty that has a digit has such a one.
_IN_LONG_WORD = re.compile(r"[0-9](?:(?=[0-9A-Za-z_-]{10})|(?<=[0-9A-Za-z_-]{11}))")
_WORD_SIGNS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_-"
_WORD_END = re.compile(r"[0-9A-Za-z_-]*+")
_SHORTEST, _LONGEST = 20, 8192  # signs of the longest word in a token

# Rules of detect-secrets 1.5.0, and what must stand in a candidate before its rules are asked.
_DETECTORS = {
    "artifactory.ArtifactoryDetector": r"AKC[0-9A-Za-z]{10}|AP[0-9A-F][0-9A-Za-z]{8}",
    "aws.AWSKeyDetector": "A3T|ABIA|ACCA|AKIA|ASIA|[Aa][Ww][Ss]",
    "azure_storage_key.AzureStorageKeyDetector": "AccountKey=",
    "cloudant.CloudantDetector": "[Cc]loudant|CLOUDANT",
    "discord.DiscordBotTokenDetector": r"[MNO][0-9A-Za-z_-]{23,25}\.",
    "github_token.GitHubTokenDetector": "gh[oprsu]_",
    "gitlab_token.GitLabTokenDetector": "gl[a-z]+-|GR1348941",
    "ibm_cloud_iam.IbmCloudIamDetector": "ibm|IBM",
    "ibm_cos_hmac.IbmCosHmacDetector": "secret|SECRET",
    "mailchimp.MailchimpDetector": "[0-9a-z]-us[0-9]",
    "npm.NpmDetector": "_authToken",
    "openai.OpenAIDetector": "T3BlbkFJ",
    "pypi_token.PypiTokenDetector": "pypi-AgE",
    "sendgrid.SendGridDetector": r"SG\.",
    "slack.SlackDetector": "xox[abposr]-|hooks.slack.com",
    "softlayer.SoftlayerDetector": "[Ss]oft[Ll]ayer|SOFTLAYER",
    "square_oauth.SquareOAuthDetector": "sq0csp-",
    "stripe.StripeDetector": "[rs]k_live_",
    "telegram_token.TelegramBotTokenDetector": "[0-9]{8}:",
    "twilio.TwilioKeyDetector": "(?:AC|SK)[0-9a-z]{32}",
}
_HEADS = re.compile("|".join(_DETECTORS.values()))
# Shapes that the vendors publish, for what those rules do not know.
_SHAPES = (
    r"github_pat_[0-9A-Za-z_]{60,}|AIza[0-9A-Za-z_-]{35}|ya29\.[0-9A-Za-z_-]{20,}|GOCSPX-[0-9A-Za-z_-]{28}"
    r"|1//0[0-9A-Za-z_-]{40,}|sk-ant-[0-9A-Za-z_-]{20,}|sk-(?:proj|svcacct|admin|or-v1)-[0-9A-Za-z_-]{20,}"
    r"|sk-[0-9A-Za-z]{32,}|hf_[0-9A-Za-z]{30,}|gsk_[0-9A-Za-z]{40,}|r8_[0-9A-Za-z]{37}|xai-[0-9A-Za-z]{60,}"
    r"|nvapi-[0-9A-Za-z_-]{60,}|npm_[0-9A-Za-z]{36}|rubygems_[0-9a-f]{48}|oy2[0-9a-z]{43}"
    r"|dckr_pat_[0-9A-Za-z_-]{27}"
    r"|[rs]k_(?:live|test)_[0-9A-Za-z]{16,}|whsec_[0-9A-Za-z+/]{32,}=*|sq0atp-[0-9A-Za-z_-]{22}"
    r"|xox[abeposr]-[0-9A-Za-z-]{20,}|xapp-[0-9]-[0-9A-Za-z-]{20,}|do[opr]_v1_[0-9a-f]{64}"
    r"|shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}|lin_api_[0-9A-Za-z]{40}|(?:ntn|secret)_[0-9A-Za-z]{43,}"
    r"|hv[sbr]\.[0-9A-Za-z_-]{24,}|PMAK-[0-9a-f]{24}-[0-9a-f]{34}|glsa_[0-9A-Za-z]{32}_[0-9a-fA-F]{8}"
    r"|NRAK-[0-9A-Z]{27}|AGE-SECRET-KEY-1[0-9A-Z]{58}|ATATT3[0-9A-Za-z_=-]{100,}"
    r"|pscale_(?:tkn|oauth|pw)_[0-9A-Za-z_=.-]{32,}|sb[ps]_[0-9A-Za-z]{32,}|fig[du]_[0-9A-Za-z_-]{40,}"
    r"|dapi[0-9a-f]{32}|key-[0-9a-f]{32}|tskey-[a-z]+-[0-9A-Za-z-]{20,}|pat[0-9A-Za-z]{14}\.[0-9a-f]{64}"
    r"|[0-9A-Za-z]{14}\.atlasv1\.[0-9A-Za-z_-]{60,}|dp\.[a-z]{2,5}\.[0-9A-Za-z]{40,}"
)
_SHAPE = re.compile(rf"(?<![0-9A-Za-z_])(?:{_SHAPES})(?![0-9A-Za-z])")
_JWT = re.compile(r"(?<![\w.-])eyJ[0-9A-Za-z_-]{8,}+\.[0-9A-Za-z_-]{2,}+(?:\.[0-9A-Za-z_-]*+){0,3}")
_BEFORE = 64  # characters of its line before a candidate that the rules see
_AFTER = re.compile(rf"[^\n{MARK}]{{0,160}}[^\s\"'`<>{MARK}]{{0,{_LONGEST}}}")


def _tokens(text: str) -> Iterator[Span]:
    """Long words that have the shape of a vendor's token."""
    seen = 0
    for digit in _IN_LONG_WORD.finditer(text):
        at = digit.start()
        if at < seen:
            continue
        before = text[max(seen, at - _LONGEST) : at]
        start, end = at - len(before) + len(before.rstrip(_WORD_SIGNS)), _end(_WORD_END, text, at)
        seen = end
        if end - start >= _SHORTEST:
            before = text[max(0, start - _BEFORE) : start]
            start -= len(before) - max(before.rfind("\n"), before.rfind(MARK)) - 1
            seen = _end(_AFTER, text, end)
            yield from _in_candidate(text, start, seen)


def _end(pattern: re.Pattern[str], text: str, start: int) -> int:
    found = pattern.match(text, start)
    return found.end() if found else start


def _in_candidate(text: str, start: int, end: int) -> Iterator[Span]:
    for found in _SHAPE.finditer(text, start, end):
        yield found.span()
    for found in _JWT.finditer(text, start, end):
        if _is_jwt(found[0]):
            yield found.span()
    window = text[start:end]
    for head, rules in _rules() if _HEADS.search(window) else ():
        for found in chain.from_iterable(rule.finditer(window) for rule in rules if head.search(window)):
            yield _value(text, start, found)


def _value(text: str, offset: int, found: re.Match[str]) -> Span:
    """Where the secret is in what a rule matched; empty where that is only a part of a longer word."""
    group = found.lastindex if found.lastindex and len(found[found.lastindex]) >= 16 else 0
    value = found[group].lstrip(" \t\"'=:").removeprefix("AccountKey=")
    start = offset + found.end(group) - len(value)
    end = start + len(re.split(r"[\s\"'<>]", value, maxsplit=1)[0])
    inside = text[start - 1 : start].isalnum() or text[end : end + 1].isalnum()
    return (start, start) if inside else (start, end)


@lru_cache(maxsize=1)
def _rules() -> list[tuple[re.Pattern[str], list[re.Pattern[str]]]]:
    """(what a candidate must hold, the rules to ask then) of each detector; loaded once."""
    rules = []
    for name, head in _DETECTORS.items():
        module, _, detector = name.partition(".")
        found = getattr(import_module(f"detect_secrets.plugins.{module}"), detector)
        rules.append((re.compile(head), list(found.denylist)))
    return rules


def _is_jwt(token: str) -> bool:
    """Whether its header and claims are JSON (RFC 7519), as detect-secrets tells."""
    from detect_secrets.plugins.jwt import JwtTokenDetector

    return bool(JwtTokenDetector.is_formally_valid(".".join(token.split(".")[:2])))


# -- credentials in addresses and headers ----------------------------------------------------------------
_USER_INFO = re.compile(rf"://([^\s/@:\"'<>{MARK}]{{0,64}}):([^\s/@\"'<>{MARK}]{{1,256}})@(?=[\w\[{{$%-])")
_BEARER = re.compile(r"earer[ \t]+([0-9A-Za-z._~+/-]{16,}+=*)")
_BASIC = re.compile(r"asic[ \t]+([0-9A-Za-z+/]{8,}+={0,2})")


def _in_urls(text: str) -> Iterator[Span]:
    """The password of scheme://user:password@host, unless it is the user's name again."""
    for at in places(text, "://"):
        found = _USER_INFO.match(text, at)
        if found and found[1] != found[2] and not is_stand_in(found[2]):
            yield found.span(2)


def _in_headers(text: str) -> Iterator[Span]:
    """Bearer tokens, and user:password in Base64 (RFC 6750, RFC 7617)."""
    for at in places(text, "earer"):
        found = _BEARER.match(text, at)
        if found and re.search("[0-9]", found[1]) and not is_stand_in(found[1]):
            yield found.span(1)
    for at in places(text, "asic"):
        found = _BASIC.match(text, at)
        if found and _is_pair(found[1]):
            yield found.span(1)


def _is_pair(token: str) -> bool:
    try:
        pair = base64.b64decode(token, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return False
    return ":" in pair and pair.isprintable()


def secrets(text: str) -> Iterator[Find]:
    """Tokens, and values that are called a password or a key, or used as one: no two overlap."""
    done = 0
    spans = {*_tokens(text), *_in_urls(text), *_in_headers(text), *passwords.called(text)}
    for start, end in sorted(spans, key=lambda span: (span[0], -span[1])):
        if done <= start < end:
            yield start, end, "SECRET"
            done = end
