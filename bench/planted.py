"""Texts with private things that nobody owns, made by faker with valid checksums: prose, tables, code, mails.

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


def _faker(locale: str, seed: int) -> Any:
    from faker import Faker

    made = Faker(locale)
    made.seed_instance(seed)
    return made


class Draw:
    """Values of one locale."""

    def __init__(self, locale: str, seed: int) -> None:
        self.country, self.pick = LOCALES[locale], random.Random(f"{locale}{seed}")
        self.fake = _faker(locale, seed)
        self.bank = self.fake if self.country != "IN" else _faker("de_DE", seed)  # India has no IBAN

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
        """A valid number as faker writes it, or in a standard form; bare digits only beside a label."""
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
            elif re.match(r"\+|\(?0\d+\)?[ /-]|\(\d|\d{3}[-.]\d{3}[-.]\d{4}", written):
                forms += [written, written]
            return self.pick.choice(forms)

    def iban(self) -> str:
        compact = self.bank.iban()
        return self.pick.choice([compact, " ".join(re.findall(".{1,4}", compact))])

    def card(self) -> str:
        kind = self.pick.choice(["visa16", "mastercard", "amex", "discover", "jcb16", "diners"])
        digits = self.fake.credit_card_number(card_type=kind)
        while kind == "jcb16" and not "3528" <= digits[:4] <= "3589":  # faker draws from 3500 on
            digits = self.fake.credit_card_number(card_type=kind)
        groups = [4, 6, 5] if kind == "amex" else [4, 6, 4] if kind == "diners" else [4, 4, 4, 4]
        ends = [sum(groups[:n]) for n in range(len(groups) + 1)]
        parts = [digits[start:end] for start, end in zip(ends, ends[1:], strict=False)]
        return self.pick.choice([" ", "-", ""]).join(parts)

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


# -- secrets: (text before, secret, text after) ----------------------------------------------------------
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
    head, claims = (
        base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
        for part in ({"alg": "HS256"}, {"sub": draw.text(BASE62, 8)})
    )
    jwt = f"{head}.{claims}.{draw.text(BASE62, 43)}"
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
    body = [draw.text(BASE62 + "+/", 64) for _ in range(5)]
    lines = [f"-----BEGIN {name}-----", *body, f"-----END {name}-----"]
    return draw.pick.choice([("\n", "\n".join(lines), "\n"), ('key = "', "\\n".join(lines), '"\n')])


SECRETS = [_token, _token, _assigned, _assigned, _assigned, _in_place, _in_place, _block]


# -- what only looks private -----------------------------------------------------------------------------
def _isbn(draw: Draw) -> str:
    from stdnum import ean, isbn

    first = "978" + draw.pick.choice("013") + draw.text(string.digits, 8)
    made = first + ean.calc_check_digit(first)
    return draw.pick.choice([made, isbn.format(made), isbn.to_isbn10(made)])


LOOKALIKES: list[Callable[[Draw], str]] = [
    lambda d: d.fake.date(), lambda d: d.fake.date("%d.%m.%Y") + " " + d.fake.time(),
    lambda d: d.fake.iso8601(), lambda d: f"ISBN {_isbn(d)}", lambda d: _isbn(d),
    lambda d: f"ISSN {d.text(string.digits, 4)}-{d.text(string.digits, 4)}", lambda d: f"doi:{d.fake.doi()}",
    lambda d: str(uuid.UUID(int=d.pick.getrandbits(128))), lambda d: "commit " + d.text(HEX, 40),
    lambda d: d.text(HEX, 64) + "  file.tar.gz",
    lambda d: f"v{d.pick.randrange(9)}.{d.pick.randrange(30)}.1.4",
    lambda d: f"{d.pick.random():.15f} {d.pick.uniform(-1e6, 1e6):.6f}",
    lambda d: f"#{d.pick.randrange(10**7)}",
    lambda d: "\t".join(f"{d.pick.randrange(10**4):5}" for _ in range(8)),
    lambda d: d.text(string.digits, 10), lambda d: " ".join(d.text(HEX, 2) for _ in range(16)),
    lambda d: f"data:image/png;base64,{d.text(BASE62, 80)}",
    lambda d: "mail user@example.com or root@localhost", lambda d: f"ping 192.168.0.{d.pick.randrange(256)}",
    lambda d: f"curl http://203.0.113.{d.pick.randrange(256)}:8080/",
    lambda d: "npm i @types/node@18.2.0 icon@2x.png",
    lambda d: f"{d.pick.randrange(1000)} 000 000 / {d.pick.randrange(10**9):,}",
    lambda d: "C = A @ B.T  # @property", lambda d: f"order {d.text(string.digits, 12)}",
    lambda d: f"{d.pick.uniform(-90, 90):.6f}, 13.404954", lambda d: 'password = "changeme"',
    lambda d: "token = get_token(user_id=42)", lambda d: "API_KEY=${API_KEY}",
    lambda d: "git clone git@github.com:python/cpython.git",
    lambda d: f"epoch {d.pick.randrange(10**9, 2 * 10**9)}",
]  # fmt: skip


# -- texts -----------------------------------------------------------------------------------------------
def prose(draw: Draw, sentences: list[str]) -> Planted:
    """A paragraph of real sentences with one private thing of each kind."""
    made, country = Planted(), draw.country
    before, value, after = secret(draw)
    phone, name = PHONE_NAMES[country], ID_NAMES[country]
    lines = [
        ("Write to {email}, please.", "You find us at <{email}>.", "[mail](mailto:{email})"),
        (f"{phone}: {{phone}}.", f"({phone} {{phone}})", "Ask for Ann at {loose}, or leave word."),
        ("Please pay to {iban} by Friday.", "IBAN {iban}, thank you."),
        ("The card {card} was declined.", "It was paid with {card}."),
        (f"{name} {{id}}", f"her {name}: {{id}},"),
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


def plant(made: Planted, draw: Draw, template: str, value: str = "") -> None:
    """Append a template with new values, `value` for its secret; {loose} is a phone with no word for it."""
    values = {kind: getattr(draw, kind)() for kind in ("email", "iban", "card", "id", "ip")}
    values |= {"phone": draw.phone("{loose}" not in template), "name": draw.fake.name(), "secret": value}
    made.add(template.replace("{loose}", "{phone}"), noise=draw.pick.choice(LOOKALIKES)(draw), **values)


def table(draw: Draw, sentences: list[str]) -> Planted:
    """People in rows, with tabs, commas, semicolons or bars between the columns."""
    made, sign = Planted(), draw.pick.choice(["\t", ";", ",", " | "])
    heads = ["Name", "E-Mail", "Age", PHONE_NAMES[draw.country], "IBAN", "Card", ID_NAMES[draw.country], "Date"]
    made.add(sign.join(heads) + "\n")
    for _ in range(4):
        cells = ["Ann", "{email}", "41", "{phone}", "{iban}", "{card}", "{id}", draw.fake.date()]
        plant(made, draw, sign.join(cells) + "\n")
    return made


def code(draw: Draw, sentences: list[str]) -> Planted:
    """Test data, settings and comments in code."""
    made = Planted()
    before, value, after = secret(draw)
    plant(made, draw, "import os\n\n@app.route('/users')\ndef users():\n    # {noise}\n")
    plant(made, draw, '    user = {"email": "{email}", "phone": "{phone}", "iban": "{iban}",\n')
    key = ID_NAMES[draw.country].lower().replace(" ", "_")
    plant(made, draw, f'            "card": "{{card}}", "{key}": "{{id}}", "ip": "{{ip}}"}}\n')
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
    plant(made, draw, "Received: from mx (mx.firma.de [{ip}]) by mail\nFrom: {name} <{email}>\n")
    plant(made, draw, f'To: {{email}}, "Bob" <{{email}}>\nDate: {draw.fake.date()}\nSubject: {{noise}}\n\n')
    made.add(" ".join(draw.pick.choices(sentences, k=4)) + "\n")
    before, value, after = secret(draw)
    plant(made, draw, f"{before}{{secret}}{after}\n-- \n{{name}}\n", value)
    plant(made, draw, f"{PHONE_NAMES[draw.country]} {{phone}}\n{{email}}\nIBAN: {{iban}}\n")
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
