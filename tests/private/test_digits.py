"""Phones, accounts, cards and national ids: found as they are written or beside their name, no others."""

from __future__ import annotations

import importlib
import inspect

import pytest

from netsuke import private
from netsuke.curate import COUNTRIES
from netsuke.private import digits, national, phones


def found(text: str, countries: tuple[str, ...] = COUNTRIES) -> list[tuple[str, str]]:
    return [(kind, text[start:end]) for start, end, kind in private.find(text, countries)]


def masked(text: str) -> str:
    return private.Placeholders(COUNTRIES).mask(text, private.find(text, COUNTRIES), "me")


# -- phones ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "written",
    [
        "+49 30 1234567", "+49 (0)30 1234567", "+49-30-1234567", "+49301234567", "0049 30 1234567",
        "030 1234567",
        "030/1234567", "(030) 1234567", "(030) 123-4567", "\u202a+49 30 1234567\u202c", "+49.301234567",
        "＋４９ ３０ １２３４５６７", "+49\u00a030\u00a01234567", "+49 30 123\u20114567", "(+49) 30 1234567",
    ],
)  # fmt: skip
def test_one_number_in_many_spellings_is_one_number(written: str) -> None:
    text = f"x {written}, or tel. 0301234567!"
    assert masked(text).count("[PHONE_1]") == 2
    assert found(text)[0][1] == written.strip("\u202a\u202c")


@pytest.mark.parametrize(
    ("country", "written"),
    [
        ("US", "(212) 736-5000"), ("US", "212-736-5000"), ("US", "212.736.5000 x123"),
        ("US", "1-212-736-5000"),
        ("GB", "020 7946 0958"), ("DE", "0171 2345678"), ("FR", "01 42 68 53 00"), ("FR", "01.42.68.53.00"),
        ("IT", "06 6988 1234"), ("NL", "020-6228222"), ("BR", "(11) 91234-5678"), ("IN", "022 2202 1234"),
    ],
)  # fmt: skip
def test_a_national_number_counts_as_its_country_writes_it(country: str, written: str) -> None:
    assert found(f"It was {written} then.", (country,)) == [("PHONE", written)]
    assert found(f"It was {written} then.", ()) == []


@pytest.mark.parametrize(
    "text",
    [
        "Tel: {}", "phone {}", '"phone": "{}"', "phone_number = {}", "Handynummer: {}", "{} (mobile)",
        "Téléphone : {}",
        "Name\tPhone\nAnn\t{}", "name;tel\nAnn;{}", "| Name | Telefon |\n|---|---|\n| Ann | {} |",
        "Telefon\n  {}",
        "WhatsApp 📞 {}", "тел. {}", "Call me: {}",
    ],
)  # fmt: skip
def test_bare_digits_are_a_phone_beside_a_word_for_one(text: str) -> None:
    assert ("PHONE", "2127365000") in found(text.format("2127365000"))
    assert found("code 2127365000") == []


@pytest.mark.parametrize(
    ("text", "phone"),
    [
        ("id,phone\n1,{}\n", "6502530000"), ("id,phone\n1,{}\n", "650-253-0000"),
        ("name,age,phone\nBob,50,{}\n", "030 90182010"),
        ("INSERT INTO people (id, phone) VALUES (1,{});", "6502530000"),
        ('id,address,phone\n1,"Main Street, Springfield",{}\n', "6502530001"),
        ('id;"a; b";phone\n1;"x; ""y""; z";"{}"\n', "6502530001"),
        ("1. {}", "650-253-0000"), ("1) {}", "650-253-0000"), ("12. {}", "030 90182010"),
        ("1. {}", "0049 30 90182010"), ("Phones:\n1. {}", "6502530000"),
        ("2024-01-03 {}", "650-253-0000"), ("{} 2024-01-03", "650-253-0000"),
        ("2024-01-03 10:15:22 {}", "030 90182010"), ("{} 10:15", "650-253-0000"),
        ("Ann (41) {}", "650-253-0000"), ("Main Street 5 {}", "030 90182010"),
        ("CA 94043 {}", "(650) 253-0000"), ("MA 02139 {}", "(617) 253-1000"), ("No. #3 {}", "650-253-0000"),
    ],
)  # fmt: skip
def test_a_phone_is_found_behind_another_number(text: str, phone: str) -> None:
    assert found(text.format(phone)) == [("PHONE", phone)]


