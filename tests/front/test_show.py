"""What a running step shows: how fast it goes, and how long it still takes."""

from netsuke.front import show
from netsuke.plan import Planned
from netsuke.step import Progress
from netsuke.terminal import cut


def lines(monkeypatch, capsys, *looks):
    """What is said where each look is (seconds since the first, Progress)."""
    watcher, clock = show.Watcher(), iter(1000.0 + seconds for seconds, _ in looks)
    watcher.live = False
    monkeypatch.setattr(show.time, "monotonic", lambda: next(clock))
    for _, progress in looks:
        watcher("check", progress)
    return capsys.readouterr().err.splitlines()


def test_each_part_of_a_step_that_counts_has_a_rate_of_its_own(monkeypatch, capsys):
    counted = [(0, 0.1, 100), (25, 0.4, 5100), (26, 0.5, 0), (30, 0.5, 100), (50, 0.9, 2100)]
    looks = [(at, Progress(share, "base" if share < 0.5 else "ours", count, "tokens")) for at, share, count in counted]
    said = lines(monkeypatch, capsys, *looks)
    begun, *rates = said
    assert begun == "  check base"
    assert rates == ["  check  40%, base, 200 tokens/s, 38 s left", "  check  90%, ours, 100 tokens/s, 6 s left"]


def test_what_has_hardly_begun_foretells_nothing(monkeypatch, capsys):
    looks = [(0, Progress(0.0)), (30, Progress(0.02)), (60, Progress(0.5)), (80, Progress(1.0))]
    said = lines(monkeypatch, capsys, *looks)
    assert said == ["  check", "  check   2%", "  check  50%, 60 s left", "✓ check       80 s"]


def test_a_table_is_no_wider_than_a_terminal_and_long_names_keep_their_ends():
    rows = [["model", "MB", "file"], ["a" * 70 + "-1901", "12,345.6", "letters/" + "b" * 70 + ".md"], ["c", "1.0", "d"]]
    table = show.grid(rows, (1,)).splitlines()
    assert max(map(len, table)) == 80 and "12,345.6" in table[1]
    assert "a…" in table[1] and "-1901" in table[1] and "letters/b" in table[1] and table[1].endswith(".md")
    assert show.grid([["x", "1"], ["short", "22"]], (1,)) == "x       1\nshort  22"


def test_why_a_step_would_run_is_told_whole():
    why = "; ".join(f"setting_{number} was 1, is 2" for number in range(9))
    for told in (show.plan([Planned("tune", "", False, why)], 60, 0), show.why([Planned("tune", "", False, why)])):
        assert max(map(len, told.splitlines())) <= 80 and why in " ".join(told.split())


def test_what_was_left_out_and_what_differs_go_on_below_the_name():
    rows = [{"rule": "near duplicate", "path": f"letters/{number}.md", "detail": "alike " * 20} for number in (1, 2)]
    told = show.drops(rows).splitlines()
    assert max(map(len, told)) <= 80 and sum(not line.startswith("  ") for line in told) == 2
    below = show.wrapped(["settings   " + "carve, tune, " * 12], 11)
    assert len(below) > 1 and all(line[:11].isspace() and line[11] in "ct" for line in below[1:])


def test_a_name_is_cut_to_its_place_and_moves_no_terminal():
    assert cut("Ann\u00a0Smith", 24) == "Ann\u00a0Smith", "a space that does not break moves nothing"
    assert cut("Ann\x1b[2J\u202e\udcff", 24) == "Ann\ufffd[2J\ufffd\ufffd"
    assert [cut("a/long/path.md", width) for width in (14, 6, 1)] == ["a/long/path.md", "a/lon…", "…"]
    assert [cut("a/long/path.md", width, left=True) for width in (14, 6, 1)] == ["a/long/path.md", "…th.md", "…"]
