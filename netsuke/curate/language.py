"""The language of a text, by py3langid (BSD-3-Clause; its weights are in the wheel, 140 languages)."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

UNDETERMINED = "und"
# (windows, characters of each): the few are enough if the verdict is sure, else the many are asked. It is the
# whole text's for 99.2% of 900 texts in 100 languages; the others are Croatian or unknown to the model.
FEW, MANY = (8, 40), (16, 60)
SURE_OF_FEW = 0.99
MIN_PROBABILITY = 0.5
# Letters are counted in bytes of UTF-8, since a Chinese sign says more than a Latin letter.
MIN_LETTER_BYTES = 12
MIN_LETTER_SHARE = 0.5  # of what is not white space: less in numbers, hexadecimal and drawings
# Prose is 0.86 letters or more, code less: there only a sure verdict counts (English comments make one).
PROSE_LETTER_SHARE = 0.85
SURE = 0.97
# py3langid's labels for which ISO 639-1 has a code, of the language or of its macrolanguage.
TWO_LETTERS = {
    "ary": "ar", "arz": "ar", "fuv": "ff", "gug": "gn", "kik": "ki", "ltg": "lv", "sdh": "ku", "uzs": "uz",
    "wuu": "zh", "yue": "zh",
}  # fmt: skip
# All that `of` can answer: the codes of py3langid's 140 labels, without loading them.
CODES = frozenset(
    """ace af am an ar as az ba bcl be bg bn br bs ca crh cs cy da de dz el en eo es et eu ext fa ff fi fo fr fy ga
    gcf gcr gd gl gn gom grc gu guw ha hbo he hi hr ht hu hy id ig is it ja jv ka kab ki kk km kn ko ku ky la lb lg
    lij ln lo lt lv mg mk ml mn mr ms mt my ne nl nn no nso oc om or pa pcm pl ps pt qu ro ru rw sa se si sk sl sn
    so sq sr st sv sw ta te tg th tk tl tr tt ug uk ur uz vec vi vo wa xh yo zh zu und""".split()
)
# Vowel signs are no letters to Python, so what is no letter is counted: digits, marks, arrows, emoji.
_NO_LETTER = re.compile(r"[\d_!-/:-@\[-`{-~\u2000-\u2bff\U0001f000-\U0001faff]")


def of(text: str) -> tuple[str, float]:
    """(code, probability) of a text's language: ISO 639-1, or ISO 639-3 where there is none.

    ("und", 0.0) for a text that is too short, for numbers and tables, and for code without much of a language
    in its names and comments. A long text is judged by windows spread evenly over it.
    """
    sample = _sample(text, *MANY)
    solid = "".join(sample.split())
    n_letters, n_all = _bytes(_NO_LETTER.sub("", solid)), _bytes(solid)
    if n_letters < MIN_LETTER_BYTES or n_letters < MIN_LETTER_SHARE * n_all:
        return UNDETERMINED, 0.0
    code, probability = _identifier().classify(_sample(text, *FEW))
    if probability < SURE_OF_FEW:
        code, probability = _identifier().classify(sample)
    needed = MIN_PROBABILITY if n_letters >= PROSE_LETTER_SHARE * n_all else SURE
    if code == "zxx" or probability < needed:  # "zxx" is what has no language, such as base64
        return UNDETERMINED, 0.0
    return TWO_LETTERS.get(code, code), round(probability, 3)  # the last digits depend on the processor


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def _sample(text: str, windows: int, characters: int) -> str:
    """The text, or windows of it from its beginning to its end, with a space between."""
    if len(text) <= windows * (characters + 1):
        return text
    last = len(text) - characters
    starts = [last * number // (windows - 1) for number in range(windows)]
    return " ".join([text[start : start + characters] for start in starts])


@lru_cache(maxsize=1)
def _identifier() -> LanguageIdentifier:
    """The weights, loaded once: about a second. Classifying only reads them, so threads can share it."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
