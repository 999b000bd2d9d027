"""Which licence a file has: tags, notices, texts, REUSE, DEP-5, metadata; none else is called free."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rights.licence_texts import APACHE, BSD_3, CC_BY, FREE, GPL_2, ISC, MIT, NOT_FREE

from netsuke.consent.decide import licence_allows
from netsuke.rights import licence_declared as declared
from netsuke.rights import licence_names, licences
from netsuke.rights.licences import Licence, around, chosen, identify, in_page, in_text


# -- texts and notices -----------------------------------------------------------------------------------
@pytest.mark.parametrize("name", FREE)
def test_a_text_is_told_however_it_is_dressed(name):
    text = FREE[name]
    holder = (
        "Copyright (c) 2020-2024 Renée O'Hara <renee@example.org> and contributors. All rights reserved.\n\n"
    )
    assert identify(text) == name
    assert identify(holder + text) == name
    assert identify("\n".join(f" * {line}" for line in (holder + text).splitlines())) == name
    assert identify(" ".join(text.upper().split())) == name


def test_the_whole_text_of_a_licence_is_told():
    assert identify((Path(__file__).parents[2] / "LICENSE").read_text()) == "Apache-2.0"


def test_titles_and_names_belong_to_a_licence():
    assert identify("The MIT License (MIT)\n\nCopyright © 2021 Grant Example\n\n" + MIT) == "MIT"
    assert (
        identify("BSD 3-Clause License\n\nCopyright (c) 2019, Mark Will\nAll rights reserved.\n\n" + BSD_3)
        == "BSD-3-Clause"
    )
    assert identify(BSD_3.replace("THE COPYRIGHT HOLDER", "EXAMPLIA NETZ, INC.")) == "BSD-3-Clause"
    open_words = BSD_3.replace("Examplia Netz", "Open Model Builders")
    assert identify(open_words) is None
    assert identify("Copyright 2020 Open Model Builders\n\n" + open_words) == "BSD-3-Clause"
    clause = """
