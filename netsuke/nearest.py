"""The examples most like a question, by the rare words that they share. No library: the serving side needs it too."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Sequence

_WORD = re.compile(r"\w+")
_UNSPACED = re.compile("([\u3005\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff])")


class Nearest:
    """Texts by their words: cosine of counts, each weighted by how few texts have the word (tf-idf)."""

    def __init__(self, texts: Sequence[str]) -> None:
        counts = [Counter(_words(text)) for text in texts]
        having = Counter(word for count in counts for word in count)
        self.rarity = {word: math.log((1 + len(texts)) / (1 + n)) + 1 for word, n in having.items()}
        self.places: defaultdict[str, list[tuple[int, float]]] = defaultdict(list)
        for number, count in enumerate(counts):
            weights = self._weights(count)
            for word, weight in weights.items():
                self.places[word].append((number, weight))
        self.total = len(texts)

    def find(self, text: str, most: int) -> list[int]:
        """Numbers of the nearest texts, the nearest first; those that share nothing come last, in their order."""
        scores = [0.0] * self.total
        for word, weight in self._weights(Counter(_words(text))).items():
            for number, other in self.places.get(word, ()):
                scores[number] += weight * other
        return sorted(range(self.total), key=lambda number: (-scores[number], number))[:most]

    def _weights(self, count: Counter[str]) -> dict[str, float]:
        raw = {word: (1 + math.log(n)) * self.rarity[word] for word, n in count.items() if word in self.rarity}
        length = math.sqrt(sum(weight * weight for weight in raw.values())) or 1.0
        return {word: weight / length for word, weight in raw.items()}


def spaced(text: str) -> str:
    """The text with spaces around each character of Chinese and Japanese, which have none between words."""
    return _UNSPACED.sub(r" \1 ", text)


def _words(text: str) -> list[str]:
    return _WORD.findall(spaced(text.casefold()))