def test_numbered_phones_on_one_line_are_all_found() -> None:
    text = "1. 650-253-0000 2. 650-253-0001 3) 030 90182010"
    assert masked(text) == "1. [PHONE_1] 2. [PHONE_2] 3) [PHONE_3]"


def test_a_list_of_phones_needs_its_word_once() -> None:
    numbers = "2127365000, 7182345000 / 9178887777 and 6462345678"
    assert [kind for kind, _ in found(f"Phones: {numbers}")] == ["PHONE"] * 4


@pytest.mark.parametrize(
    "text",
    [
        "2024-05-17 12:30:45, 17.05.2024, 05/17/2024, 20240517, 2016-2020, Wed May 26 14:06:02 2021 -0700",
        "3.14159265358979 -0.000123456789 1,234,567.89 1e-10 052.1234567",
        "ISBN 978-0-306-40615-7, ISBN 0-306-40615-2, ISSN 0378-5955, doi:10.1000/182.0123456",
        "phone book ISBN 0306406152",
        "order 1234567890, #3429001, epoch 1700000000, id=9876543210",
        "00000010  7f 45 4c 46 02 01 01 00  00 00 00 00 00 00 00 00",
        "  12345   67890   11223\n  98765   43210   55443",
        "550e8400-e29b-41d4-a716-446655440000 and 01234567-89ab-cdef-0123-456789abcdef",
        "e83c5163316f89bfbde7d9ab23ca2e25604af290, sha256:0123456789012345678901234567890123456789",
        "version 2.0.0.1234567, v10.0.19041.1288, CVE-2024-50146, RFC 2606, 52.520008, 13.404954",
        "00 63 25 64 56 01 42 68 53 00 17\n00 17 42 68 53 30 12 55 11",
        "0017042 000012 030112 0301234 0000001\n02988 00596 05633 00711",
        "12 01 42 68 53 00, 1.234.567,89 3,1415926535 12,0301234567",
        "ab12 0201 4711 2233 4c46", "01 02 03 000004",
        "call 12345678 times, text 123456789, https://x.nord.org/2127365000/",
    ],
)
def test_other_numbers_are_no_phones(text: str) -> None:
    assert found(text) == []


# -- accounts and cards --------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "compact",
    ["DE89370400440532013000", "GB29NWBK60161331926819", "FR1420041010050500013M02606", "NO9386011117947"],
)
def test_an_account_with_and_without_spaces_is_one(compact: str) -> None:
    spaced = " ".join(compact[n : n + 4] for n in range(0, len(compact), 4))
    text = f"IBAN {spaced} BIC COBADEFFXXX, {compact.lower()}; {spaced.replace(' ', '-')}."
    assert masked(text) == "IBAN [IBAN_1] BIC COBADEFFXXX, [IBAN_1]; [IBAN_1]."
    assert (
        found(compact.replace("1", "2")) == [] and found(f"x{compact}") == [] and found(f"{compact}1") == []
    )


@pytest.mark.parametrize(
    "digits_",
    ["4242424242424242", "5555555555554444", "378282246310005", "6011111111111117", "3530111333300000"],
)
def test_a_card_in_groups_or_not_is_one(digits_: str) -> None:
    sizes = (4, 6, 5) if len(digits_) == 15 else (4, 4, 4, 4)
    ends = [sum(sizes[:n]) for n in range(len(sizes) + 1)]
    groups = [digits_[a:b] for a, b in zip(ends, ends[1:], strict=False)]
    text = f"{digits_},123;{' '.join(groups)} 12/26, {'-'.join(groups)}."
    assert masked(text) == "[CARD_1],123;[CARD_1] 12/26, [CARD_1]."
    wrong = digits_[:-1] + str((int(digits_[-1]) + 1) % 10)
    assert found(f"{wrong} {'-'.join(groups[:-1])}-{wrong[ends[-2] :]}") == []


@pytest.mark.parametrize(
    "text",
    [
        "9999999999999995", "0.4242424242424242", "1.5555555555554444", "id-4242424242424242x",
        "x4242424242424242",
        "4242 4242 4242 4242 4242 4242", "550e8400-4242-4242-4242-4242424242ab",
        "https://x.nord.org/detail/4242424242424242",
        "4006381333931 4012888888881", "424242424242424242424242", "4242424242424242.5",
    ],
)  # fmt: skip
def test_other_long_numbers_are_no_cards(text: str) -> None:
    assert found(text) == []