Except as contained in this notice, the name of the X Consortium shall not be used in advertising or otherwise
to promote the sale, use or other dealings in this Software without prior written authorization from the X
Consortium."""
    assert identify(MIT + clause) == "X11"


ONE_LINE = " ".join(GPL_2.split())
NOTICES = {
    "GPL-2.0-or-later": GPL_2,
    "GPL-2.0-only": ONE_LINE.replace("either version 2", "version 2").replace(
        ", or (at your option) any later version", ""
    ),
    "LGPL-2.1-or-later": ONE_LINE.replace("General", "Lesser General")
    .replace("version 2", "version 2.1")
    .replace("/GPL-2", "/LGPL-2.1"),
    "GPL-3.0-or-later": "Licensed under the GPL version 3 or later",
    "AGPL-3.0-only": "This file is under version 3 of the GNU Affero General Public License.",
    "MPL-2.0": "This Source Code Form is subject to the terms of the Mozilla Public License, v. 2.0. If a "
    "copy of the MPL was not distributed with this file, You can obtain one at https://mozilla.org/MPL/2.0/.",
    "Apache-2.0": "On Debian systems, the full text of the Apache License, Version 2.0 can be found in the "
    "file `/usr/share/common-licenses/Apache-2.0'.",
    "CC-BY-SA-4.0": CC_BY.replace("Attribution", "Attribution-ShareAlike"),
    "GFDL-1.3-no-invariants-or-later": "Permission is granted to copy, distribute and/or modify this "
    "document under the terms of the GNU Free Documentation License, Version 1.3 or any later version "
    "published by the Free Software Foundation; with no Invariant Sections, no Front-Cover Texts, and no "
    "Back-Cover Texts.",
}


@pytest.mark.parametrize("name", NOTICES)
def test_a_notice_is_told(name):
    assert identify(NOTICES[name]) == name


@pytest.mark.parametrize(
    "text",
    ["", "MIT", "All rights reserved.", "Copyright 2020 Example Inc. All rights reserved.", "See LICENSE.",
     "This document compares the MIT license with the GNU General Public License.",
     "Use of this source code is governed by a BSD-style license that can be found in the LICENSE file.",
     "On Debian systems, the GNU General Public License is in /usr/share/common-licenses/GPL-2.",
     GPL_2 + "\nAs a special exception, you may link this program with anything.",
     MIT + "\n" + BSD_3, MIT + "See also my other terms."],
)  # fmt: skip
def test_what_is_not_sure_is_not_told(text):
    assert identify(text) is None


@pytest.mark.parametrize("trap", NOT_FREE)
def test_nothing_else_is_called_free(trap):
    assert not licence_allows(identify(NOT_FREE[trap]) or "")


RESTRICTIONS = st.sampled_from(
    ["non-commercial", "noncommercial", "This may not be used for training.", "for research only",
     "except by companies", "You may not sell it.", "NOT FOR MILITARY USE", "unless a fee is paid",
     "without modification only", "for Good, not Evil"]
)  # fmt: skip


@given(name=st.sampled_from(sorted(FREE)), restriction=RESTRICTIONS, at=st.floats(0, 1), lines=st.booleans())
@settings(max_examples=150, deadline=None)
def test_a_restriction_anywhere_breaks_it(name, restriction, at, lines):
    words = FREE[name].split(" ")
    words.insert(round(at * len(words)), f"\n\n{restriction}\n\n" if lines else restriction)
    assert not licence_allows(identify(" ".join(words)) or "")


@given(st.text(max_size=400))
@settings(max_examples=150, deadline=None)
def test_any_text_has_an_answer(text):
    identify(text)
    in_text(text)
    for name in ("pyproject.toml", "package.json", "Cargo.toml", "setup.cfg", "METADATA"):
        declared.metadata(name, text)
    for rules in (declared.reuse_rules, declared.dep5_rules, declared.reuse_dep5_rules):
        for rule in rules(text):
            rule.pattern.fullmatch(text)
    licence_names.dep5(text)


@pytest.mark.parametrize(
    "unit", ["under the terms of ", "a", "a-", "b.", " ", "a.b@", "copyright ", "(c)", "creative commons by "]
)
def test_a_long_text_is_not_a_slow_one(unit):
    text = (unit * 200_000)[:50_000]
    assert identify(text) is None
    assert identify(text * 10) is None
    assert declared.metadata("pyproject.toml", text) == declared.Declared()


# -- in a file -------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "text, expression",
    [
        ("# SPDX-License-Identifier: MIT\n", "MIT"),
        ("// spdx-license-identifier: mit\r\nint x;\r\n", "MIT"),
        ("/* SPDX-License-Identifier: (GPL-2.0+ OR BSD-3-Clause) */\n", "GPL-2.0-or-later OR BSD-3-Clause"),
        ("<!--\nSPDX-License-Identifier: CC-BY-4.0\n-->\n", "CC-BY-4.0"),
        ("# SPDX-License-Identifier: MIT\n# SPDX-License-Identifier: ISC OR Zlib\n", "MIT AND (ISC OR Zlib)"),
        ("# SPDX-License-Identifier: MIT\n" + "x = 1\n" * 2000 + "# SPDX-License-Identifier: GPL-3.0-only\n",
         "MIT AND GPL-3.0-only"),
        ("# SPDX-License-Identifier: LicenseRef-Acme\n", "LicenseRef-Acme"),
        ("# SPDX-License-Identifier: Proprietary, ask us\n", "Proprietary, ask us"),
        ("# SPDX-FileCopyrightText: A\n# SPDX-License-Identifier: GPL-2.0 WITH Classpath-exception-2.0\n",
         "GPL-2.0-only WITH Classpath-exception-2.0"),
    ],
)  # fmt: skip
def test_tags_are_read(text, expression):
    found = in_text(text)
    assert found and found.expression == expression and found.how == "SPDX tag"


@pytest.mark.parametrize(
    "text",
    ["", "plain words\n", "# SPDX-FileCopyrightText: 2019 Example\n",
     "x = 1\n" * 2000 + "# SPDX-License-Identifier: MIT\n",
     "# REUSE-IgnoreStart\n# SPDX-License-Identifier: MIT\n# REUSE-IgnoreEnd\n",
     "# REUSE-IgnoreStart\n# SPDX-License-Identifier: MIT\n",
     "Write SPDX-License-Identifier: MIT into each file.\n",
     "Proprietary drivers, confidential computing and non-commercial fishing are treated below.\n"],
)  # fmt: skip
def test_what_only_speaks_of_tags_has_none(text):
    assert in_text(text) is None


def test_a_tag_tells_its_line():
    text = "#!/bin/sh\n# REUSE-IgnoreStart\n# x\n# REUSE-IgnoreEnd\n# SPDX-License-Identifier: ISC\n"
    assert in_text(text) == Licence("ISC", "SPDX tag", "line 5")


def test_notices_at_the_start_or_the_end_count():
    head = "#!/usr/bin/python\n# tool.py - it does things\n# Copyright 2020 Example Inc.\n#\n"
    code = "\n\nimport os\n" + "print(os.name)\n" * 1000
    commented = "".join(f"# {line}\n" for line in APACHE.splitlines())
    assert in_text(head + commented + code) == Licence("Apache-2.0", "notice", "line 5")
    assert in_text("A title\n\n" + "Words.\n" * 2000 + "\n" + CC_BY) == Licence(
        "CC-BY-4.0", "notice", "line 2004"
    )
    assert in_text("Words.\n" * 1000 + "\n" + CC_BY + "\n" + "Words.\n" * 1000) is None
    both = in_text(f"{CC_BY}\nThe code is licensed under the MIT license.\n")
    assert both and both.expression == "CC-BY-4.0 AND MIT"


def test_a_notice_that_forbids_is_not_passed_over():
    reserved = in_text(
        "Copyright 2020 Example Inc. All rights reserved. Proprietary and confidential.\n\ncode\n"
    )
    assert reserved == Licence(licences.FORBIDDEN, "notice", "line 1")
    nc = in_text("Title\n\n" + NOT_FREE["CC-BY-NC"] + "\n\nText.\n")
    assert nc and nc.expression == "CC-BY-NC-4.0"


@pytest.mark.parametrize(
    "text, expression",
    [
        ("---\ntitle: x\nlicense: CC-BY-NC-ND-4.0\n---\n# A walk\n", "CC-BY-NC-ND-4.0"),
        ("---\r\nlicence: 'CC BY 4.0' # ours\r\n---\r\nWords.\r\n", "CC-BY-4.0"),
        ("---\nlicense:\n  - mit\n  - cc-by-4.0\n---\n", "MIT AND CC-BY-4.0"),
        ("---\nlicense: [mit, Apache-2.0]\n---\n", "MIT AND Apache-2.0"),
        ("---\nlicense: Apache License, Version 2.0\n---\n", "Apache-2.0"),
        ("---\nlicense: https://creativecommons.org/licenses/by-nc/4.0/\n---\n", "CC-BY-NC-4.0"),
        ("---\nlicense: Ask Ann\n---\n", "NOASSERTION"),
        ('+++\nlicense = "CC-BY-ND-4.0"\n+++\n', "CC-BY-ND-4.0"),
        ("# A walk\n\nLicense: CC BY-NC-ND 4.0\n\nWords.\n", "CC-BY-NC-ND-4.0"),
        ("Words.\n" * 2000 + "\n**Licence:** [CC BY-SA 4.0](https://creativecommons.org/licenses/by-sa/4.0/)\n",
         "CC-BY-SA-4.0"),
        ("# Author: Ann\n# License: BSD 3-Clause\nx = 1\n", "BSD-3-Clause"),
        ("License: All rights reserved\n", licences.FORBIDDEN), ("License: CC BY-NC\n", licences.FORBIDDEN),
        ("License: GPL 2, W3C, BSD, or MIT\n", "NOASSERTION"),
        ("Topic: hills\nLicense: CC BY-NC 4.0\n", "CC-BY-NC-4.0 AND NOASSERTION"),
        ("Licence: CC BY 4.0\nIt may not be used to train language models.\n", "CC-BY-4.0 AND NOASSERTION"),
        ("This work is licensed under CC BY 4.0. It may not be used to train language models.\n",
         "CC-BY-4.0 AND NOASSERTION"),
        ("This work is licensed under CC BY-NC 4.0, so please ask us first.\n", "CC-BY-NC-4.0"),
    ],
)  # fmt: skip
def test_what_a_file_names_itself_comes_before_the_folder(text, expression):
    found = in_text(text)
    assert found and found.expression == expression


@pytest.mark.parametrize(
    "text",
    ["License: see LICENSE\n", "License: BSD\n", "License: BSD-style, see LICENSE\n", "All rights reserved\n",
     "---\nlicense: see below\n---\n", "---\nlicense:\n---\n", "---\nlicense: true\n---\n",
     "Use of this source code is governed by a BSD-style license that can be found in the LICENSE file.\n",
     "Copyright 2020 Example Inc. All rights reserved.\n", "The license: costs 5 EUR\nLicence: B1, for driving\n",
     "License: the permit to fish in a river, which costs 5 EUR.\n",
     "This project is licensed under the MIT License - see the [LICENSE](LICENSE) file for details\n",
     "This project is licensed under the MIT License. Contributions are welcome!\n",
     "This program is licensed under the MIT License and comes with no warranty at all, sorry.\n",
     "MySQL is licensed under the GPL version 2, but we do not use it.\n",
     "Write it down:\n\n```\nLicense: CC-BY-NC-4.0\n```\n",
     "## What we use\n\n- Name: MySQL\n- License: GPL-2.0\n\n- Name: x\n- License: MIT\n"],
)  # fmt: skip
def test_what_points_elsewhere_or_speaks_of_something_else_leaves_it_to_the_folder(text):
    assert in_text(text) is None


@pytest.mark.parametrize(
    "address, expression",
    [("https://creativecommons.org/licenses/by-nc-sa/4.0/", "CC-BY-NC-SA-4.0"),
     ("http://creativecommons.org/licenses/by/3.0/de/", "CC-BY-3.0-DE"),
     ("//creativecommons.org/licenses/by/4.0/deed.de", "CC-BY-4.0"),
     ("https://creativecommons.org/publicdomain/zero/1.0/", "CC0-1.0"),
     ("https://spdx.org/licenses/MIT.html", "MIT"), ("https://opensource.org/licenses/BSD-3-Clause", "BSD-3-Clause"),
     ("https://www.apache.org/licenses/LICENSE-2.0", "Apache-2.0"),
     ("https://www.gnu.org/licenses/gpl-3.0.en.html", "GPL-3.0-only"),
     ("https://creativecommons.org/about", None), ("https://spdx.org/licenses/no-such.html", None), ("/licence", None)],
)  # fmt: skip
def test_addresses_of_licences(address, expression):
    assert licence_names.linked(address) == expression


def test_what_a_page_says_beside_its_text_and_by_its_links_counts():
    ours = "This page is licensed under CC BY 4.0."
    by_nc, by = (f"https://creativecommons.org/licenses/{kind}/4.0/" for kind in ("by-nc", "by"))
    own = Licence("CC-BY-4.0", "notice", "line 9")
    assert in_page(None, f"Home\n\n{ours}", []) == Licence("CC-BY-4.0", "notice", "menus or footer")
    assert in_page(None, "", [by]) == Licence("CC-BY-4.0", "rel=license", by)
    assert in_page(own, f"Home\n\n{ours}", [by]) == own == in_page(own, "Home", ["/LICENSE", "#licence"])
    assert in_page(None, "Home", []) is None is in_page(None, "© 2024 Ann. All rights reserved.", ["terms.html"])
    for beside, links in (("This work is licensed under CC BY-NC 4.0.", []), ("", [by_nc]), ("", ["//nord.org/terms"]),
                          ("© 2024 Ann. All rights reserved.", [])):  # fmt: skip
        found = in_page(own, beside, links)
        assert found and found.expression.startswith("CC-BY-4.0 AND ") and not licence_allows(found.expression)


def test_what_is_said_of_a_file_and_by_it_is_weighed():
    own = Licence("MIT", "SPDX tag", "line 1")
    assert chosen(None, None) is None
    assert chosen(own, None) == chosen(own, Licence("ISC", "licence text", "LICENSE")) == own
    assert chosen(own, Licence("ISC", "REUSE.toml", "REUSE.toml")) == own
    for how in ("NAME.license", "REUSE.toml, override"):
        assert chosen(own, said := Licence("ISC", how, "x")) == said
    for how in ("REUSE.toml, aggregate", ".reuse/dep5"):
        both = chosen(own, Licence("ISC OR Zlib", how, "x"))
        assert both and both.expression == "MIT AND (ISC OR Zlib)"


# -- around a file ---------------------------------------------------------------------------------------
def folder(root, files):
    """A folder with these files, and what is said of a path in it."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text) if isinstance(text, bytes) else path.write_text(text, encoding="utf-8")
    names = sorted(p.relative_to(root).as_posix() for p in root.rglob("*") if not p.is_dir())
    of = around(root, names)

    def said(name):
        found = of(name)
        return found and (found.expression, found.how, found.where)

    return said


