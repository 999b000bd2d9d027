"""Texts with private things that nobody owns: made by faker with valid checksums, placed in prose, tables, code, mails.

Each value is new and drawn from a seed. Among them stand things that only look private: dates, hashes,
versions.
"""

from __future__ import annotations

import base64
import json
import random
import re
import string
import uuid
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

LOCALES = {
    "en_US": "US", "en_GB": "GB", "de_DE": "DE", "fr_FR": "FR", "es_ES": "ES", "it_IT": "IT", "nl_NL": "NL",
    "pl_PL": "PL", "pt_BR": "BR", "en_IN": "IN",
}  # fmt: skip
KINDS = ("EMAIL", "PHONE", "IBAN", "CARD", "ID", "IP", "SECRET")

# What each country calls a phone, and the id that is drawn for it.
PHONE_NAMES = {
    "US": "Phone", "GB": "Mobile", "DE": "Telefon", "FR": "Tél.", "ES": "Teléfono", "IT": "Telefono",
    "NL": "Telefoon",
    "PL": "Telefon", "BR": "Telefone", "IN": "Mobile no",
}  # fmt: skip
ID_NAMES = {
    "US": "SSN", "GB": "NI number", "DE": "Steuer-ID", "FR": "Sécurité sociale", "ES": "DNI",
    "IT": "Codice fiscale",
    "NL": "BSN", "PL": "PESEL", "BR": "CPF", "IN": "Aadhaar",
}  # fmt: skip


@dataclass
class Planted:
    """A text and the (start, end, type) of what was put in it."""

    text: str = ""
    things: list[tuple[int, int, str]] = field(default_factory=list)

    def add(self, template: str, **values: str) -> None:
        """Append a template; a value {phone} of kind PHONE is noted where it stands."""
        for part in re.split(r"(\{[a-z]+\})", template):
            name = part[1:-1]
            value = values[name] if part.startswith("{") and name in values else part
            if value is not part and name.upper() in KINDS:
                self.things.append((len(self.text), len(self.text) + len(value), name.upper()))
            self.text += value


@lru_cache
def faker(locale: str, seed: int) -> Any:
    from faker import Faker

    made = Faker(locale)
    made.seed_instance(seed)
    return made


class Draw:
    """Values of one locale."""

    def __init__(self, locale: str, seed: int) -> None:
        self.country, self.fake, self.pick = (
            LOCALES[locale],
            faker(locale, seed),
            random.Random(f"{locale}{seed}"),
        )

    def email(self) -> str:
        name = re.sub("[^a-z]", "", self.fake.ascii_free_email().partition("@")[0]) or "ann"
        host = self.pick.choice(
            ["gmail.com", "web.de", "orange.fr", "mail.firma.co.uk", "büro-nord.de", "uni.edu", "wp.pl"]
        )
        joined = self.pick.choice(["{}.{}", "{}_{}", "{}-{}", "{}+{}", "{}{}"]).format(
            name, self.pick.randrange(100)
        )
        address = f"{joined}@{host}"
        return self.pick.choice([address, address, address.title(), address.upper()])

    def phone(self, labelled: bool) -> str:
        """A valid number as faker writes it, or in one of the standard forms; bare digits only beside a label."""
        import phonenumbers
        from phonenumbers import PhoneNumberFormat as Format

        while True:
            written = self.fake.phone_number()
            try:
                number = phonenumbers.parse(written, self.country)
            except phonenumbers.NumberParseException:
                continue
            if not phonenumbers.is_valid_number(number):
                continue
            forms = [phonenumbers.format_number(number, form) for form in (Format.E164, Format.INTERNATIONAL)]
            if labelled:
                forms += [written, phonenumbers.format_number(number, Format.NATIONAL)]
            elif written.startswith("+") or re.match(
                r"\(?0\d+\)?[ /-]|\(\d|\d{3}[-.]\d{3}[-.]\d{4}", written
            ):
                forms += [written, written]
            return self.pick.choice(forms)

    def iban(self) -> str:
        compact = (self.fake if self.country != "IN" else faker("de_DE", 0)).iban()  # India has none
        return self.pick.choice([compact, " ".join(re.findall(".{1,4}", compact))])

    def card(self) -> str:
        kind = self.pick.choice(["visa16", "mastercard", "amex", "discover", "jcb16", "diners"])
        digits = self.fake.credit_card_number(card_type=kind)
        while kind == "jcb16" and not "3528" <= digits[:4] <= "3589":  # faker draws from 3500 on
            digits = self.fake.credit_card_number(card_type=kind)
        groups = [4, 6, 5] if kind == "amex" else [4, 6, 4] if kind == "diners" else [4, 4, 4, 4]
        sign, parts, at = self.pick.choice([" ", "-", ""]), [], 0
        for size in groups:
            parts.append(digits[at : at + size])
            at += size
        return sign.join(parts)

    def id(self) -> str:
        return IDS[self.country](self)

    def ip(self) -> str:
        if self.pick.random() < 0.7:
            return self.fake.ipv4_public()
        start = self.pick.choice(["2a01", "2600", "2405", "2804"])
        groups = [start, *(f"{self.pick.getrandbits(16):x}" for _ in range(3))]
        return ":".join(groups) + self.pick.choice(["::1", f":{self.pick.getrandbits(16):x}::2", ":0:0:1:2"])

    def text(self, signs: str, size: int) -> str:
        return "".join(self.pick.choices(signs, k=size))

    def password(self) -> str:
        return (
            self.fake.password(length=self.pick.choice([8, 10, 12, 16])).replace("{", "(").replace("}", ")")
        )


