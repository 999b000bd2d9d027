"""Private things: e-mail and IP addresses, and what is found is masked without losing a line or a name."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netsuke import check, curate, private
from netsuke.curate import COUNTRIES

BASE62 = "q8Zr4Tn1Xw7Lk2Vb9Hd5Yc3Mf6Jg0PsW"
HEX = "9f8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c"
PEM = f"-----BEGIN RSA PRIVATE KEY-----\n{BASE62 * 2}\n{BASE62[::-1] * 2}\n-----END RSA PRIVATE KEY-----"


def found(text: str) -> list[tuple[str, str]]:
    return [(kind, text[start:end]) for start, end, kind in private.find(text, COUNTRIES)]


def masked(text: str) -> str:
    return private.Placeholders(COUNTRIES).mask(text, private.find(text, COUNTRIES), "me")


# -- e-mail ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "mask"),
    [
        ("Ann <ann@nord.org>, Bob", "Ann <[EMAIL_1]>, Bob"),
        ("mailto:ann.b+news@mail.nord.co.uk?subject=x", "mailto:[EMAIL_1]?subject=x"),
        ("Write to o'brien@nord.ie.", "Write to [EMAIL_1]."),
        ("'ann@nord.org', \"bob@nord.org\"", "'[EMAIL_1]', \"[EMAIL_2]\""),
        ("_ann@nord.org_ and **bob@nord.org**", "_[EMAIL_1]_ and **[EMAIL_2]**"),
        ("ANN@Nord.ORG is ann@nord.org", "[EMAIL_1] is [EMAIL_1]"),
        ("ann@bücher.de, ann@xn--bcher-kva.de", "[EMAIL_1], [EMAIL_1]"),
        ("josé.garcía@correo.es", "[EMAIL_1]"),
        ("邮箱ann@nord.org请联系", "邮箱[EMAIL_1]请联系"),
        ("写信给 用户@例子.广告。", "写信给 [EMAIL_1]。"),
        ("ａｎｎ＠ｎｏｒｄ．ｏｒｇ and ann@nord.org", "[EMAIL_1] and [EMAIL_1]"),
        ("כתבו אל ann@nord.org היום", "כתבו אל [EMAIL_1] היום"),
        ("🙂ann@nord.org🙂", "🙂[EMAIL_1]🙂"),
        ("https://x.nord.org/?to=ann%40nord.org&x", "https://x.nord.org/?to=[EMAIL_1]&x"),
        ("sip:ann@nord.org;tag=1", "sip:[EMAIL_1];tag=1"),
        ("see...ann@nord.org", "see...[EMAIL_1]"),
        ("mailto:ann@nord.org[Ann]", "mailto:[EMAIL_1][Ann]"),
        ("ann.chan@umac.mo, bob@dsec.gov.mo", "[EMAIL_1], [EMAIL_2]"),
    ],
)
def test_e_mail_addresses_are_masked_and_the_signs_around_them_kept(text: str, mask: str) -> None:
    assert masked(text) == mask


@pytest.mark.parametrize(
    "text",
    [
        "user@example.com, a@mail.example.org, b@example.net, c@x.test, d@y.invalid, root@localhost",
        "e@nas.local",
        "y = h@self.weights + b@cls.bias", "a = (Q@K.transpose(-2, -1))@V.rows[0]",
        "ssh ann@server and scp x ann@host:/tmp",
        "git clone git@github.com:python/cpython.git",
        "@property\ndef f(self): return A @ B.T\n@app.route('/x')",
        "npm i @types/node react@18.2.0 left-pad@1.3.0-beta.1",
        "icon@2x.png logo@3x.webp",
        "po/sr@latin.mo ca@valencia.mo en@boldquot.mo sr@latin.po",
        "systemctl status getty@tty1.service user@1000.slice",
        "printf@GLIBC_2.2.5 memcpy@@GLIBC_2.14",
        "git+https://ann@github.com/x/y",
        "a@b, x@y.z, @ann, ann@, @.org, ann@.org, ann@-.org, ann@nord.1, @@@",
        f"{'a' * 65}@nord.org",
    ],
)
def test_what_only_looks_like_an_address_is_left(text: str) -> None:
    assert found(text) == []


# -- IP addresses --------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "text",
    [
        "from {93.184.216.34} at", "[{24.201.139.93}]", "http://{93.184.216.34}:8080/x", "{93.184.216.34}/24",
        "::ffff:{93.184.216.34}",
        "host {12.34.56.78}", "ssh ann@{12.34.56.78}", "{2a01:4f8:c0c:1234::1}",
        "[{2a01:4f8:c0c:1234::1}]:443", "{2a01:4f8::1}/64",
        "{2600:1f18:22ba:8c00:ba86:a05e:a5ba:00ff},",
    ],
)  # fmt: skip
def test_public_addresses_are_found(text: str) -> None:
    address = text[text.index("{") + 1 : text.index("}")]
    assert found(text.replace("{", "").replace("}", "")) == [("IP", address)]


@pytest.mark.parametrize(
    "text",
    [
        "127.0.0.1 10.1.2.3 172.16.0.1 192.168.1.1 169.254.1.1 100.64.0.1 0.0.0.0 255.255.255.255",
        "224.0.0.251",
        "192.0.2.1 198.51.100.7 203.0.113.9 2001:db8::1 3fff::1 fe80::1 ::1 fc00::1 ff02::1",
        "host 8.8.8.8, server 1.1.1.1, ip 1.2.3.4",
        "version 114.0.105.199, v10.200.1.4, foo-101.2.3.4, ==101.2.3.4, 101.2.3.4-1ubuntu2",
        "Chrome/101.2.3.4",
        "upgrade V8 to 9.5.172.21, section 2.5.5.2, 1.3.6.1.4.1.311.21.8, OID 101.3.4.2",
        "256.1.1.1 1.2.3 01.02.03.04 192.168.001.001 12:34:56:78 std::string a::b",
        "2023:10:15 aa:bb:cc:dd:ee:ff 2000::",
    ],
)
def test_other_addresses_and_versions_are_left(text: str) -> None:
    assert found(text) == []


def test_spellings_of_an_address_are_one() -> None:
    assert masked("2a01:4f8:0:0:0:0:0:1 2A01:04F8::1") == "[IP_1] [IP_1]"


# -- masks ---------------------------------------------------------------------------------------------------
def test_placeholders_are_numbered_by_first_use_within_an_owner() -> None:
    names = private.Placeholders(COUNTRIES)

    def mask(text: str, owner: str) -> str:
        return names.mask(text, private.find(text, COUNTRIES), owner)

    assert mask("b@nord.org a@nord.org B@NORD.ORG", "ann") == "[EMAIL_1] [EMAIL_2] [EMAIL_1]"
    assert mask("a@nord.org c@nord.org +49 30 1234567", "ann") == "[EMAIL_2] [EMAIL_3] [PHONE_1]"
    assert mask("a@nord.org", "bob") == "[EMAIL_1]"


def test_same_says_what_spellings_share() -> None:
    assert private.same("EMAIL", "Ann@Bücher.DE") == private.same("EMAIL", "ann%40xn--bcher-kva.de")
    assert (
        private.same("PHONE", "(212) 736-5000 x12", ("US",))
        == "+12127365000"
        == private.same("PHONE", "+1 212-736-5000")
    )
    assert private.same("PHONE", "030 1234567") == "0301234567"
    assert private.same("IBAN", "de89 3704") == private.same("IBAN", "DE89-3704") == "DE893704"
    assert private.same("IP", "2A01:04F8::1") == "2a01:4f8::1" and private.same("IP", "what") == "what"
    assert private.same("SECRET", "a\nb\\nc") == "abc"
    assert private.same("EMAIL", "a@\ud800.de") == "a@\ud800.de"


def test_a_placeholder_in_the_text_is_no_find() -> None:
    text = 'password = "[SECRET_1]" tel [PHONE_12] [EMAIL_1]@nord.org x[ID_1]'
    assert found(text) == []


PIECES = [
    "ann@nord.org", "+49 30 1234567", "030 1234567", "(212) 736-5000 x123", "DE89 3704 0044 0532 0130 00",
    "4242 4242 4242 4242",
    "536-90-4399", "AB 12 34 56 C", "390.533.447-05", "44051401359", "93.184.216.34", "2a01:4f8::1",
    f"ghp_{BASE62}abcd", PEM,
    'password = "hunter2"', "postgres://ann:Xk9mP2@nord.org/x", "2024-05-17", HEX, "3.14159265", "Tel: ",
    "PESEL ", "password: ",
    "[EMAIL_1]", "[PHONE_2]", "isbn ", "v", "key=", "\n", "\n\n", "\t", " ", ", ", "|", ";", "@", "://",
    "%40", "-", ".", "/", ":", "_",
    "(", ")", "[", "]", '"', "'", "=", "+", "0", "1", "a", "A", "é", "漢", "🙂", "\ud800", "\x01", "\u202e",
    "１", "٣", "\u00a0", "İ",
]  # fmt: skip
TEXTS = st.lists(st.sampled_from(PIECES), max_size=12).map("".join) | st.text(
    st.characters(codec=None), max_size=60
)


@settings(max_examples=400, deadline=None)
@given(TEXTS)
def test_any_text_is_searched_and_masked(text: str) -> None:
    finds = private.find(text, COUNTRIES)
    assert finds == sorted(finds) and all(0 <= start < end <= len(text) for start, end, _ in finds)
    assert all(one[1] <= other[0] for one, other in zip(finds, finds[1:], strict=False))
    assert {kind for _, _, kind in finds} <= set(private.KINDS)
    mask = private.Placeholders(COUNTRIES).mask(text, finds, "me")
    assert mask.count("\n") == text.count("\n")
    assert private.find(mask, COUNTRIES) == []


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=6).map("".join))
def test_a_value_has_one_placeholder_wherever_it_is_found(text: str) -> None:
    names, values = private.Placeholders(COUNTRIES), {}
    for start, end, kind in private.find(text * 2, COUNTRIES):
        value = (text * 2)[start:end]
        name = names.mask(value, [(0, len(value), kind)], "me").rstrip("\n")
        assert values.setdefault((kind, value), name) == name


@pytest.mark.parametrize(
    "unit",
    [
        "1",
        "a",
        "@",
        "a@b.",
        "-",
        " ",
        "\"'(",
        "password=",
        "password,",
        "a,password\n",
        "://a:b@",
        "eyJ",
        "-----BEGIN PRIVATE KEY-----",
        "00 ",
        "00 17 42 ",
        "1234567\t",
        "1234567,",
        '"1234567",',
        "٣",
        "\x01",
    ],
)
def test_a_long_line_of_one_thing_is_searched(unit: str) -> None:
    text = unit * (50_000 // len(unit))
    assert private.find(text, COUNTRIES) == [] or unit == "password="


def test_blocks_of_a_long_text_are_all_searched() -> None:
    text = ("Nothing here.\n" * 100 + "\n") * 20 + f"Write to ann@nord.org\n\n{PEM}\n"
    assert [kind for kind, _ in found(text)] == ["EMAIL", "SECRET"]
    assert masked(text).count("\n") == text.count("\n")


def test_the_libraries_are_loaded_late() -> None:
    code = "import json, sys, netsuke.private; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {"phonenumbers", "stdnum", "detect_secrets", "requests"} & set(json.loads(done.stdout)) == set()


@pytest.mark.parametrize("step", [curate.read, curate.curate, check.recall, check.judge], ids=lambda step: step.name)
def test_another_release_of_them_is_another_key_of_whoever_looks(step) -> None:
    assert {"phonenumbers", "python-stdnum", "detect-secrets"} <= set(step.library_versions())