def test_the_nearest_text_counts_and_never_one_above(tmp_path):
    (tmp_path / "LICENSE").write_text(ISC)
    said = folder(
        tmp_path / "root", {"a.md": "", "lib/COPYING": MIT, "lib/deep/er/b.md": "", "other/c.md": ""}
    )
    assert said("lib/deep/er/b.md") == ("MIT", "licence text", "lib/COPYING")
    assert said("a.md") is said("other/c.md") is None


@pytest.mark.parametrize(
    "name", ["LICENSE", "LICENCE", "License.md", "COPYING", "COPYING.txt", "LICENSE-MIT", "LICENSE.MIT",
             "UNLICENSE", "MIT-LICENSE.txt", "license.rst", "LICENSE-2.0", "COPYING.LESSER"]
)  # fmt: skip
def test_names_of_licence_texts(tmp_path, name):
    assert folder(tmp_path, {name: MIT, "a.md": ""})("a.md") == ("MIT", "licence text", name)


@pytest.mark.parametrize(
    "name", ["license.py", "licenses.md", "license_text.md", "LICENSES/MIT.txt", "LICENSES/LICENSE",
             "relicensed.md", "THIRD_PARTY_LICENSE", "copying-files.md.bak"]
)  # fmt: skip
def test_names_of_other_things(tmp_path, name):
    assert folder(tmp_path, {name: MIT, "a.md": ""})("a.md") is None


