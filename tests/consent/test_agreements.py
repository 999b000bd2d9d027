"""Agreements: what a glob names, what a signature holds together, and every way in which one does not count."""

from __future__ import annotations

import shutil
import subprocess
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsuke.consent import agreements
from netsuke.consent.agreements import Agreement, draft, matches, same_name
from netsuke.errors import ConsentError


# -- globs and names -------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("glob", "path", "expected"),
    [
        ("**", "a", True),
        ("**", "a/b/c.md", True),
        (".", "a/b", True),
        ("a.md", "a.md", True),
        ("a.md", "b/a.md", False),
        ("**/a.md", "a.md", True),
        ("**/a.md", "b/c/a.md", True),
        ("b/**/a.md", "b/a.md", True),
        ("b/**/a.md", "b/c/d/a.md", True),
        ("b/**/a.md", "c/b/a.md", False),
        ("*.md", "a.md", True),
        ("*.md", "b/a.md", False),
        ("b/*.md", "b/a.md", True),
        ("b/?.md", "b/a.md", True),
        ("b/?.md", "b/ab.md", False),
        ("b/[ab].md", "b/a.md", True),
        ("b", "b/c/a.md", True),
        ("b/", "b/c/a.md", True),
        ("./b", "b/a.md", True),
        ("b", "bc/a.md", False),
        ("b/c", "b", False),
        ("b/**", "b/c/a.md", True),
        ("**/x/**/y", "a/x/b/x/c/y/d", True),
        ("**/x/**/y", "a/x/b/z", False),
        ("B/a.md", "b/a.md", False),
        ("caf\u00e9/*", "cafe\u0301/a.md", True),
        ("b/tabs [1].md", "b/tabs [1].md", True),
        ("b/tabs [1].md", "b/tabs 1.md", True),
        ("b/tabs [1].md", "b/tabs [1].md.txt", False),
        ("b/[x]", "b/[x]/c/a.md", True),
        ("b/what?", "b/what?/a.md", True),
    ],
)
def test_what_a_glob_names(glob: str, path: str, expected: bool) -> None:
    assert matches(glob, path) is expected


@given(st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=6), st.data())
def test_a_glob_made_from_a_path_names_it(parts: list[str], data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(parts)))
    stop = data.draw(st.integers(start, len(parts)))
    glob = "/".join([*parts[:start], "**", *parts[stop:]])
    assert matches(glob, "/".join(parts))
    assert not matches(glob + "/x", "/".join(parts))


def test_many_stars_are_quick() -> None:
    assert not matches("**/a/" * 40 + "b", "a/" * 2000 + "c")
    assert not matches("*a" * 30 + "b", "a" * 2000)


def test_a_name_is_the_same_in_other_spellings() -> None:
    assert same_name(" Zoe\u0301  Smith") == same_name("zo\u00e9 SMITH") != same_name("Zoe Smith")


def test_an_agreement_covers_its_owners_paths() -> None:
    agreed = Agreement("Ann Smith", ("train-ai",), ("essays", "*.md"), "Ann", "2026-11-02", "", "")
    assert agreed.covers("essays/one.txt", "ann smith") and agreed.covers("a.md", "Ann Smith")
    assert not agreed.covers("a.txt", "Ann Smith")
    assert not agreed.covers("a.md", "Bo") and not agreed.covers("a.md", "me")
    assert not replace(agreed, paths=()).covers("a.md", "Ann Smith")


# -- signatures ------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the keys of two people: ann, ann.pub, bo, bo.pub."""
    if not shutil.which("ssh-keygen"):
        pytest.skip("ssh-keygen is not there")
    folder = tmp_path_factory.mktemp("keys")
    for name in ("ann", "bo"):
        make = f"ssh-keygen -q -t ed25519 -C {name}@example.org".split()
        subprocess.run([*make, "-N", "", "-f", str(folder / name)], check=True)
    return folder