def _nino(draw: Draw) -> str:
    compact = (
        draw.pick.choice(["AB", "CE", "JN", "PR", "SX"])
        + draw.text(string.digits, 6)
        + draw.pick.choice("ABCD")
    )
    return draw.pick.choice([compact, " ".join(re.findall("..?", compact))])


def _idnr(draw: Draw) -> str:
    from stdnum.de import idnr
    from stdnum.iso7064 import mod_11_10

    digits = draw.pick.sample("0123456789", 10)
    digits[draw.pick.randrange(9) + 1] = digits[0] = draw.pick.choice([d for d in digits if d != "0"])
    if not idnr.is_valid(made := (first := "".join(digits)) + mod_11_10.calc_check_digit(first)):
        return _idnr(draw)
    return draw.pick.choice([made, idnr.format(made)])


def _bsn(draw: Draw) -> str:
    return draw.fake.ssn()


def _nir(draw: Draw) -> str:
    compact = draw.fake.ssn()
    spaced = " ".join(re.fullmatch(r"(.)(..)(..)(..)(...)(...)(..)", compact).groups())
    return draw.pick.choice([compact, spaced])


def _cpf(draw: Draw) -> str:
    return draw.pick.choice([draw.fake.cpf(), draw.fake.ssn()])


def _aadhaar(draw: Draw) -> str:
    from stdnum import verhoeff

    first = draw.pick.choice("23456789") + draw.text(string.digits, 10)
    compact = first + verhoeff.calc_check_digit(first)
    return draw.pick.choice([compact, " ".join(re.findall("....", compact))])


IDS: dict[str, Callable[[Draw], str]] = {
    "US": lambda draw: draw.fake.ssn(),
    "GB": _nino,
    "DE": _idnr,
    "FR": _nir,
    "ES": lambda draw: draw.pick.choice([draw.fake.nif(), draw.fake.nie()]),
    "IT": lambda draw: draw.fake.ssn(),
    "NL": _bsn,
    "PL": lambda draw: draw.fake.pesel(),
    "BR": _cpf,
    "IN": _aadhaar,
}
BASE62 = string.ascii_letters + string.digits
HEX = "0123456789abcdef"