def test_a_text_that_is_not_known_hides_what_is_further_away(tmp_path):
    said = folder(tmp_path, {
        "LICENSE": MIT, "theirs/LICENSE": "Ask us first.", "theirs/package.json": '{"license": "MIT"}',
        "theirs/a.md": "", "large/LICENSE": MIT + " " * 1_000_000, "large/a.md": "",
    })  # fmt: skip
    assert said("theirs/a.md") == ("NOASSERTION", "licence text", "theirs/LICENSE")
    assert said("large/a.md") == ("NOASSERTION", "licence text", "large/LICENSE")
    assert not licence_allows("NOASSERTION")


def test_two_texts_are_both_meant_unless_the_package_says_how(tmp_path):
    both = {"LICENSE-MIT": MIT, "LICENSE-APACHE": APACHE, "a.rs": ""}
    assert folder(tmp_path / "1", both)("a.rs") == (
        "Apache-2.0 AND MIT",
        "licence text",
        "LICENSE-APACHE, LICENSE-MIT",
    )
    cargo = {"Cargo.toml": '[package]\nlicense = "MIT/Apache-2.0"\n'}
    assert folder(tmp_path / "2", both | cargo)("a.rs") == (
        "MIT OR Apache-2.0",
        "package metadata",
        "Cargo.toml",
    )
    other = {"Cargo.toml": '[package]\nlicense = "MIT OR ISC"\n'}
    assert folder(tmp_path / "3", both | other)("a.rs")[0] == "Apache-2.0 AND MIT"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
