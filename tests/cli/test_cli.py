"""The command line: exit codes, hints, JSON, and what a stranger types wrong."""

import json
import re
import subprocess
import sys

import pytest
from material import document, netsuke, whole_make, write_material
from packed import small_pack
from studied import with_base, with_pack

from netsuke.serve import keys


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """(folder, home) after one make."""
    room = whole_make(tmp_path_factory)
    said = json.loads((room / "said.json").read_text())
    assert "held-out documents" in said["out"] and "netsuke chat notes" in said["err"]
    return room / "notes", room / "home"


def test_help_is_light():
    heavy = "{'torch', 'numpy', 'httpx', 'starlette', 'transformers', 'tomlkit', 'sqlite3'}"
    code = f"import sys, netsuke.cli; print(sorted({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


def test_it_is_a_module_and_a_group_of_verbs():
    def run(*words):
        return subprocess.run([sys.executable, "-m", "netsuke", *words], capture_output=True, text=True)

    assert run("--version").stdout.startswith("netsuke, version ")
    told = run("--help").stdout
    verbs = "make plan why list report verify gc bases chat complete serve consent".split()
    assert [verb for verb in verbs if f"\n  {verb} " not in told] == []


def test_the_list_of_verbs_fits_a_terminal_and_no_summary_is_cut():
    from click.testing import CliRunner

    from netsuke.cli import netsuke as verbs

    for words in ([], ["bases"], ["keys"], ["audit"]):
        told = CliRunner().invoke(verbs, [*words, "--help"], env={"COLUMNS": "80"}).output
        assert [line for line in told.splitlines()[1:] if len(line) > 80 or line.endswith("...")] == [], words


def test_help_says_what_the_recipe_has_to_say():
    from click.testing import CliRunner

    from netsuke.cli import netsuke as verbs

    told = {verb: " ".join(CliRunner().invoke(verbs, [verb, "--help"]).output.split()) for verb in ("make", "carve")}
    assert told["make"].count("[default: the recipe's, else") == 4 and "holds at the next make too" in told["make"]
    assert "[default: the recipe's, else" in told["carve"] and "the recipe stays as it is" in told["carve"]


def test_a_folder_without_a_recipe_gets_one(tmp_path, command):
    folder = tmp_path / "My notes (2024)"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.md").write_text(document(number))
    done = command(tmp_path / "home", "make", str(folder), "--mb", "80", "--minutes", "1")
    assert done.returncode == 6 and "netsuke bases fetch smollm2-135m-instruct" in done.stderr
    done = command(tmp_path / "home", "plan", str(folder), "--json")
    assert done.returncode == 6


def test_a_base_that_is_none_is_said_as_typed_and_not_written_into_the_recipe(tmp_path, command):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.md").write_text(document(1))
    done = command(tmp_path / "home", "make", str(tmp_path / "notes"), "--base", "smolm2")
    assert done.returncode == 2 and "no base 'smolm2'" in done.stderr and "recipe:" not in done.stderr
    assert [path.name for path in (tmp_path / "notes").iterdir()] == ["a.md"]
    (tmp_path / "many.toml").write_text('[[make]]\ntarget = "notes"\nbase = "smolm2"\n')
    done = command(tmp_path / "home", "make", str(tmp_path / "many.toml"))
    assert done.returncode == 2 and "no base 'smolm2'" in done.stderr
    assert [path.name for path in (tmp_path / "notes").iterdir()] == ["a.md"]