# -- secrets: (text before, secret, text after) --------------------------------------------------------------------
def secret(draw: Draw) -> tuple[str, str, str]:
    """A secret in its place in code, settings or a header."""
    return draw.pick.choice(SECRETS)(draw)


def _token(draw: Draw) -> tuple[str, str, str]:
    token = draw.pick.choice(
        [
            "AKIA" + draw.text(string.ascii_uppercase + "234567", 16), "ghp_" + draw.text(BASE62, 36),
            "github_pat_" + draw.text(BASE62, 22) + "_" + draw.text(BASE62, 59),
            "glpat-" + draw.text(BASE62, 20),
            f"xoxb-{draw.text(string.digits, 12)}-{draw.text(string.digits, 12)}-{draw.text(BASE62, 24)}",
            "sk_live_" + draw.text(BASE62, 24), "AIza" + draw.text(BASE62 + "_-", 34) + "x",
            "npm_" + draw.text(BASE62, 36),
            "hf_" + draw.text(BASE62, 34), "sk-ant-api03-" + draw.text(BASE62 + "_-", 92) + "AA",
            "sk-proj-" + draw.text(BASE62, 48), f"SG.{draw.text(BASE62, 22)}.{draw.text(BASE62, 43)}",
            "dop_v1_" + draw.text(HEX, 64), "shpat_" + draw.text(HEX, 32),
            "pypi-AgEIcHlwaS5vcmc" + draw.text(BASE62, 80),
            draw.text(string.digits, 9) + ":AA" + draw.text(BASE62, 33), draw.text(HEX, 32) + "-us14",
        ]
    )  # fmt: skip
    return draw.pick.choice(
        [("Use ", token, " for it."), ('token = "', token, '"'), ("", token, "\n"), ("curl -H ", token, "")]
    )


def _assigned(draw: Draw) -> tuple[str, str, str]:
    return draw.pick.choice(
        [
            ('password = "', draw.password(), '"'),
            ("'password': '", draw.password().replace("'", "x"), "',"),
            ("DB_PASSWORD=", draw.password(), "\n"), ("  password: ", draw.password(), "\n"),
            ("<password>", draw.password().replace("&", "x"), "</password>"),
            ('"api_key": "', draw.text(HEX, 32), '",'),
            ("API_TOKEN=", draw.text(BASE62, 40), "\n"),
            ("aws_secret_access_key = ", draw.text(BASE62 + "/+", 40), "\n"),
            ("client_secret: ", draw.text(BASE62, 32), "\n"),
            ("The password is ", draw.password(), " as before"),
            ("const SECRET_KEY = '", draw.text(BASE62, 50), "';"),
            ("AccountKey=", draw.text(BASE62, 86) + "==", ";"),
            ("Server=db;Uid=app;Pwd=", draw.password().replace(";", "x"), ";"),
            ("--api-key=", draw.text(BASE62, 24), " "),
        ]
    )  # fmt: skip


def _in_place(draw: Draw) -> tuple[str, str, str]:
    part = lambda value: base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")  # noqa: E731
    jwt = f"{part({'alg': 'HS256'})}.{part({'sub': draw.text(BASE62, 8)})}.{draw.text(BASE62, 43)}"
    pair = base64.b64encode(f"ann:{draw.text(BASE62, 12)}".encode()).decode()
    return draw.pick.choice(
        [
            ("postgres://app:", draw.text(BASE62 + "!$", 12), "@db.intern:5432/app"),
            ("Authorization: Bearer ", jwt, "\n"),
            ("https://ann:", draw.text(BASE62, 10), "@git.firma.de/x.git"), ("cookie: jwt=", jwt, "; path=/"),
            ("Authorization: Bearer ", draw.text(BASE62, 40), "\n"), ("Authorization: Basic ", pair, "\n"),
            ("mongodb+srv://app:", draw.text(BASE62, 16), "@cluster0.abc.mongodb.net"),
        ]
    )  # fmt: skip


