"""Who is forgotten has no voice any more: not in the pack, and not in a file of the home."""

import pytest
from forgetting import forget
from test_units import make, write_owners

from netsuke import voices
from netsuke.pack import manifest
from netsuke.step import Local
from netsuke.store import Store


@pytest.mark.slow
def test_a_forgotten_owners_adapter_is_in_no_pack_and_in_no_file(tmp_path, monkeypatch):
    place, store = write_owners(tmp_path), Store(tmp_path / "home")
    make(place, store)
    before = store.named("packs", "notes")["ref"]
    listed = manifest.read(store.path(before))["files"]
    hers = next(one for one in voices.read(store.path(before)) if one.name == "Bea")
    adapter = listed[hers.file]["sha256"]
    assert store.has(adapter)
    ran, work = [], Local._work
    monkeypatch.setattr(Local, "_work", lambda self, step, *rest: ran.append(step.name) or work(self, step, *rest))
    receipt = forget(store, "owner", "Bea")
    assert "tune" not in ran and {"curate", "join", "quantise", "pack"} <= {*ran}
    after = store.named("packs", "notes")["ref"]
    folder = store.path(after)
    assert sorted(one.name for one in voices.read(folder)) == ["Carlo", "me"]
    assert manifest.faults(folder) == [] and not store.has(before) and not store.has(adapter)
    assert adapter not in {facts["sha256"] for facts in manifest.read(folder)["files"].values()}
    assert not [path for path in store.root.rglob(f"*{adapter}*")]
    assert receipt["searched"]["found"] == []
    for letter in (place.parent / "Bea").iterdir():
        letter.unlink()
    never, _ = make(place, Store(tmp_path / "never"))
    assert never.pack.ref == after