def test_only_plain_files_below_the_root_are_read(tmp_path):
    (tmp_path / "secret").write_text(MIT)
    root = tmp_path / "root"
    for name in ("link", "pipe", "loop", "gone"):
        (root / name).mkdir(parents=True)
    (root / "link/LICENSE").symlink_to(tmp_path / "secret")
    os.mkfifo(root / "pipe/LICENSE")
    (root / "loop/LICENSE").symlink_to("LICENSE")
    of = around(root, [f"{name}/LICENSE" for name in ("link", "pipe", "loop", "gone")])
    assert {of(f"{name}/a.md").expression for name in ("link", "pipe", "loop", "gone")} == {"NOASSERTION"}


def test_a_licence_file_is_read_once_for_20_000_files(tmp_path, monkeypatch):
    names = ["LICENSE", "p/pyproject.toml"] + [f"p/{i % 100}/{i}.md" for i in range(20_000)]
    (tmp_path / "p").mkdir()
    (tmp_path / "LICENSE").write_text(MIT)
    (tmp_path / "p/pyproject.toml").write_text('[project]\nname = "x"\n')
    read = []
    true = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda self: read.append(self.name) or true(self))
    of = around(tmp_path, names)
    assert read == []
    assert {of(name) for name in names} == {Licence("MIT", "licence text", "LICENSE")}
    assert sorted(read) == ["LICENSE", "pyproject.toml"]


# -- REUSE (specification 3.3) ---------------------------------------------------------------------------
def test_a_file_beside_it_speaks_for_a_file(tmp_path):
    said = folder(tmp_path, {
        "cat.jpg": b"\xff\xd8", "cat.jpg.license": "SPDX-License-Identifier: CC0-1.0\n", "LICENSE": MIT,
        "dog.jpg": b"\xff\xd8", "dog.jpg.license": "SPDX-FileCopyrightText: 2019 Example\n",
        "fox.jpg": b"\xff\xd8", "fox.jpg.LICENSE": "SPDX-License-Identifier: CC-BY-NC-4.0\n",
    })  # fmt: skip
    assert said("cat.jpg") == ("CC0-1.0", "NAME.license", "cat.jpg.license")
    assert said("fox.jpg") == ("CC-BY-NC-4.0", "NAME.license", "fox.jpg.LICENSE")
    assert said("dog.jpg") == ("MIT", "licence text", "LICENSE")


