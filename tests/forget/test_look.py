"""Looking for pieces: wherever they stand in a file, whatever stands around them, and nothing else is found."""

import json

from hypothesis import given
from hypothesis import strategies as st

from netsuke.forget import look
from netsuke.forget.look import Searcher

PIECES = [f"{n:03} and the quiet river of the mill went on and on".encode() for n in range(30)]


@given(st.lists(st.tuples(st.binary(max_size=70), st.sampled_from(PIECES)), max_size=6), st.binary(max_size=40))
def test_exactly_what_stands_there_is_found(parts, end):
    data = b"".join(noise + piece for noise, piece in parts) + end
    assert Searcher(PIECES).find(data) == {piece for piece in PIECES if piece in data}


@given(st.integers(-60, 60), st.sampled_from(PIECES))
def test_a_piece_across_two_chunks_is_found(tmp_path_factory, shift, piece):
    file = tmp_path_factory.mktemp("look") / "file"
    file.write_bytes(b"\0" * (look._CHUNK + shift) + piece + b"\1" * 5)
    assert Searcher(PIECES).find_in(file) == {piece}


def test_half_a_piece_is_none_and_no_piece_finds_nothing():
    assert Searcher(PIECES).find(PIECES[0][:-1] + b"x") == set()
    assert Searcher([]).find(b"x" * 100) == set()


def test_every_file_of_a_home_is_looked_at_but_those_that_keep_hashes(tmp_path):
    text = "die Straße über den Fluß führt nach Köln, und dort steht ein Turm"
    for name, said in (("objects/ab/one", text.encode()), ("makes/1/events.jsonl", json.dumps(text).encode()),
                       ("ledger.db", text.encode()), ("receipts/a", text.encode()), ("other", b"none")):  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"before " + said + b" behind")
    (tmp_path / "folders").mkdir()
    (tmp_path / "folders" / "linked").hardlink_to(tmp_path / "objects" / "ab" / "one")
    found = [path.relative_to(tmp_path).as_posix() for path in look.look(tmp_path, [text], lambda path: False)]
    assert found == ["folders/linked", "makes/1/events.jsonl", "objects/ab/one"]
    skipped = look.look(tmp_path, [text], lambda path: path.name == "one")
    assert "objects/ab/one" not in {path.relative_to(tmp_path).as_posix() for path in skipped}


def test_pieces_are_of_signs_that_every_file_writes_alike():
    text = "short\n" + "a \"quoted\" line that JSON writes in another way, however long it may be " * 2 + "\n"
    assert look._tried(text) and not any('"' in piece or "\n" in piece for piece in look._tried(text))
    lines = "\n".join(f"line {n} of a text that is long enough to be looked for somewhere" for n in range(100))
    found = look._tried(lines)
    assert len(found) >= 100 and all(len(piece) == look.LENGTH and piece in lines for piece in found)
    quote = lines.split("\n")[7][3:62]
    assert any(piece in quote for piece in found)
