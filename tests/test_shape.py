"""The shape of the house: who imports whom, how long things are, what start-up loads, what is written down."""

import ast
import functools
import json
import re
import subprocess
import sys

import pytest
import reference
import stamp

HOUSE = stamp.SOURCE
FILES = sorted(HOUSE.rglob("*.py"))
ROOMS = sorted(p.name for p in HOUSE.iterdir() if p.is_dir() and any(p.glob("*.py")))
MACHINERY = {"consent", "texts"}  # beside the files of the root
KNOWING = {"engines", "readers", "rights", "private", "search"}  # of models, formats, rights, people's data
STEPS = {"bases", "curate", "render", "carve", "tune", "combine", "answer", "check", "index", "pack", "export",
         "serve", "value", "watch"}  # fmt: skip
FRONT = {"__main__", "cli", "front", "studio", "forget"}  # they may import anything
LOOP = {"loop", "outcome"}  # the loop, and what it comes to
ROOT = {p.stem for p in HOUSE.glob("*.py")} - FRONT - LOOP | MACHINERY
HEAVY = {"torch", "transformers", "tokenizers", "safetensors", "gguf", "libgguf", "xllamacpp", "peft"}
HEAVY_IN = {"engines": HEAVY, "tune": {"torch", "tokenizers", "transformers"},
            "carve": {"torch", "tokenizers", "transformers"}, "combine": {"torch"},
            "value": {"torch"}}  # fmt: skip
LATE = HEAVY | {"ray", "c2pa", "license_expression", "phonenumbers", "py3langid", "detect_secrets", "rensa", "stdnum",
                "numpy", "httpx", "jinja2", "starlette", "uvicorn", "kreuzberg", "pypdf", "tomlkit", "sqlite3",
                "netsuke.engines"}  # fmt: skip


@functools.cache
def tree_of(path):
    """What Python reads in a file."""
    return ast.parse(path.read_bytes())


def room_of(path):
    """The folder of a file, or the file itself at the root: the unit that the layers are made of."""
    place = path.relative_to(HOUSE)
    return place.parts[0] if len(place.parts) > 1 else place.stem


def imports(tree, package):
    """Full dotted names that a module of `package` imports, anywhere in it; `from a import b` is a.b."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{base}.{name.name}" for name in node.names)
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in ("import_module", "__import__"):
                yield str(node.args[0].value)


def rooms_used(tree, package):
    """The rooms of the house that a module imports; a name out of netsuke/__init__.py is none."""
    for name in imports(tree, package):
        parts = name.split(".")
        if parts[0] == "netsuke" and len(parts) > 1 and parts[1] in ROOT | FRONT | LOOP | {*ROOMS}:
            yield parts[1]


def allowed(room):
    """The rooms that a room may import."""
    if room == "__main__":
        return {"cli"}
    if room in FRONT:  # nobody but `python -m netsuke` imports the command line
        return ROOT | (FRONT - {"cli"}) | STEPS | KNOWING | LOOP | {room}
    if room in LOOP:
        return ROOT | STEPS | KNOWING | {"outcome"}
    if room in STEPS:
        return ROOT | KNOWING | {room}
    return ROOT | ({room} & KNOWING)


def package_of(path):
    return ".".join(["netsuke", *path.relative_to(HOUSE).parts[:-1]])


def functions(tree):
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


# -- layers ----------------------------------------------------------------------------------------------
def test_the_rooms_are_those_of_the_plan():
    assert {*ROOMS} == MACHINERY | STEPS | KNOWING | {"cli", "front", "forget", "studio"}
    assert {"errors", "nouns", "store", "reachability", "step", "recipe", "chain", "terminal"} <= ROOT


def test_imports_are_found_wherever_they_stand():
    tree = ast.parse("""
import torch.nn as nn, json
from ..engines import hf, gguf
from . import words
from .. import chain, __version__
from netsuke.loop import make
def late():
    from ..tune.lora import adapt
    importlib.import_module("peft.tuners")
if TYPE_CHECKING:
    from ..carve import carve
