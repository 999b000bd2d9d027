"""The codes of countries and languages in a recipe: in any case, and known, before anything is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from netsuke.curate import COUNTRIES, Params, language
from netsuke.errors import RecipeError
from netsuke.private import national, phones
from netsuke.recipe import fresh, load, with_settings

SECTIONS = {"curate": Params}


def test_codes_are_taken_in_any_case() -> None:
    params = Params(countries=("us", "Gb", "DE"), languages=("EN", "pt"))
    assert params.countries == ("US", "GB", "DE") and params.languages == ("en", "pt")
    assert Params().countries == COUNTRIES and Params().languages == ()


@pytest.mark.parametrize(
    ("key", "code", "near"),
    [
        ("countries", "uk", "'GB'"), ("countries", "USA", "'US'"), ("countries", "XX", "ISO 3166"),
        ("languages", "jp", "'ja'"), ("languages", "ENG", "'en'"), ("languages", "arz", "'ar'"),
        ("languages", "", "ISO 639"),
    ],
)  # fmt: skip
def test_an_unknown_code_is_named_with_the_right_one(tmp_path: Path, key: str, code: str, near: str) -> None:
    path = tmp_path / "netsuke.toml"
    path.write_text(f'name = "x"\nbase = "y"\n[[sources]]\npath = "."\n[curate]\n{key} = ["DE", "{code}"]\n')
    said = "no known (country|language) has the code"
    with pytest.raises(RecipeError, match=said) as told:
        load(path, SECTIONS)
    assert near in (told.value.hint or "") and told.value.where == f"{path}, [curate]"
    with pytest.raises(RecipeError, match=said):
        with_settings(fresh("x", SECTIONS), {f"curate.{key}": f'["{code}"]'}, SECTIONS)


def test_the_known_codes_are_those_that_the_libraries_answer() -> None:
    labels = set(language._identifier().nb_classes) - {"zxx"}
    assert {language.TWO_LETTERS.get(label, label) for label in labels} | {"und"} == language.CODES
    assert set(national.IDENTIFIERS) <= phones.regions() and set(COUNTRIES) <= phones.regions()