def _block(draw: Draw) -> tuple[str, str, str]:
    name = draw.pick.choice(["RSA PRIVATE KEY", "PRIVATE KEY", "OPENSSH PRIVATE KEY", "EC PRIVATE KEY"])
    lines = [
        f"-----BEGIN {name}-----",
        *(draw.text(BASE62 + "+/", 64) for _ in range(5)),
        f"-----END {name}-----",
    ]
    return (
        ("\n", "\n".join(lines), "\n") if draw.pick.random() < 0.7 else ('key = "', "\\n".join(lines), '"\n')
    )


SECRETS = [_token, _token, _assigned, _assigned, _assigned, _in_place, _in_place, _block]


# -- what only looks private ---------------------------------------------------------------------------------------
def _isbn(draw: Draw) -> str:
    from stdnum import ean, isbn

    first = "978" + draw.pick.choice("013") + draw.text(string.digits, 8)
    made = first + ean.calc_check_digit(first)
    return draw.pick.choice([made, isbn.format(made), isbn.to_isbn10(made)])


LOOKALIKES: list[Callable[[Draw], str]] = [
    lambda draw: draw.fake.date(), lambda draw: draw.fake.date("%d.%m.%Y") + " " + draw.fake.time(),
    lambda draw: draw.fake.iso8601(), lambda draw: f"ISBN {_isbn(draw)}", lambda draw: _isbn(draw),
    lambda draw: f"ISSN {draw.text(string.digits, 4)}-{draw.text(string.digits, 4)}",
    lambda draw: f"doi:{draw.fake.doi()}",
    lambda draw: str(uuid.UUID(int=draw.pick.getrandbits(128))), lambda draw: "commit " + draw.text(HEX, 40),
    lambda draw: draw.text(HEX, 64) + "  file.tar.gz",
    lambda draw: f"v{draw.pick.randrange(9)}.{draw.pick.randrange(30)}.1.4",
    lambda draw: f"{draw.pick.random():.15f} {draw.pick.uniform(-1e6, 1e6):.6f}",
    lambda draw: f"#{draw.pick.randrange(10**7)}",
    lambda draw: "\t".join(f"{draw.pick.randrange(10**4):5}" for _ in range(8)),
    lambda draw: draw.text(string.digits, 10),
    lambda draw: " ".join(draw.text(HEX, 2) for _ in range(16)),
    lambda draw: f"data:image/png;base64,{draw.text(BASE62, 80)}",
    lambda draw: "mail user@example.com or root@localhost",
    lambda draw: f"ping 192.168.0.{draw.pick.randrange(256)}",
    lambda draw: f"curl http://203.0.113.{draw.pick.randrange(256)}:8080/",
    lambda draw: "npm i @types/node@18.2.0 icon@2x.png",
    lambda draw: f"{draw.pick.randrange(1000)} 000 000 / {draw.pick.randrange(10**9):,}",
    lambda draw: "C = A @ B.T  # @property",
    lambda draw: f"order {draw.text(string.digits, 12)}",
    lambda draw: f"{draw.pick.uniform(-90, 90):.6f}, 13.404954",
    lambda draw: 'password = "changeme"', lambda draw: "token = get_token(user_id=42)",
    lambda draw: "API_KEY=${API_KEY}",
    lambda draw: "git clone git@github.com:python/cpython.git",
    lambda draw: f"epoch {draw.pick.randrange(10**9, 2 * 10**9)}",
]  # fmt: skip


