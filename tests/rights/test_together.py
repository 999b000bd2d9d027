"""Licences that exclude each other are told, those that go together are not."""

import pytest

from netsuke.rights.together import TABLE, excluded


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("CC-BY-SA-4.0", "GPL-2.0-only"),
        ("CC-BY-SA-3.0", "GPL-3.0-only"),
        ("CC-BY-NC-4.0", "GPL-3.0-or-later"),
        ("CC-BY-NC-SA-4.0", "CC-BY-SA-4.0"),
        ("CC-BY-ND-4.0", "MIT"),
        ("CC-BY-NC-ND-4.0", "CC0-1.0"),
        ("GPL-2.0-only", "Apache-2.0"),
        ("GFDL-1.3-only", "CC-BY-SA-4.0"),
        ("BSD-4-Clause", "AGPL-3.0-only"),
        ("GPL-2.0-only AND MIT", "Apache-2.0 OR GPL-3.0-only"),
    ],
)
def test_these_exclude_each_other_whoever_comes_first(one, other):
    assert excluded([one], [other])[:2] == (one, other)
    assert excluded(["MIT", one], ["0BSD", other]) is not None
    assert excluded([other], [one])[2] == excluded([one], [other])[2] != ""


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("CC-BY-SA-4.0", "GPL-3.0-only"),
        ("CC-BY-SA-4.0", "CC-BY-SA-3.0"),
        ("CC-BY-NC-4.0", "MIT"),
        ("CC-BY-ND-4.0", "CC-BY-ND-4.0"),
        ("CC-BY-ND-4.0", "unknown"),
        ("GPL-2.0-or-later", "Apache-2.0"),
        ("GPL-2.0-only OR MIT", "Apache-2.0"),
        ("LicenseRef-house", "GPL-2.0-only"),
        ("unknown", "GPL-2.0-only"),
        ("", "CC-BY-SA-4.0"),
    ],
)
def test_these_go_together(one, other):
    assert excluded([one], [other]) is None


def test_each_row_of_the_table_says_why():
    assert all(why and left and right for left, right, why in TABLE)