def test_make_by_recipe_and_by_name_run_nothing_new(made):
    folder, home = made
    for target in (str(folder), str(folder / "netsuke.toml"), "notes"):
        done = netsuke(home, "make", target, "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["name"] == "notes"
        assert "✓" not in done.stderr


@pytest.mark.parametrize("words", [["list"], ["bases"], ["plan", "notes"], ["why", "notes"], ["why", "notes", "tune"],
                                   ["verify"], ["verify", "notes"], ["gc", "--dry-run"], ["consent"],
                                   ["consent", "--history"], ["consent", "show", "notes/note-00.md"],
                                   ["consent", "verify"]])  # fmt: skip
def test_every_result_is_json_when_asked(made, words, command):
    _, home = made
    done = command(home, *words, "--json")
    assert done.returncode == 0, done.stderr
    json.loads(done.stdout)
    plain = command(home, *words)
    assert plain.returncode == 0 and plain.stdout.strip()
    assert all(len(line) <= 80 for line in plain.stdout.splitlines() if "/" not in line)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('minuets = 3\nname = "x"', "did you mean 'minutes'"),
        ('name = "x"\nbase = "b"\nmb = "big"', "line 3"),
        ('name = "x"\nbase = "b"\n[[sources]]\npath = "."\n[tune]\nrnak = 4', "did you mean 'rank'"),
        ("name = x", "line 1"),
        ('name = "x"\nbase = "b"\n[[sources]]\npath = "~nosuchuser/x"', "no home folder '~nosuchuser/x'"),
        ('name = "x"\nbase = "b"\nmb = -4\n[[sources]]\npath = "."', "between"),
    ],
)
def test_a_wrong_recipe_says_where(tmp_path, text, expected, command):
    (tmp_path / "netsuke.toml").write_text(text)
    done = command(tmp_path / "home", "curate", str(tmp_path / "netsuke.toml"))
    assert done.returncode == 2
    assert expected in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("words", "code", "expected"),
    [
        (["make", "/no/such/place"], 2, "no folder, recipe or model"),
        (["chat", "nobody"], 6, "models: notes"),
        (["complete", "nobody", "x"], 6, "no model"),
        (["make", "~nosuchuser/x"], 2, "no home folder"),
        (["plan", "~nosuchuser"], 2, "no home folder"),
        (["make", "notes", "--task", "~nosuchuser/x"], 2, "no home folder"),
        (["make", "notes", "--base", "~nosuchuser/x"], 2, "no home folder"),
        (["bases", "add", "~nosuchuser/x"], 2, "no home folder"),
        (["make", "/tmp/" + "x" * 300], 2, "too long"),
        (["chat", "x" * 300], 6, "not a usable name"),
        (["audit", "--last", "99999999999999999999"], 2, "range"),
        (["complete", "../../etc/passwd", "x"], 6, "no model"),
        (["why", "notes", "flatten"], 2, "netsuke plan"),
        (["bases", "fetch", "gpt-7"], 2, "known:"),
        (["make", "notes", "--set", "tune.rnak=4"], 2, "did you mean 'rank'"),
        (["make", "notes", "--set", "tune.rank"], 2, "no '='"),
        (["make", "notes", "--name", "../x"], 2, "cannot be a model's name"),
        (["make", "notes", "--mb", "lots"], 2, "--mb"),
        (["complete", "notes", "caf\udce9"], 2, "byte 0xe9 after 3 letters is not UTF-8"),
        (["ask", "notes", "\udcff"], 2, "byte 0xff after 0 letters is not UTF-8"),
        (["search", "notes", "\udcff"], 2, "not UTF-8"),
        (["nonsense"], 2, "No such command"),
    ],
)
def test_what_is_typed_wrong_is_named(made, words, code, expected, command):
    _, home = made
    done = command(home, *words)
    assert done.returncode == code, done.stderr
    assert expected in done.stderr and "Traceback" not in done.stderr


def test_a_process_ends_with_the_code_and_says_the_same(made):
    _, home = made
    assert netsuke(home, "list", "--json").returncode == 0
    for words, code, expected in ((["complete", "nobody", "x"], 6, "no model"),
                                  (["complete", "notes", "caf\udce9"], 2, "byte 0xe9 after 3 letters")):  # fmt: skip
        done = netsuke(home, *words)
        assert done.returncode == code and expected in done.stderr and "Traceback" not in done.stderr


def test_the_report_is_read_and_is_json_when_asked(made, command):
    _, home = made
    told = command(home, "report", "notes").stdout
    assert "## What got worse" in told
    costs = re.search(r"To forget one owner, .*: about (.+) where all .*joint.*, about (.+) with one .*per-owner", told)
    assert costs and all(cost.split()[0].isdigit() for cost in costs.groups())
    assert json.loads(command(home, "report", "notes", "--json").stdout)["name"] == "notes"


