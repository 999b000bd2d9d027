"""Of what a notice speaks: of the file that it stands in, or of a photo, or of other software."""

import pytest
from rights.licence_texts import APACHE, CC_BY

from netsuke.consent.decide import licence_allows
from netsuke.rights import licences
from netsuke.rights.licences import in_text

WALK = "\n\nWe walked down to the river and looked at the boats.\n\n"


@pytest.mark.parametrize(
    "notice",
    ["*Photo by Ana Silva, licensed under CC BY 4.0*", "Photo: João Sousa, licensed under CC BY 4.0",
     "Photo: Wikimedia, licensed under CC BY-SA 4.0.", "Photo by Ana Silva.\nLicensed under CC BY 4.0",
     "Ana Silva\nLicensed under CC BY 4.0", "This image is licensed under CC BY 4.0.",
     "In this article, images are licensed under CC BY 4.0.", "Hugo is licensed under the Apache License 2.0.",
     "Kubernetes is licensed under the Apache License 2.0", "It is licensed under the MIT License.",
     "The source code of this page is licensed under the MIT License.",
     "This page's code is licensed under the MIT License.", "The library is licensed under the MIT License.",
     "Powered by Hugo. Licensed under the Apache License 2.0.", "Porto is licensed under the MIT License.",
     "<p>React is licensed under the MIT License.</p>"],
)  # fmt: skip
@pytest.mark.parametrize("before", ["", "© 2024 Jane Doe. All rights reserved."])
def test_a_notice_about_something_else_licenses_nothing(notice, before):
    for text in (f"# A walk in Porto\n\n{before}{WALK}{notice}\n", f"# A walk in Porto\n\n{before}\n\n{notice}{WALK}",
                 f"# A walk in Porto\n\n{before}\n{notice}{WALK}"):  # fmt: skip
        assert in_text(text) is None


@pytest.mark.parametrize(
    "notice",
    ["This work is licensed under CC BY 4.0.", "*Licensed under CC BY 4.0*",
     "© 2024 Jane Doe, licensed under CC BY 4.0.",
     "© 2024 Jane Doe. All rights reserved.\nLicensed under CC BY 4.0.", "A walk is licensed under CC BY 4.0.",
     "The walk, by Jane\n© 2024 Jane Doe\nLicensed under CC BY 4.0",
     "Permission is granted to copy, distribute and/or modify this document under CC BY 4.0",
     "This file is part of Porto Walks.\n\nPorto Walks is licensed under CC BY 4.0"],
)  # fmt: skip
def test_a_notice_about_the_file_counts(notice):
    for text in (f"# A walk{WALK}{notice}\n", f"A walk\n======\n\n{notice}{WALK}"):
        found = in_text(text)
        assert found and found.expression == "CC-BY-4.0"
    found = in_text(f"{WALK}{notice}", title="A walk")
    assert found and found.expression == "CC-BY-4.0"


def test_a_stricter_notice_is_not_passed_over_for_its_subject():
    for said in ("Porto Walks is licensed under CC BY-NC 4.0.", "Porto Walks is licensed under the GPL version 3."):
        found = in_text(f"# A walk{WALK}{said}\n")
        assert found and not licence_allows(found.expression, ["GPL-3.0-only"])


def test_rights_that_are_reserved_elsewhere_are_heard():
    found = in_text(f"© 2024 Jane Doe. All rights reserved.{WALK}{CC_BY}")
    assert found and found.expression == f"CC-BY-4.0 AND {licences.FORBIDDEN}"
    assert not licence_allows(found.expression)
    beside = in_text(f"© 2024 Jane Doe. All rights reserved.\n\n{CC_BY}{WALK}")
    comment = in_text("# Copyright 2020 Example Inc. All rights reserved.\n#\n# It was made from older work.\n#\n"
                      + "".join(f"# {line}\n" for line in APACHE.splitlines()))  # fmt: skip
    assert beside and comment and (beside.expression, comment.expression) == ("CC-BY-4.0", "Apache-2.0")
