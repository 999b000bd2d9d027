"""The children that read: one that dies, hangs or prints costs one file; none outlives its parent."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from made_documents import SAMPLES

from netsuke.curate.child import Child, ChildDied, Children
from netsuke.curate.read import read_file
from netsuke.errors import EngineError

ROOT = Path(__file__).parents[2]
# `examine` gives back what was read, after it did what the file's text says.
DOES = """
from netsuke.curate.worker import main
def examine(raw, options):
    if raw["text"].startswith("do: "):
        exec(raw["text"].removeprefix("do: "))
    return raw
main(examine)
"""


@pytest.fixture(scope="module")
def pool() -> Iterator[Children]:
    made = Children(2, DOES)
    yield made
    made.close()
    assert made.pids == []


@pytest.fixture(scope="module")
def child() -> Iterator[Child]:
    made = Child(DOES)
    yield made
    made.close()
    assert made.pid is None


def request(
    folder: Path, data: bytes | str, name: str = "file", suffix: str = ".txt", **more: Any
) -> dict[str, Any]:
    path = folder / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    about = {
        "path": str(path),
        "suffix": suffix,
        "bytes": path.stat().st_size,
        "out": str(folder / f"{name}.json"),
    }
    return {**about, "options": {}, "seconds": 20, "memory_mb": 1000, **more}


def written(asked: dict[str, Any]) -> Any:
    return json.loads(Path(asked["out"]).read_bytes())


def process_state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "gone"


def has_ended(pid: int) -> bool:
    for _ in range(1000):
        if process_state(pid) in ("gone", "Z"):
            return True
        time.sleep(0.01)
    return False


def test_a_child_writes_what_it_read_and_answers_with_its_length(tmp_path: Path, child: Child) -> None:
    asked = request(tmp_path, "Grüße")
    assert child.ask(asked, 20) == {"ok": (tmp_path / "file.json").stat().st_size}
    assert written(asked) == {"text": "Grüße", "reader": "text (utf-8)", "title": "", "pages": [], "suffix": ".txt",
                              "bytes": 7, "markup": None, "path": asked["path"]}  # fmt: skip
    first = child.pid
    assert "drop" in child.ask(request(tmp_path, b"\0"), 20) and child.pid == first


@pytest.mark.parametrize(
    ("does", "told"),
    [
        ("import os; os.kill(os.getpid(), 9)", "was killed \\(SIGKILL\\)"),
        ("import os; os.kill(os.getpid(), 11)", "crashed \\(SIGSEGV\\)"),
        ("import os; os.abort()", "out of memory\\?"),
        ("import os; os._exit(3)", "exit code 3"),
    ],
)
def test_a_crash_costs_one_file(tmp_path: Path, child: Child, does: str, told: str) -> None:
    with pytest.raises(ChildDied, match=told):
        child.ask(request(tmp_path, f"do: {does}"), 20)
    assert "ok" in child.ask(request(tmp_path, "Still read."), 20)


@pytest.mark.parametrize("times", [1, 9])
def test_a_child_that_others_kill_is_not_the_files_fault(tmp_path, pool, monkeypatch, times) -> None:
    """The kernel ends one where memory is short: the file is tried again, and never left out for it."""
    monkeypatch.setattr(sys.modules[read_file.__module__], "children", pool)  # the package has a step of that name
    file, out = tmp_path / "note.txt", tmp_path / "note.json"
    kills = f"import os; p = {str(tmp_path / 'kills')!r}; n = os.path.exists(p) and os.path.getsize(p)"
    file.write_text(f"do: {kills}; open(p, 'a').write('x'); n < {times} and os.kill(os.getpid(), 9)")
    if times == 1:
        read_file(file, ".txt", 20, out, {})
        assert "drop" not in json.loads(out.read_text())
        return
    with pytest.raises(EngineError, match="the reader was killed; is memory short") as told:
        read_file(file, ".txt", 20, out, {})
    assert told.value.where == str(file) and not out.exists()


@pytest.mark.parametrize("does", ["while True: pass", "import time; time.sleep(99)"])
def test_a_file_that_takes_too_long_is_given_up(tmp_path: Path, child: Child, does: str) -> None:
    with pytest.raises(ChildDied, match="not read within 0.5 seconds"):
        child.ask(request(tmp_path, f"do: {does}"), 0.5)
    assert child.pid is None
    assert "ok" in child.ask(request(tmp_path, "Still read."), 20)


@pytest.mark.slow
def test_time_of_the_processor_has_a_limit_and_waiting_has_none(tmp_path: Path, child: Child) -> None:
    assert "ok" in child.ask(request(tmp_path, "do: import time; time.sleep(2.2)", seconds=1), 20)
    with pytest.raises(ChildDied, match="it takes longer to read than a file of its size may"):
        child.ask(request(tmp_path, "do: while True: pass", seconds=1), 20)


def test_a_child_that_died_between_two_files_is_not_missed(tmp_path: Path, child: Child) -> None:
    child.ask(request(tmp_path, "text"), 20)
    assert child.pid
    os.kill(child.pid, signal.SIGKILL)
    while child.pid is not None:
        time.sleep(0.01)
    assert "ok" in child.ask(request(tmp_path, "Still read."), 20)


def test_memory_has_a_limit_that_leaves_what_was_loaded_alone(tmp_path: Path, pool: Children) -> None:
    if not Path("/proc/self/statm").exists():
        pytest.skip("this system bounds no memory")
    greedy = "do: x = [bytearray(10_000_000) for _ in range({})]"
    assert "ok" in pool.ask(request(tmp_path, greedy.format(15), memory_mb=200), 20)
    answer = pool.ask(request(tmp_path, greedy.format(25), memory_mb=200), 20)
    assert answer == {"drop": {"rule": "too large", "detail": "it needs more than 200 MB of memory"}}
    assert "ok" in pool.ask(request(tmp_path, greedy.format(25), memory_mb=1000), 20)


def test_what_a_parser_prints_or_reads_is_no_part_of_the_talk(tmp_path: Path, pool: Children) -> None:
    does = (
        'import os, sys; print("{}", flush=True); os.write(1, b"x\\n"); os.system("echo y"); sys.stdin.read()'
    )
    for _ in range(2):
        assert "ok" in pool.ask(request(tmp_path, f"do: {does}"), 20)


def test_an_error_in_what_examines_is_told_apart(tmp_path: Path, pool: Children) -> None:
    drop = pool.ask(request(tmp_path, "do: raise KeyError('this')"), 20)["drop"]
    assert drop == {"rule": "unreadable", "detail": "examine: KeyError('this')"}


def test_where_nothing_can_be_written_the_file_is_not_blamed(tmp_path: Path, pool: Children) -> None:
    asked = request(tmp_path, "text", out=str(tmp_path / "gone" / "out.json"))
    assert pool.ask(asked, 20) == {"unwritten": errno.ENOENT}
    if Path("/dev/full").exists():
        assert pool.ask(request(tmp_path, "text", out="/dev/full"), 20) == {"unwritten": errno.ENOSPC}


def test_a_file_that_changes_or_is_another_is_not_read(tmp_path: Path, pool: Children) -> None:
    def detail(**more: Any) -> str:
        return str(pool.ask(request(tmp_path, "text", **more), 20)["drop"]["detail"])

    assert detail(bytes=3) == "it changed while it was read"
    assert detail(path=str(tmp_path / "gone")) == "No such file or directory"
    os.mkfifo(tmp_path / "pipe")
    assert detail(path=str(tmp_path / "pipe")) == "it changed while it was read"
    assert detail(path="/dev/zero", bytes=0) == "it changed while it was read"


def test_a_file_that_grows_while_it_is_read(
    tmp_path: Path, pool: Children, monkeypatch: pytest.MonkeyPatch
) -> None:
    from netsuke.curate import worker
    from netsuke.readers.pages import Found, Refused

    path = tmp_path / "log.txt"
    path.write_text("one\n")

    def read_slowly(file: Any, suffix: str) -> tuple[Found, str]:
        with path.open("a") as log:
            log.write("two\n")
        return Found("one\n"), "text"

    monkeypatch.setattr(worker, "_plain", read_slowly)
    with pytest.raises(Refused, match="changed while it was read"):
        worker.raw_of(path, ".txt", 4)


def test_threads_have_a_child_each_and_wait_for_one(tmp_path: Path, pool: Children) -> None:
    # Each writes its name and waits until another one has: with one child for both, this would never end.
    does = (
        "import os, time, pathlib; here = pathlib.Path(raw['path']).parent\n"
        "(here / f'pid-{os.getpid()}').touch()\n"
        "while len(list(here.glob('pid-*'))) < 2: time.sleep(0.01)"
    )
    asked = [request(tmp_path, f"do: {does}", f"{number}") for number in range(8)]
    answers: list[dict[str, Any]] = []
    threads = [threading.Thread(target=lambda one=one: answers.append(pool.ask(one, 20))) for one in asked]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 8 and all("ok" in answer for answer in answers)
    assert len(list(tmp_path.glob("pid-*"))) == 2 == len(pool.pids)
    assert [written(one)["path"] for one in asked] == [one["path"] for one in asked]


def test_one_thread_needs_one_child(tmp_path: Path) -> None:
    pool = Children(2, DOES)
    for _ in range(3):
        pool.ask(request(tmp_path, "text"), 20)
    (pid,) = pool.pids
    pool.close()
    assert has_ended(pid)


@pytest.mark.filterwarnings("ignore:This process")  # that it is multi-threaded: the point of the test
def test_after_a_fork_each_has_its_own(tmp_path: Path, pool: Children) -> None:
    pool.ask(request(tmp_path, "text"), 20)
    before = pool.pids
    pid = os.fork()
    if pid == 0:  # the forked one: nothing of pytest may run here
        try:
            asked = request(tmp_path, "forked", "forked")
            good = pool.pids == [] and "ok" in pool.ask(asked, 20) and pool.pids != before
            pool.close()
            os._exit(0 if good else 1)
        finally:
            os._exit(2)
    assert os.waitpid(pid, 0)[1] == 0
    assert pool.pids == before and "ok" in pool.ask(request(tmp_path, "text"), 20)
    assert written({"out": tmp_path / "forked.json"})["text"] == "forked"


def run(code: str, *arguments: str, before: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [*before, sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=ROOT,
    )
    return done


ASK = """
import json, os, sys
from netsuke.curate.child import Children
pool = Children(1, sys.argv[1])
answer = pool.ask(json.loads(sys.argv[2]), 20)
"""


@pytest.mark.parametrize("ending", ["", "os.kill(os.getpid(), 9)", "sys.exit(3)"])
def test_a_child_ends_with_its_parent(tmp_path: Path, ending: str) -> None:
    asked = json.dumps(request(tmp_path, "text"))
    done = run(f"{ASK}\nprint(*pool.pids, flush=True)\n{ending}", DOES, asked)
    assert has_ended(int(done.stdout)), done.stderr


def test_a_child_has_a_session_of_its_own_one_thread_and_no_other_rank(tmp_path: Path) -> None:
    names = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "PYTHONHASHSEED")
    told = f"[os.getsid(0), os.nice(0), *(os.environ[name] for name in {names})]"
    own = Child(f"import os\nfrom netsuke.curate.worker import main\nmain(lambda raw, options: {told})")
    asked = request(tmp_path, "text")
    own.ask(asked, 20)
    assert written(asked) == [own.pid, os.nice(0), "1", "1", "0"]
    own.close()


def test_a_child_takes_no_module_from_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("json", "pypdf", "kreuzberg", "html"):
        (tmp_path / f"{name}.py").write_text("import os; os._exit(3)")
    monkeypatch.chdir(tmp_path)
    own = Child(DOES)
    assert "ok" in own.ask(request(tmp_path, SAMPLES[".pdf"][0], suffix=".pdf"), 20)
    own.close()


def test_a_child_that_does_not_start_is_no_fault_of_the_file(tmp_path: Path) -> None:
    for code, told in [("raise SystemExit(7)", "exit code 7"), ("print(end='')", "exit code 0")]:
        with pytest.raises(EngineError, match=f"does not start.*{told}") as caught:
            Child(code).ask(request(tmp_path, "text"), 20)
        assert caught.value.hint


def test_no_socket_is_opened_but_a_pair_inside_and_none_is_needed(tmp_path: Path) -> None:
    asked = [request(tmp_path, data, suffix, suffix) for suffix, (data, _) in SAMPLES.items()]
    code = (
        "import json, os, sys\nfrom netsuke.curate.child import Children\npool = Children(1, sys.argv[1])\n"
        "for line in sys.argv[2:]: assert 'ok' in pool.ask(json.loads(line), 20), line\n"
        "inodes = {os.readlink(f'/proc/{pool.pids[0]}/fd/{fd}') for fd in os.listdir(f'/proc/{pool.pids[0]}/fd')}\n"
        "nets = [line for name in ('tcp', 'tcp6', 'udp', 'udp6') if os.path.exists(f'/proc/net/{name}')\n"
        "        for line in open(f'/proc/net/{name}')]\n"
        "assert not [i for i in inodes if i.startswith('socket:[') and any(i[8:-1] in n.split() for n in nets)], inodes"
    )
    block = (
        "import socket\n"
        "def none(*arguments, **names): raise AssertionError('a socket')\n"
        "socket.socket = socket.create_connection = socket.getaddrinfo = none\n" + DOES
    )
    lonely = ("unshare", "-rn")
    can = shutil.which("unshare") and subprocess.run([*lonely, "true"], capture_output=True).returncode == 0
    done = run(code, block, *map(json.dumps, asked), before=lonely if can else ())
    assert done.returncode == 0, done.stderr
