"""What the studio shows of a document that was read."""

from netsuke.curate import ReadParams, read
from netsuke.nouns import Ref
from netsuke.step import Job, Local
from netsuke.studio import texts


def test_a_phone_has_one_placeholder_in_all_its_spellings(store):
    text = "Call the office: Tel {} or {}, whenever there is somebody to answer."
    file = store.add_bytes(text.format("030 12345678", "+49 30 12345678").encode())
    Local(store).map(read, [Job("read a", ReadParams(countries=("DE",)), {"file": Ref(file)})])
    assert texts.read(store, file, "me") == text.format("[PHONE_1]", "[PHONE_1]")
