"""What a running step shows: how fast it goes, and how long it still takes."""

from netsuke import show
from netsuke.step import Progress


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