# -- texts -----------------------------------------------------------------------------------------------------------
def prose(draw: Draw, sentences: list[str]) -> Planted:
    """A paragraph of real sentences with one private thing of each kind."""
    made, country = Planted(), draw.country
    before, value, after = secret(draw)
    lines = [
        ("Write to {email}, please.", "You find us at <{email}>.", "[mail](mailto:{email})"),
        (
            f"{PHONE_NAMES[country]}: {{phone}}.",
            f"({PHONE_NAMES[country]} {{phone}})",
            "Ask for Ann at {loose}, or leave word.",
        ),
        ("Please pay to {iban} by Friday.", "IBAN {iban}, thank you."),
        ("The card {card} was declined.", "It was paid with {card}."),
        (f"{ID_NAMES[country]} {{id}}", f"her {ID_NAMES[country]}: {{id}},"),
        ("It was seen from {ip} twice.", "The server {ip} did not answer."),
        (f"{before}{{secret}}{after}",),
        ("{noise}",),
        ("{noise}",),
    ]
    draw.pick.shuffle(lines)
    for line in lines:
        made.add(draw.pick.choice(sentences) + " ")
        plant(made, draw, draw.pick.choice(line), value)
        made.add("\n" if draw.pick.random() < 0.3 else " ")
    return made


def plant(made: Planted, draw: Draw, template: str, value: str) -> None:
    """Append a template with new values."""
    loose = "{loose}" in template
    made.add(
        template.replace("{loose}", "{phone}"), secret=value, email=draw.email(), phone=draw.phone(not loose),
        ip=draw.ip(),
        iban=draw.iban(), card=draw.card(), id=draw.id(), noise=draw.pick.choice(LOOKALIKES)(draw),
        name=draw.fake.name(),
    )  # fmt: skip


def table(draw: Draw, sentences: list[str]) -> Planted:
    """People in rows, with tabs, commas, semicolons or bars between the columns."""
    made, sign = Planted(), draw.pick.choice(["\t", ";", ",", " | "])
    made.add(
        sign.join(
            ["Name", "E-Mail", PHONE_NAMES[draw.country], "IBAN", "Card", ID_NAMES[draw.country], "Date"]
        )
        + "\n"
    )
    for _ in range(4):
        plant(
            made,
            draw,
            sign.join(["Ann", "{email}", "{phone}", "{iban}", "{card}", "{id}", draw.fake.date()]) + "\n",
            "",
        )
    return made


def code(draw: Draw, sentences: list[str]) -> Planted:
    """Test data, settings and comments in code."""
    made = Planted()
    before, value, after = secret(draw)
    made.add(
        "import os\n\n@app.route('/users')\ndef users():\n    # {noise}\n",
        noise=draw.pick.choice(LOOKALIKES)(draw),
    )
    plant(made, draw, '    user = {"email": "{email}", "phone": "{phone}", "iban": "{iban}",\n', "")
    key = ID_NAMES[draw.country].lower().replace(" ", "_")
    plant(made, draw, f'            "card": "{{card}}", "{key}": "{{id}}", "ip": "{{ip}}"}}\n', "")
    plant(
        made,
        draw,
        f"    hosts = ['{{ip}}', 'localhost']\n{before}{{secret}}{after}\n    return A @ B\n",
        value,
    )
    return made


def mail(draw: Draw, sentences: list[str]) -> Planted:
    """A mail with headers, text and signature."""
    made = Planted()
    headers = 'Received: from mx (mx.firma.de [{ip}]) by mail\nFrom: {name} <{email}>\nTo: {email}, "Bob" <{email}>\n'
    plant(made, draw, headers + f"Date: {draw.fake.date()}\nSubject: {{noise}}\n\n", "")
    made.add(" ".join(draw.pick.choices(sentences, k=4)) + "\n")
    before, value, after = secret(draw)
    plant(
        made,
        draw,
        f"{before}{{secret}}{after}\n-- \n{{name}}\n{PHONE_NAMES[draw.country]} {{phone}}\n{{email}}\nIBAN: {{iban}}\n",
        value,
    )
    return made


FORMS = {"prose": prose, "table": table, "code": code, "mail": mail}


def texts(each: int, sentences: list[str], seed: int = 0) -> list[tuple[str, str, Planted]]:
    """(form, country, text) of `each` texts for every form and locale."""
    warnings.simplefilter("ignore")
    draws = [Draw(locale, seed) for locale in LOCALES]
    return [
        (name, draw.country, form(draw, sentences))
        for _ in range(each)
        for draw in draws
        for name, form in FORMS.items()
    ]