def test_of_a_folder_that_was_never_made_nothing_changed(store, tmp_path, command):
    with_base(store, tmp_path)
    (tmp_path / "odd näme & co").mkdir()
    (tmp_path / "odd näme & co" / "note.md").write_text(document(1))
    for verb in ("plan", "why"):
        done = command(store.root, verb, str(tmp_path / "odd näme & co"))
        assert done.returncode == 0 and "not made yet" in done.stdout and "changed" not in done.stdout, done.stderr


def test_the_report_as_a_page(made, tmp_path, command):
    _, home = made
    missing = command(home, "report", "notes", "--html", str(tmp_path / "new" / "page.html"))
    assert missing.returncode == 6 and "there is no such folder to write into" in missing.stderr
    assert not (tmp_path / "new").exists()
    (tmp_path / "new").mkdir()
    done = command(home, "report", "notes", "--html", str(tmp_path / "new" / "page.html"))
    assert done.returncode == 0 and "page.html" in done.stdout
    text = (tmp_path / "new" / "page.html").read_text()
    assert "Speed and cost" in text and "generation, tokens per second" in text and "Before and after" in text
    again = command(home, "report", "notes", "--html", str(tmp_path / "new" / "page.html"))
    assert again.returncode != 0 and "--force" in again.stderr
    (tmp_path / "file").write_text("")
    failed = command(home, "report", "notes", "--html", str(tmp_path / "file" / "page.html"))
    assert failed.returncode != 0 and "no such folder" in failed.stderr and "Traceback" not in failed.stderr


def test_a_home_of_nobody_is_named(command):
    done = command("~nosuchuser/x", "list")
    assert done.returncode == 2 and "no home folder" in done.stderr and "Traceback" not in done.stderr


def test_debug_shows_the_traceback(made):
    _, home = made
    assert "Traceback" in netsuke(home, "--debug", "chat", "nobody").stderr


def test_complete_and_chat_answer(made):
    _, home = made
    done = netsuke(home, "complete", "notes", "In the river", "--max-tokens", "8", "--seed", "3")
    assert done.returncode == 0 and done.stdout.startswith("In the river") and len(done.stdout) > 14
    done = netsuke(home, "complete", "notes", "In the river", "--max-tokens", "8", "--json")
    assert json.loads(done.stdout)["completion"]
    done = netsuke(home, "chat", "notes", "--max-tokens", "8")
    assert done.returncode == 0


def test_a_pack_that_was_copied_out_is_used_and_verified(made, tmp_path):
    import shutil

    from netsuke.store import Store

    _, home = made
    store = Store(home)
    shutil.copytree(store.path(store.named("packs", "notes")["ref"]), tmp_path / "mine")
    assert netsuke(home, "verify", str(tmp_path / "mine")).returncode == 0
    assert netsuke(home, "complete", str(tmp_path / "mine"), "In", "--max-tokens", "4").returncode == 0
    path = tmp_path / "mine" / "model.gguf"
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    done = netsuke(home, "verify", str(tmp_path / "mine"))
    assert done.returncode == 6 and "model.gguf" in done.stdout
    assert netsuke(home, "complete", str(tmp_path / "mine"), "In").returncode == 6


def test_another_folder_of_the_same_name_does_not_replace_a_model(made, tmp_path, command):
    _, home = made
    place = write_material(tmp_path / "notes", documents=3)
    done = command(home, "make", str(place.parent))
    assert done.returncode == 2 and "--name" in done.stderr


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_standard_input_is_utf8_whatever_the_locale_and_other_bytes_are_named(tmp_path, encoding):
    given = f"import io, sys; sys.stdin = io.TextIOWrapper(io.BytesIO(b'\\xc3\\xa9 \\xe9'), {encoding!r})"
    done = netsuke(tmp_path, "complete", "nobody", prelude=given)
    assert done.returncode == 2 and "byte 0xe9 after 2 letters is not UTF-8" in done.stderr


def test_closed_standard_input_is_empty(tmp_path):
    done = netsuke(tmp_path, "complete", "nobody", prelude="import sys; sys.stdin = None")
    assert done.returncode == 2 and "no prompt" in done.stderr and "hint:" in done.stderr


@pytest.mark.parametrize("words", [[""], [" \n"]])
def test_an_empty_prompt_is_none(tmp_path, words, command):
    done = command(tmp_path, "complete", "nobody", *words)
    assert done.returncode == 2 and "no prompt" in done.stderr and "hint:" in done.stderr and done.stdout == ""