""")
    found = set(imports(tree, "netsuke.check"))
    assert found == {
        "torch.nn", "json", "netsuke.engines.hf", "netsuke.engines.gguf", "netsuke.check.words", "netsuke.chain",
        "netsuke.__version__", "netsuke.loop.make", "netsuke.tune.lora.adapt", "peft.tuners", "netsuke.carve.carve",
    }  # fmt: skip
    used = set(rooms_used(tree, "netsuke.check"))
    assert used == {"engines", "check", "chain", "loop", "tune", "carve"}
    assert used - allowed("check") == {"loop", "tune", "carve"}
    assert set(imports(ast.parse("from . import loop"), "netsuke")) == {"netsuke.loop"}


def test_a_room_imports_only_what_is_below_it():
    wrong = {path.relative_to(HOUSE): set(rooms_used(tree_of(path), package_of(path))) - allowed(room_of(path))
             for path in FILES}  # fmt: skip
    assert {path: rooms for path, rooms in wrong.items() if rooms} == {}


def test_heavy_libraries_are_named_only_where_they_may_be():
    named = {path: {name.split(".")[0] for name in imports(tree_of(path), package_of(path))} & HEAVY
             for path in FILES}  # fmt: skip
    wrong = {path.relative_to(HOUSE): found - HEAVY_IN.get(room_of(path), set()) for path, found in named.items()}
    assert {path: libraries for path, libraries in wrong.items() if libraries} == {}, "they belong in engines/"


def test_the_command_line_starts_light():
    code = "import json, sys, netsuke.cli; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True
    )
    loaded = set(json.loads(done.stdout))
    assert "netsuke.cli" in loaded and "click" in loaded
    assert loaded & LATE == set()


def test_serving_and_the_studio_load_nothing_that_makes():
    code = "import json, sys, netsuke.studio, netsuke.serve; from netsuke.store import Store\n"
    code += "netsuke.studio.build_studio(Store(), key='k', port=1); print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(json.loads(done.stdout))
    assert "netsuke.studio.write" in loaded
    assert loaded & {"torch", "transformers", "tokenizers", "safetensors", "peft", "matplotlib", "kreuzberg"} == set()


# -- size and words --------------------------------------------------------------------------------------
def test_nothing_is_too_long():
    files = {path.relative_to(HOUSE): len(path.read_text(encoding="utf-8").splitlines()) for path in FILES}
    assert {path: lines for path, lines in files.items() if lines > 400} == {}
    long = {(path.relative_to(HOUSE), f.name): f.end_lineno - f.lineno + 1
            for path in FILES for f in functions(tree_of(path))}  # fmt: skip
    assert {name: lines for name, lines in long.items() if lines > 50} == {}


@pytest.mark.parametrize("path", [path for path in FILES if room_of(path) in ROOT], ids=lambda path: path.name)
def test_what_is_public_at_the_root_says_what_it_is(path):
    tree = ast.parse(path.read_bytes())
    kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    public = [node for node in tree.body if isinstance(node, kinds) and not node.name.startswith("_")]
    assert ast.get_docstring(tree), "the file has no docstring"
    assert [node.name for node in public if not ast.get_docstring(node)] == []


# -- what is written down --------------------------------------------------------------------------------
def tree_in(text):
    """The first word of each line of the block that begins with `netsuke/`, and the lines without an explanation."""
    blocks = re.findall(r"^```[^\n]*\n(netsuke/.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 1, "one fenced block that begins with netsuke/ is needed"
    lines = [line.split(maxsplit=1) for line in blocks[0].splitlines()[1:] if line.strip()]
    return [words[0] for words in lines], [words[0] for words in lines if len(words) < 2]


def test_the_tree_of_a_readme_is_read():
    text = "```\nnetsuke/           the house\n  store.py   objects\n  carve/     smaller\n\n  odd.py\n```\n"
    assert tree_in("# x\n```sh\nnetsuke make\n```\n" + text) == (["store.py", "carve/", "odd.py"], ["odd.py"])


@pytest.mark.parametrize(("page", "whole"), [("README.md", False), ("docs/house.md", True)])
def test_the_house_is_shown_as_it_is(page, whole):
    """The README has the rooms, docs/house.md every file too."""
    names, unexplained = tree_in((HOUSE.parent / page).read_text(encoding="utf-8"))
    there = {p.relative_to(HOUSE).as_posix() for p in FILES if not p.name.startswith("__")}
    there = there if whole else set()
    there |= {f"{p.name}/" for p in HOUSE.iterdir() if p.is_dir() and p.name != "__pycache__"}
    assert sorted(names) == sorted(there)
    assert unexplained == []


def test_the_reference_is_that_of_the_source():
    assert reference.PAGE.read_text(encoding="utf-8") == reference.page(), "python tests/reference.py"


# -- stamps ----------------------------------------------------------------------------------------------
@functools.cache
def stamps():
    """The steps of the house as they are."""
    return stamp.found()


def test_every_step_is_stamped_as_it_is():
    assert stamp.STAMPS.exists(), "python tests/stamp.py"
    complaints = stamp.complaints(json.loads(stamp.STAMPS.read_text()), stamps())
    assert not complaints, "\n".join(complaints)


def test_steps_are_found_by_their_decorator():
    names = set(stamps())
    assert {
        "read",
        "curate",
        "unpack",
        "carve",
        "tune",
        "combine",
        "quantise",
        "check",
        "trial",
        "pack",
    } <= names
    source = "@step(version=3, libraries=('a',))\ndef one(): ...\n@other(version=1)\ndef two(): ...\n"
    source += "class C:\n    @netsuke.step.step(version=4)\n    def three(self): ...\ndef four(): ...\n"
    assert dict(stamp.steps_in(ast.parse(source))) == {"one": 3, "three": 4}


def test_a_change_without_a_new_version_is_told(tmp_path):
    def house(version=1, more="", name="grow"):
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        (folder / "__init__.py").write_text(f"@step(version={version})\ndef {name}(): ...\n")
        (folder / "how.py").write_text(more)
        return stamp.found(tmp_path)

    first = house()
    assert stamp.complaints(first, house()) == []
    (told,) = stamp.complaints(first, house(more="# another way\n"))
    assert "source of grow (netsuke/grow/) changed" in told and "bump @step(version=1)" in told
    (told,) = stamp.complaints(first, house(version=2))
    assert told == "grow is new, gone or has a new version: python tests/stamp.py"
    assert len(stamp.complaints({}, first)) == len(stamp.complaints(first, {})) == 1
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "same.py").write_text("@step(version=1)\ndef grow(): ...\n")
    with pytest.raises(SystemExit, match="two steps are named grow"):
        stamp.found(tmp_path)