def sign(file: Path, key: Path, namespace: str = agreements.NAMESPACE) -> None:
    file.with_name(f"{file.name}.sig").unlink(missing_ok=True)
    words = ["ssh-keygen", "-q", "-Y", "sign", "-n", namespace, "-f", str(key), str(file)]
    subprocess.run(words, check=True, capture_output=True)


@pytest.fixture
def agreed(tmp_path: Path, keys: Path) -> Path:
    """An agreement of Ann Smith's, signed by her."""
    file = tmp_path / "agreement.toml"
    file.write_text(draft("Ann Smith", "", "2026-11-02", ["essays/**"], "It may be used."))
    sign(file, keys / "ann")
    return file


def public(keys: Path, name: str) -> str:
    return (keys / f"{name}.pub").read_text().strip()


def refusal(path: Path, signers: str, root: Path | None = None) -> ConsentError:
    with pytest.raises(ConsentError) as caught:
        agreements.read(path, signers, root or path.parent)
    assert caught.value.where and "Traceback" not in str(caught.value)
    return caught.value


def test_a_signed_agreement_is_read(agreed: Path, keys: Path) -> None:
    found = agreements.read("agreement.toml", public(keys, "ann"), agreed.parent)
    assert (found.owner, found.by, found.date) == ("Ann Smith", "Ann Smith", "2026-11-02")
    assert (found.allows, found.paths, found.text) == (("train-ai",), ("essays/**",), "It may be used.")
    words = ["ssh-keygen", "-lf", str(keys / "ann.pub")]
    listing = subprocess.run(words, capture_output=True, text=True).stdout
    assert found.signed_by == f"Ann Smith (ED25519 {listing.split()[1]}, 2026-11-02)"


def test_who_may_sign_is_a_line_or_a_file(agreed: Path, keys: Path, tmp_path: Path) -> None:
    def accepts(text: str) -> bool:
        (tmp_path / "signers").write_text(text)
        try:
            return agreements.read(agreed, "signers", tmp_path).owner == "Ann Smith"
        except ConsentError as error:
            assert "may not sign for 'Ann Smith'" in str(error)
            return False

    ann, bo = public(keys, "ann"), public(keys, "bo")
    assert accepts(ann) and accepts(f"# both\n{bo}\n\n{ann}\n") and accepts(f'"Ann Smith" {ann}')
    assert accepts(f'Bo {bo}\n"Ann Smith,Ann" namespaces="{agreements.NAMESPACE}" {ann}\n')
    assert not accepts(bo) and not accepts(f'"Ann Smith" {bo}')
    assert not accepts(f'Bo {ann}\n"Ann Smith" {bo}')  # each is there, for the other
    assert not accepts(f'"Ann Smith" namespaces="git" {ann}')
    assert not accepts("") and not accepts("nonsense\n\xff")


def test_the_date_of_the_agreement_tells_whether_a_key_was_valid(
    agreed: Path, keys: Path, tmp_path: Path
) -> None:
    signers = tmp_path / "signers"
    signers.write_text(f'* valid-after="20260101",valid-before="20261231" {public(keys, "ann")}')
    assert agreements.read(agreed, "signers", tmp_path).date == "2026-11-02"
    signers.write_text(f'* valid-before="20261101" {public(keys, "ann")}')
    assert "expired" in str(refusal(agreed, "signers"))


def test_an_unsigned_agreement_does_not_count(agreed: Path, keys: Path) -> None:
    agreed.with_name("agreement.toml.sig").unlink()
    error = refusal(agreed, public(keys, "ann"))
    assert "not signed" in str(error)
    assert error.hint and f"ssh-keygen -Y sign -n {agreements.NAMESPACE}" in error.hint