def test_without_an_adapter_of_its_own_it_is_said_what_can_be_done(store, tmp_path, command):
    (tmp_path / "carved").mkdir()
    (tmp_path / "carved" / "choice.json").write_text('{"pruned": true}')
    carved = store.add_folder(tmp_path / "carved")
    run = {"key": "0" * 64, "output": carved}
    for name, lineage in (("cut", {"tune": run, "carve": run}), ("bare", {})):
        folder = small_pack(tmp_path / name, name).folder
        record = json.loads((folder / "netsuke.json").read_text())
        (folder / "netsuke.json").write_text(json.dumps(record | {"lineage": lineage}))
        store.name("packs", name, {"ref": store.add_folder(folder), "recipe": ""})
    done = command(store.root, "adapter", "cut", str(tmp_path / "out"))
    assert done.returncode == 6 and "netsuke pack cut --to gguf writes all of the model" in done.stderr
    assert "--mb" in done.stderr
    done = command(store.root, "adapter", "bare", str(tmp_path / "out"))
    assert done.returncode == 6 and "is not in this home" in done.stderr


def test_a_folder_with_nothing_to_read_is_curated_and_no_model_is_promised(tmp_path):
    for name, count in (("empty", 0), ("my photos", 2)):
        (tmp_path / name).mkdir()
        for number in range(count):
            (tmp_path / name / f"{number}.png").write_bytes(b"\x89PNG")
        done = netsuke(tmp_path / "home", "curate", str(tmp_path / name))
        assert done.returncode == 0 and f"{count} files" in done.stdout, done.stderr
        assert "makes a model" not in done.stderr
        assert ("Markdown, HTML, PDF, Word" in done.stderr) == (count == 0)
    done = netsuke(tmp_path / "home", "curate", str(tmp_path / "my photos"), "--drops", "emty")
    assert "nothing was left out by emty; what was, by: " in " ".join(done.stdout.split())
    assert max(map(len, done.stdout.splitlines())) <= 80
    done = netsuke(tmp_path / "home", "curate", str(tmp_path / "empty"), "--drops", "all")
    assert done.stdout.strip() == "nothing was left out"
    (tmp_path / "my photos" / "note.md").write_text(document(1))
    done = netsuke(tmp_path / "home", "curate", str(tmp_path / "my photos"))
    assert f"netsuke make '{tmp_path / 'my photos'}' makes a model" in done.stderr


def test_what_the_locale_has_no_letter_for_is_no_traceback(store):
    keys.add(store.root, "k" * 60, models=["m" * 60])
    done = netsuke(store.root, "keys", "list", PYTHONIOENCODING="latin-1")
    assert done.returncode == 0 and "k\\u2026k" in done.stdout, done.stderr


def test_a_copy_onto_a_full_disk_names_the_place_that_is_full(tmp_path):
    full = "def fail(*_):\n    raise OSError(28, 'full', 'from', None, 'to')"
    done = netsuke(tmp_path, "list", prelude=f"{full}\nimport netsuke.cli.looking as it\nit.tell_pending = fail")
    assert done.returncode == 1 and "full: to" in done.stderr and "another disk" in done.stderr


def test_a_model_s_name_wins_over_a_file_that_is_called_so(store, tmp_path, monkeypatch, command):
    with_pack(store, tmp_path)
    (tmp_path / "desk").mkdir()
    (tmp_path / "desk" / "mine").write_text("a shopping list")
    monkeypatch.chdir(tmp_path / "desk")
    done = command(store.root, "verify", "mine")
    assert done.returncode == 0 and done.stdout.startswith("whole"), done.stderr


@pytest.mark.parametrize("words, told", [
    (("mine", "--repair"), "--repair is about the whole store"), (("--accept-template",), "go with a PACK"),
])  # fmt: skip
def test_what_verify_would_not_heed_is_refused(tmp_path, words, told, command):
    done = command(tmp_path / "home", "verify", *words)
    assert done.returncode == 2 and told in done.stderr


def test_a_folder_that_is_no_pack_is_said_to_be_none(tmp_path, command):
    done = command(tmp_path / "home", "verify", str(tmp_path))
    assert done.returncode == 6 and "the folder is no pack" in done.stderr
