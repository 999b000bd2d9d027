"""A folder of small documents and a tiny base: the whole loop in seconds."""

from __future__ import annotations

import fcntl
import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

from tiny import tiny_gguf

from netsuke.store import Store

WORDS = "river stone lantern harvest copper winter market garden letter bridge thunder silver meadow kettle".split()
PLACES = (
    "mill harbour orchard chapel tower quarry village forest station valley island workshop cellar".split()
)
DEEDS = (
    "carried found painted mended lost remembered sold followed counted forgot opened watched buried".split()
)
KINDS = "old young green silent heavy narrow golden broken gentle hidden crooked early distant".split()
NEAR = "by near behind with under above beside beyond".split()
LINKS = "before because although when where until while after since unless though once whereas".split()

SECTIONS = """
[[sources]]
path = "."

[curate]
test = 0.25
valid = 0.15

[gates]
safety = 1  # a random base has no manners to lose

[tune]
max_epochs = 1.5
"""


OFFSET = 56  # of these documents, two each fall into valid and test
HERS = (40, 41)  # the numbers of the documents of another owner
SAID = '\n[[sources]]\npath = "hers"\nowner = "Ann Smith"\nconsent = "in"\n'


def document(number: int) -> str:
    """A text of about 1,600 characters, of its own for each number, that reads like prose."""
    pick = random.Random(number + OFFSET)

    def clause() -> str:
        names = (KINDS, WORDS, DEEDS, KINDS, WORDS, NEAR, KINDS, PLACES)
        one, two, deed, three, four, near, five, six = (pick.choice(some) for some in names)
        return f"the {one} {two} {deed} and {three} {four} {near} the {five} {six}"

    lines = [f"# Note {number} about the {pick.choice(WORDS)}", ""]
    for _ in range(6):
        for _ in range(2):
            sentence = f"{clause()} {pick.choice(LINKS)} {clause()}, and that was {pick.randrange(10**4)}."
            lines.append(sentence[0].upper() + sentence[1:])
        lines.append("")
    return "\n".join(lines)


def write_material(folder: Path, documents: int = 14, **top: object) -> Path:
    """Writes documents, a tiny base and a recipe; returns the recipe's path."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(documents):
        (folder / f"note-{number:02}.md").write_text(document(number))
    base = folder.parent / "tiny.gguf"
    if not base.exists():
        tiny_gguf(base)
    settings = {"name": "notes", "base": str(base), "minutes": 0.05, **top}
    lines = [f"{key} = {value!r}".replace("'", '"') for key, value in settings.items()]
    recipe = folder / "netsuke.toml"
    recipe.write_text("\n".join(lines) + SECTIONS)
    return recipe


def write_two_owners(room: Path) -> Path:
    """Fourteen documents of our own and two of hers, in `notes`; the recipe's path."""
    place = write_material(room / "notes")
    (room / "notes" / "hers").mkdir()
    for number in HERS:
        (room / "notes" / "hers" / f"letter-{number}.md").write_text(document(number))
    place.write_text(place.read_text().replace('path = "."\n', f'path = "."\n{SAID}'))
    return place


def netsuke(
    home: Path, *words: str, timeout: float = 300, prelude: str = "", **environment: str
) -> subprocess.CompletedProcess:
    """Runs the command line in a process of its own; `prelude` is Python that runs before it."""
    code = f"{prelude}\nimport sys\nfrom netsuke.cli import main\nsys.argv[0] = 'netsuke'\nmain()"
    env = {**os.environ, "NETSUKE_HOME": str(home), "NO_COLOR": "1", "OMP_NUM_THREADS": "1", **environment}
    return subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, timeout=timeout,
                          env=env, stdin=subprocess.DEVNULL)  # fmt: skip


def whole_make(factory) -> Path:
    """A room of one's own with `notes` of two owners, its `home` and what `netsuke make` said of it (said.json).

    It is made once for all files of tests, whichever process runs them; each has a copy.
    """
    base = factory.getbasetemp()
    first = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "whole-make"
    first.mkdir(exist_ok=True)
    with (first / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (first / "said.json").exists():
            done = netsuke(first / "home", "make", str(write_two_owners(first).parent))
            assert done.returncode == 0, done.stderr
            (first / "said.json").write_text(json.dumps({"out": done.stdout, "err": done.stderr}))
    room = factory.mktemp("made")
    copied(first, room)
    return room


def copied(room: Path, target: Path) -> tuple[Path, Store]:
    """(recipe, home) of a copy of a room with `notes` and `home`; its paths are those of the copy."""
    shutil.copytree(room, target, symlinks=True, dirs_exist_ok=True)
    place, store = target / "notes" / "netsuke.toml", Store(target / "home")
    place.write_text(place.read_text().replace(str(room), str(target)))
    for name in store.names("packs"):
        record = store.named("packs", name)
        store.name("packs", name, record | {"recipe": record["recipe"].replace(str(room), str(target))})
    return place, store
