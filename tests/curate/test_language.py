"""Which language a text is in, and which texts are in none."""

from __future__ import annotations

import base64
import random
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsuke.curate import language

TEXTS = {
    "en": "The river had risen overnight, and the lower meadow was a lake. Nobody remembered such a spring.",
    "de": "Der Fluss war über Nacht gestiegen, und die untere Wiese war ein See. Niemand kannte das.",
    "fr": "La rivière avait monté pendant la nuit, et le pré du bas était un lac. Personne ne comprenait.",
    "es": "El río había crecido durante la noche y el prado de abajo era un lago. Nadie lo recordaba.",
    "it": "Il fiume era salito durante la notte e il prato in basso era un lago. Nessuno lo ricordava.",
    "pt": "O rio tinha subido durante a noite, e o prado de baixo era um lago. Ninguém se lembrava.",
    "nl": "De rivier was in de nacht gestegen en de onderste weide was een meer. Niemand kende dat.",
    "sv": "Floden hade stigit under natten och den nedre ängen var en sjö. Ingen kunde minnas det.",
    "pl": "Rzeka przybrała w nocy, a dolna łąka zamieniła się w jezioro. Nikt nie pamiętał czegoś takiego.",
    "cs": "Řeka se přes noc zvedla a dolní louka byla jezero. Nikdo si nic takového nepamatoval.",
    "fi": "Joki oli noussut yön aikana, ja alempi niitty oli järvenä. Kukaan ei muistanut sellaista kevättä.",
    "hu": "A folyó éjjel megáradt, és az alsó rét tóvá változott. Senki sem emlékezett ilyen tavaszra.",
    "tr": "Nehir gece boyunca yükselmişti ve aşağıdaki çayır göle dönmüştü. Kimse bunu hatırlamıyordu.",
    "el": "Το ποτάμι είχε ανέβει τη νύχτα και το κάτω λιβάδι ήταν λίμνη. Κανείς δεν θυμόταν τέτοια άνοιξη.",
    "ru": "За ночь река поднялась, и нижний луг превратился в озеро. Никто не помнил такой весны.",
    "uk": "За ніч річка піднялася, і нижня лука перетворилася на озеро. Ніхто не пам'ятав такої весни.",
    "ar": "ارتفع النهر خلال الليل وصار المرج السفلي بحيرة، ولم يتذكر أحد في القرية ربيعا مثل هذا الربيع.",
    "he": "הנהר עלה במשך הלילה והאחו התחתון הפך לאגם. איש בכפר לא זכר אביב כזה.",
    "hi": "रात भर में नदी का पानी बढ़ गया और नीचे का मैदान झील बन गया। किसी को ऐसा वसंत याद नहीं था।",
    "th": "แม่น้ำเอ่อขึ้นในตอนกลางคืนและทุ่งหญ้าด้านล่างกลายเป็นทะเลสาบ ไม่มีใครจำฤดูใบไม้ผลิแบบนี้ได้",
    "ja": "夜のうちに川の水が増えて、下の草地は湖になっていました。こんな春を覚えている人はいませんでした。",
    "ko": "밤사이에 강물이 불어나서 아래쪽 풀밭이 호수가 되었다. 마을에는 이런 봄을 기억하는 사람이 없었다.",
    "zh": "夜里河水涨了，下面的草地变成了湖。村里没有人记得有过这样的春天。",
}


@pytest.mark.parametrize("code", TEXTS)
def test_a_paragraph_is_known(code: str) -> None:
    found, probability = language.of(TEXTS[code])
    assert found == code and language.MIN_PROBABILITY <= probability <= 1


@pytest.mark.parametrize("code", ["en", "ru", "zh", "th"])
def test_a_long_text_and_one_with_another_at_its_head_are_known(code: str) -> None:
    assert language.of("\n".join([TEXTS[code]] * 500))[0] == code
    other = TEXTS["de"] + "\n" + TEXTS["fr"]
    assert language.of(other + "\n" + "\n".join([TEXTS[code]] * 20))[0] == code


def test_only_windows_of_a_long_text_are_read() -> None:
    text = "".join(map(chr, range(0x4E00, 0x4E00 + 20_000)))
    sample = language._sample(text, 16, 60)
    windows = sample.split(" ")
    assert [len(window) for window in windows] == [60] * 16
    assert text.startswith(windows[0]) and text.endswith(windows[-1])
    gaps = [ord(b[0]) - ord(a[0]) for a, b in zip(windows, windows[1:], strict=False)]
    assert max(gaps) - min(gaps) <= 1
    assert language._sample(text[:976], 16, 60) == text[:976]


@pytest.mark.parametrize(
    "text",
    ["", " ", "\n", "ok", "Anna 3", "12 345.67 89\n" * 50, "2024-01-02;17.5;3\n" * 40, "👍🎉" * 50,
     "-----\n" * 20, "\ud800" * 5, "x", "::: === {}" * 9],
)  # fmt: skip
def test_no_language_in_too_little_text_and_in_numbers(text: str) -> None:
    assert language.of(text) == ("und", 0.0)


def test_no_language_in_bare_code_and_data() -> None:
    pick = random.Random(0)
    code = "\n".join(
        f"    self.{a}[i] = np.{b}(x_{a}, {a}.T) + {pick.random():.3f}"
        for a in "pqrs"
        for b in ("dot", "sum")
    )
    data = base64.encodebytes(pick.randbytes(900)).decode()
    dump = " ".join(f"{pick.randrange(2**32):08x}" for _ in range(200))
    assert [language.of(text)[0] for text in (code, data, dump)] == ["und"] * 3


def test_code_with_comments_is_in_the_language_of_its_comments() -> None:
    comments = "\n".join(f"# {sentence}." for sentence in TEXTS["en"].split(". "))
    assert language.of(f"{comments}\nreturn x\n{comments}\n")[0] == "en"


def test_codes_have_two_letters_where_iso_639_1_has_one() -> None:
    labels = set(language._identifier().labels)
    assert set(language.TWO_LETTERS) <= labels and all(
        len(code) == 2 for code in language.TWO_LETTERS.values()
    )


def test_threads_share_the_model() -> None:
    texts = list(TEXTS.values()) * 4
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(language.of, texts)) == [language.of(text) for text in texts]


@given(st.text(st.characters(codec=None), max_size=400))
def test_any_text_gets_the_same_verdict_twice(text: str) -> None:
    code, probability = language.of(text)
    assert (code, probability) == language.of(text)
    assert 0 <= probability <= 1 and (code != "und" or probability == 0) and 2 <= len(code) <= 3