@pytest.mark.parametrize(
    "glob, yes, no",
    [
        ("po/*.po", ["po/de.po"], ["po/x/de.po", "de.po", "po/de.pox"]),
        ("*", ["a", ".hidden"], ["b/a"]),
        ("**", ["a", "b/c/d"], []),
        ("src/**", ["src/a", "src/b/c"], ["src", "lib/src/a"]),
        ("**/*.py", ["a.py", "b/c/a.py"], ["a.pyc"]),
        (r"a\*b", ["a*b"], ["axb"]),
        (r"a\\b", [r"a\b"], ["ab"]),
        (r"\a+(b)", ["a+(b)"], ["ab"]),
        ("a?[b]", ["a?[b]"], ["axb"]),
    ],
)  # fmt: skip
def test_globs_of_reuse(glob, yes, no):
    (rule,) = declared.reuse_rules(f"[[annotations]]\npath = '{glob}'\nSPDX-License-Identifier = 'MIT'\n")
    assert [name for name in yes + no if rule.pattern.fullmatch(name)] == yes


def reuse(*tables):
    lines = ["version = 1"]
    for path, expression, *precedence in tables:
        lines += [
            "[[annotations]]",
            f"path = {json.dumps(path)}",
            f"SPDX-License-Identifier = {json.dumps(expression)}",
        ]
        lines += [f'precedence = "{precedence[0]}"'] if precedence else []
    return "\n".join(lines)


def test_the_last_table_that_matches_counts(tmp_path):
    said = folder(
        tmp_path,
        {"REUSE.toml": reuse(("**", "MIT"), (["docs/**", "*.md"], ["CC-BY-4.0", "CC0-1.0"])), "LICENSE": ISC},
    )
    assert said("src/a.c") == ("MIT", "REUSE.toml", "REUSE.toml")
    assert said("docs/x/a.md") == said("b.md") == ("CC-BY-4.0 AND CC0-1.0", "REUSE.toml", "REUSE.toml")


def test_reuse_files_within_reuse_files(tmp_path):
    said = folder(tmp_path, {
        "REUSE.toml": reuse(("**", "MIT"), ("top/**", "ISC", "override"), ("more/**", "Zlib", "aggregate")),
        "near/REUSE.toml": reuse(("*", "CC0-1.0")), "top/REUSE.toml": reuse(("*", "CC0-1.0", "override")),
        "more/REUSE.toml": reuse(("*", "CC0-1.0")), "none/REUSE.toml": "[[annotations]]\npath = '*'\n",
    })  # fmt: skip
    assert said("near/a") == ("CC0-1.0", "REUSE.toml", "near/REUSE.toml")
    assert said("top/a") == ("ISC", "REUSE.toml, override", "REUSE.toml")
    assert said("more/a") == ("Zlib AND CC0-1.0", "REUSE.toml, aggregate", "REUSE.toml, more/REUSE.toml")
    assert said("none/a") == ("MIT", "REUSE.toml", "REUSE.toml")


@pytest.mark.parametrize(
    "text", ["version = ", "annotations = 3", "[[annotations]]\npath = 3", "[annotations]\npath = '*'",
             "\x00", "[[annotations]]\npath = '**'\nprecedence = 'nearest'\nSPDX-License-Identifier = 'ISC'"]
)  # fmt: skip
def test_a_bad_reuse_toml_gives_nothing(tmp_path, text):
    assert folder(tmp_path, {"REUSE.toml": text, "LICENSE": MIT})("a") == ("MIT", "licence text", "LICENSE")


def test_a_path_of_many_wildcards_is_not_slow_and_not_free(tmp_path):
    said = folder(tmp_path, {"REUSE.toml": reuse(("src/" + "*a" * 30 + "b", "MIT"))})
    assert said("src/" + "a" * 200) == ("NOASSERTION", "REUSE.toml", "REUSE.toml")
    assert said("lib/a") is None


