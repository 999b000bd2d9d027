"""The examples most like a question, by the rare words that they share. No library: the serving side needs it too."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Sequence

from .letters import CJK, WORD, apart

_CHARACTER = re.compile(f"([{CJK}])")


class Nearest:
    """Texts by their words: cosine of counts, each weighted by how few texts have the word (tf-idf)."""

    def __init__(self, texts: Sequence[str]) -> None:
        counts = [Counter(_told(text)) for text in texts]
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
        scores = self.scores(text)
        return sorted(range(self.total), key=lambda number: (-scores[number], number))[:most]

    def scores(self, text: str) -> list[float]:
        """How near each text is: from 0, which shares nothing, to 1."""
        scores = [0.0] * self.total
        for word, weight in self._weights(Counter(_told(text))).items():
            for number, other in self.places.get(word, ()):
                scores[number] += weight * other
        return scores

    def _weights(self, count: Counter[str]) -> dict[str, float]:
        raw = {word: (1 + math.log(n)) * self.rarity[word] for word, n in count.items() if word in self.rarity}
        length = math.sqrt(sum(weight * weight for weight in raw.values())) or 1.0
        return {word: weight / length for word, weight in raw.items()}


def words(text: str) -> list[str]:
    """The words of a text, casefolded, with the signs of their letters; Chinese and Japanese by the character."""
    return WORD.findall(_CHARACTER.sub(r" \1 ", text.casefold()))


def _told(text: str) -> list[str]:
    return [part for word in words(text) for part in apart(word)]