def test_old_kinds_of_cards_need_a_word() -> None:
    assert found("EAN 6759649826438453 4012888888881") == []
    assert found("Maestro 6759649826438453") == [("CARD", "6759649826438453")]


# -- national ids --------------------------------------------------------------------------------------------
WRITTEN = [
    ("US", "536-90-4399"), ("GB", "AB 12 34 56 C"), ("GB", "AB123456C"), ("DE", "36 574 261 809"),
    ("DE", "65 170839 J 003"),
    ("FR", "2 95 10 99 126 111 93"), ("FR", "295109912611193"), ("ES", "54362315-K"), ("ES", "54362315K"),
    ("ES", "X2482300W"),
    ("IT", "RCCMNL83S18D969H"), ("NL", "1112.22.333"), ("BR", "390.533.447-05"), ("IN", "2341 2341 2346"),
    ("IN", "ACUPA7085R"), ("BE", "85.07.30-033.28"), ("CH", "756.9217.0769.85"), ("SE", "880320-0016"),
    ("FI", "131052-308T"),
    ("NO", "151086 95088"), ("CZ", "710319/2745"), ("CL", "12.531.909-2"), ("CN", "11010519491231002X"),
    ("KR", "971013-9019902"), ("MX", "BOXW310820HNERXN09"), ("PK", "42201-0397640-8"),
]  # fmt: skip


@pytest.mark.parametrize(("country", "written"), WRITTEN)
def test_an_id_counts_as_its_country_writes_it(country: str, written: str) -> None:
    assert found(f"It is {written}, he said.", (country,)) == [("ID", written)]
    assert found(f"It is {written}, he said.", ()) == []
    at = max(n for n, sign in enumerate(written) if sign.isdigit())
    wrong = [written[:at] + digit + written[at + 1 :] for digit in "0123456789" if digit != written[at]]
    if country not in ("US", "GB", "IN", "PK"):  # they have no check digit, or not in this form
        assert sum(found(f"It is {number}, he said.", (country,)) == [] for number in wrong) >= 8


@pytest.mark.parametrize(
    ("country", "text"),
    [
        ("PL", "PESEL: {44051401359}"), ("NL", "BSN {111222333}"), ("GB", "NHS no. {943 476 5919}"),
        ("BR", "CPF {39053344705}"),
        ("DE", '"steuer_id": "{36574261809}"'), ("IN", "Aadhaar number {234123412346}"),
        ("CA", "SIN {123-456-782}"),
        ("PT", "NIF {501964843}"), ("TR", "T.C. Kimlik No {17291716060}"), ("ZA", "ID {8001015009087}"),
        ("PL", "imię;pesel\nAnna;{44051401359}"), ("US", "id,ssn\n1,{536904399}"),
        ("US", 'name,note,ssn\nAnn,"born 1961, left",{536904399}'), ("HR", "OIB: {33392005961}"),
    ],
)  # fmt: skip
def test_bare_digits_are_an_id_beside_its_name(country: str, text: str) -> None:
    number = text[text.index("{") + 1 : text.index("}")]
    assert found(text.replace("{", "").replace("}", ""), (country,)) == [("ID", number)]
    assert found(f"Nr. {number}!", (country,)) == []


@pytest.mark.parametrize("country", sorted(national.IDENTIFIERS))
def test_every_check_of_the_table_is_there_and_says_no(country: str) -> None:
    for row in national.IDENTIFIERS[country]:
        assert not national.is_valid(row.check, "XXXXXXXXXX")
        assert row.forms or row.words


def test_no_check_asks_what_day_it_is() -> None:
    for rows in national.IDENTIFIERS.values():
        for row in rows:
            if isinstance(row.check, str):
                source = inspect.getsource(importlib.import_module(f"stdnum.{row.check}"))
                # Korea's asks only where it is told to refuse a birth to come.
                assert "today()" not in source or row.check == "kr.rrn", row.check


def test_the_parts_say_what_they_are() -> None:
    assert digits.is_card("4242424242424242") and not digits.is_card("4242424242424241")
    assert digits.is_account("DE89 3704 0044 0532 0130 00") and not digits.is_account("DE89")
    assert (
        phones.e164("030 1234567", ("US", "DE")) == "+49301234567"
        and phones.e164("030 1234567", ("XX",)) == ""
    )