@pytest.mark.parametrize(
    "change", ["one letter", "an empty signature", "junk", "cut short", "of another namespace"]
)
def test_a_wrong_signature_does_not_count(agreed: Path, keys: Path, change: str) -> None:
    signature = agreed.with_name("agreement.toml.sig")
    if change == "one letter":
        agreed.write_text(agreed.read_text().replace("essays/**", "**"))
    elif change == "of another namespace":
        sign(agreed, keys / "ann", "file")
    else:
        old = signature.read_text()
        new = {"an empty signature": "", "junk": "\x00junk", "cut short": old[: len(old) // 2]}
        signature.write_text(new[change])
    error = refusal(agreed, public(keys, "ann"))
    assert "does not fit" in str(error) and error.hint and "sign" in error.hint


def test_an_unknown_key_is_named(agreed: Path, keys: Path) -> None:
    sign(agreed, keys / "bo")
    error = refusal(agreed, public(keys, "ann"))
    assert "may not sign for 'Ann Smith': ED25519 SHA256:" in str(error) and "signers" in (error.hint or "")


def test_without_ssh_keygen_nothing_counts(agreed: Path, keys: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(agreed.parent))
    error = refusal(agreed, public(keys, "ann"))
    assert "ssh-keygen is not there" in str(error) and "OpenSSH" in (error.hint or "")


def test_files_that_are_not_there(agreed: Path, tmp_path: Path) -> None:
    assert "cannot be read" in str(refusal(tmp_path / "none.toml", "x"))
    assert "signers cannot be read" in str(refusal(agreed, "none"))
    assert "signers cannot be read" in str(refusal(agreed, "no\0ne"))
    assert "whose signature counts" in str(refusal(agreed, "  "))
    agreed.write_bytes(b"#" * (2 << 20))
    assert "longer than" in str(refusal(agreed, "x"))


TEXT = {
    "owner": '"Ann"', "date": "2026-11-02", "allows": '["train-ai"]', "paths": '["**"]', "statement": '"Yes."'
}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"owner": None}, "'owner' is missing"),
        ({"date": None}, "'date' is missing"),
        ({"owner": '""'}, "'owner' must be a text"),
        ({"owner": '"Ann\\nBo"'}, "'owner' must be a text"),
        ({"owner": "3"}, "'owner' must be a text"),
        ({"by": "[]"}, "'by' must be a text"),
        ({"date": '"soon"'}, "'date' must be a date"),
        ({"date": "2026-11-02T10:00:00"}, "'date' must be a date"),
        ({"allows": "[]"}, "'allows' must be a list"),
        ({"allows": '["search"]'}, "does not allow 'train-ai'"),
        ({"allows": '"train-ai"'}, "'allows' must be a list"),
        ({"paths": "[]"}, "'paths' must be a list"),
        ({"paths": "[1]"}, "'paths' must be a list"),
        ({"statement": "1"}, "'statement' must be a text"),
        ({"until": "2027-01-01"}, "unknown key 'until'"),
        ({"owner": '"\xff'}, "not TOML"),
        ({"paths": "[" * 5000}, "not TOML"),
    ],
)
def test_an_agreement_that_says_it_wrong_is_refused(
    tmp_path: Path, keys: Path, changes: dict[str, str | None], expected: str
) -> None:
    file = tmp_path / "a.toml"
    kept = {key: value for key, value in {**TEXT, **changes}.items() if value is not None}
    file.write_bytes("\n".join(f"{key} = {value}" for key, value in kept.items()).encode("latin-1"))
    sign(file, keys / "ann")
    assert expected in str(refusal(file, public(keys, "ann")))


def test_a_draft_is_what_read_takes(tmp_path: Path, keys: Path) -> None:
    owner = 'Zo\u00e9 "O" \u3000 Smith\\'
    file = tmp_path / "a.toml"
    file.write_text(draft(owner, "Rights, desk", "2026-11-02", ["a b/*"], 'One.\n"Two"'), encoding="utf-8")
    assert tomllib.loads(file.read_text(encoding="utf-8"))["owner"] == owner
    sign(file, keys / "ann")
    found = agreements.read(file, public(keys, "ann"))
    assert (found.owner, found.by, found.text) == (owner, "Rights, desk", 'One.\n"Two"')
    assert found.paths == ("a b/*",) and found.signed_by.startswith("Rights, desk (ED25519 SHA256:")
