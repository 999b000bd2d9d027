"""A table of examples that a tiny model learns to answer in seconds."""

import random

from tiny import tiny_gguf

SIGNS = {
    "boat": "harbour sail rope tide anchor",
    "bread": "oven flour crust dough yeast",
    "bee": "hive comb wax swarm sting",
}


def question(number):
    pick = random.Random(number)
    label = pick.choice(sorted(SIGNS))
    words = pick.choices(SIGNS[label].split(), k=2) + pick.choices("day man house old blue".split(), k=2)
    pick.shuffle(words)
    return f"the {' '.join(words)} {number}", label


def table(folder, count=60):
    folder.mkdir(parents=True, exist_ok=True)
    rows = [f'"{text}",{label}' for text, label in map(question, range(count))]
    (folder / "signs.csv").write_text("\n".join(["text,label", *rows]) + "\n")
    tiny_gguf(folder.parent / "tiny.gguf")
    place = folder / "netsuke.toml"
    place.write_text(
        f'name = "signs"\nbase = "{folder.parent / "tiny.gguf"}"\nminutes = 0.05\n[[sources]]\npath = "."\n'
        "[tune]\nmax_epochs = 4\n[task]\nabstain = 0.3\nitems = 12\nshots = 2\n"
    )
    return place