# -- DEP-5 -----------------------------------------------------------------------------------------------
DEP5 = f"""Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
License: GPL-3+

Files: *
Copyright: 2020 Example
License: Expat

Files: src/*.c
       lib/?.h
Copyright: 2020 Example
License: GPL-2+ or Artistic-2.0, and BSD-3-clause

Files: src/deep/*
License: BSD-3-clause
 {BSD_3.replace(chr(10) * 2, chr(10) + "." + chr(10)).replace(chr(10), chr(10) + " ").strip()}

Files: odd/*
License: BSD-2-clause
 Do as you like but not on Sundays.

Files: own/*
License: my-own
"""


def test_the_last_stanza_that_matches_counts(tmp_path):
    said = folder(tmp_path, {"debian/copyright": DEP5, "LICENSE": ISC})
    where = ("debian/copyright", "debian/copyright")
    assert said("README") == ("MIT", *where)
    mixed = "(GPL-2.0-or-later OR Artistic-2.0) AND (BSD-3-Clause)"
    assert said("src/x/a.c") == said("lib/a.h") == (mixed, *where)
    assert said("lib/ab.h") == ("MIT", *where)
    assert said("src/deep/a.c") == ("BSD-3-Clause", *where)
    assert said("odd/a") == ("LicenseRef-BSD-2-Clause-variant", *where)
    assert said("own/a") == ("LicenseRef-my-own", *where)


def test_the_old_file_of_reuse(tmp_path):
    text = "Format: x\n\nFiles: po/*.po po/*.pot\nCopyright: 2019 Example\nLicense: GPL-3.0-or-later\n"
    assert folder(tmp_path, {".reuse/dep5": text})("po/x/de.po") == (
        "GPL-3.0-or-later",
        ".reuse/dep5",
        ".reuse/dep5",
    )


@pytest.mark.parametrize(
    "text",
    ["", "Files: *\nLicense: Expat\n", "It was packaged by hand.\n", "Format: x\n\nFiles: *\n", ":\n::\n"],
)
def test_a_bad_copyright_file_gives_nothing(tmp_path, text):
    assert folder(tmp_path, {"debian/copyright": text})("a") is None


@pytest.mark.parametrize(
    "short, expression",
    [("Expat", "MIT"), ("GPL-2+", "GPL-2.0-or-later"), ("LGPL-2.1", "LGPL-2.1-only"),
     ("public-domain", "LicenseRef-public-domain"), ("MIT/X11", "LicenseRef-MIT-X11"),
     ("", "LicenseRef-unnamed"),
     ("GPL-3+ with Bison exception", "GPL-3.0-or-later WITH Bison-exception-2.2"),
     ("GPL-2+ with Autoconf exception", "GPL-2.0-or-later WITH Autoconf-exception-2.0"),
     ("GPL-2+ with odd exception", "LicenseRef-GPL-2-with-odd-exception"),
     ("GFDL-NIV-1.3+", "GFDL-1.3-no-invariants-or-later"),
     ("BSD-3-clause and/or ISC", "BSD-3-Clause OR ISC")],
)  # fmt: skip
def test_short_names_of_debian(short, expression):
    assert licence_names.dep5(short) == expression


# -- package metadata ------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "name, text, expression",
    [
        ("pyproject.toml", '[project]\nlicense = "MIT AND Apache-2.0"', "MIT AND Apache-2.0"),
        ("pyproject.toml", '[project]\nlicense = {text = "MIT License"}', "MIT"),
        ("pyproject.toml", "[project]\nlicense = {text = '''" + ISC + "'''}", "ISC"),
        ("pyproject.toml", '[project]\nclassifiers = ["License :: OSI Approved :: MIT License"]', "MIT"),
        ("pyproject.toml", '[project]\nclassifiers = ["License :: Other/Proprietary License"]',
         "Other/Proprietary License"),
        ("pyproject.toml", '[project]\nclassifiers = ["License :: OSI Approved", "Topic :: Text"]', ""),
        ("pyproject.toml", '[tool.poetry]\nlicense = "BSD-3-Clause"', "BSD-3-Clause"),
        ("pyproject.toml", "[project]\nlicense = 3", ""),
        ("pyproject.toml", "[project", ""),
        ("package.json", '{"license": "(MIT OR CC0-1.0)"}', "MIT OR CC0-1.0"),
        ("package.json", '{"license": {"type": "ISC", "url": "x"}}', "ISC"),
        ("package.json", '{"licenses": [{"type": "MIT"}, {"type": "Apache-2.0"}]}', "MIT OR Apache-2.0"),
        ("package.json", '{"license": "UNLICENSED"}', "UNLICENSED"),
        ("package.json", "[1]", ""),
        ("package.json", "[" * 100_000, ""),
        ("Cargo.toml", '[package]\nlicense = "MIT OR Apache-2.0"', "MIT OR Apache-2.0"),
        ("setup.cfg", "[metadata]\nlicense = MIT\n", "MIT"),
        ("setup.cfg", "[metadata]\nclassifiers =\n  License :: OSI Approved :: ISC License (ISCL)\n", "ISC"),
        ("setup.cfg", "license = MIT\n", ""),
        ("METADATA", "Name: a\nLicense-Expression: MIT-0\nLicense: x\n\nLicense: GPL\n", "MIT-0"),
        ("METADATA", "License: BSD\n", "BSD"),
        ("METADATA", "License: UNKNOWN\nClassifier: License :: OSI Approved :: Apache Software License\n",
         "Apache Software License"),
        ("README.md", "license = MIT", ""),
    ],
)  # fmt: skip
def test_what_packages_say(name, text, expression):
    assert declared.metadata(name, text).expression == expression


def test_what_is_said_in_no_id_is_not_free():
    for said in (
        "UNLICENSED",
        "BSD",
        "Apache Software License",
        "Other/Proprietary License",
        "Free for non-commercial use",
    ):
        assert not licence_allows(licence_names.expression(said))


def test_a_package_may_name_the_file_with_its_text(tmp_path):
    said = folder(tmp_path, {
        "a/package.json": '{"license": "SEE LICENSE IN terms.txt"}', "a/terms.txt": MIT,
        "b/pyproject.toml": '[project]\nlicense = {file = "legal/terms.txt"}', "b/legal/terms.txt": "Ask us.",
        "c/Cargo.toml": '[package]\nlicense-file = "../a/terms.txt"',
        "d/package.json": '{"license": "SEE LICENSE IN gone"}',
    })  # fmt: skip
    assert said("a/x.js") == ("MIT", "package metadata", "a/package.json")
    assert {said(f"{name}/x")[0] for name in "bcd"} == {"NOASSERTION"}


def test_a_text_comes_before_metadata_and_the_nearer_before_either(tmp_path):
    said = folder(tmp_path, {
        "LICENSE": MIT, "pyproject.toml": '[project]\nlicense = "ISC"',
        "in/package.json": '{"license": "Zlib"}',
        "in/deep/a.js": "", "by/package.json": '{"name": "x"}',
    })  # fmt: skip
    assert said("a.py") == said("by/a.js") == ("MIT", "licence text", "LICENSE")
    assert said("in/deep/a.js") == ("Zlib", "package metadata", "in/package.json")


def test_an_installed_distribution_owns_what_it_lists(tmp_path):
    said = folder(tmp_path, {
        "site/a-1.0.dist-info/METADATA": "License-Expression: MIT\n",
        "site/a-1.0.dist-info/RECORD": 'a/__init__.py,sha256=x,1\n"a/b,c.py",,\na-1.0.dist-info/METADATA,,\n',
        "site/a/__init__.py": "", "site/a/b,c.py": "", "site/b.py": "",
    })  # fmt: skip
    mit = ("MIT", "package metadata", "site/a-1.0.dist-info/METADATA")
    assert said("site/a/__init__.py") == said("site/a/b,c.py") == mit
    assert said("site/b.py") is None


@pytest.mark.parametrize(
    "said, expression",
    [("mit", "MIT"), ("(MIT)", "MIT"), ("The MIT License (MIT)", "MIT"), ("GPL-2.0", "GPL-2.0-only"),
     ("GPL-2.0+", "GPL-2.0-or-later"), ("GPLv3+", "GPL-3.0-or-later"),
     ("Apache License, Version 2.0", "Apache-2.0"),
     ("Mozilla Public License 2.0 (MPL 2.0)", "MPL-2.0"), ("MIT OR", "MIT OR"), ("", ""),
     ("MIT AND (LicenseRef-a OR DocumentRef-x:LicenseRef-b)",
      "MIT AND (LicenseRef-a OR DocumentRef-x:LicenseRef-b)"),
     ("MIT WITH Commons-Clause", "MIT WITH Commons-Clause"), ("licenseref-mit-tc", "licenseref-mit-tc")],
)  # fmt: skip
def test_names_in_use(said, expression):
    assert licence_names.expression(said) == expression
