"""The rule of a recipe: what it says, and that whatever else is named with what is allowed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsuke import loop, recipe
from netsuke.errors import RecipeError
from netsuke.watch import Params, parsed
from netsuke.watch.rule import NAMES

SIGNS = {">=": lambda a, b: a >= b, ">": lambda a, b: a > b, "<=": lambda a, b: a <= b, "<": lambda a, b: a < b}
TERMS = st.tuples(st.sampled_from(sorted(NAMES)), st.sampled_from(sorted(SIGNS)), st.integers(0, 9))
VALUES = st.fixed_dictionaries({name: st.none() | st.integers(0, 9) for name in NAMES})


@given(st.lists(TERMS, min_size=1, max_size=6), st.data(), VALUES)
def test_a_rule_holds_as_its_words_say(terms, data, values):
    joins = [data.draw(st.sampled_from(["and", "or"])) for _ in terms[1:]]
    texts = [f"{name}{data.draw(st.sampled_from(['', ' ']))}{sign} {number}" for name, sign, number in terms]
    text = texts[0] + "".join(f" {join} {more}" for join, more in zip(joins, texts[1:], strict=True))
    said = [values[name] is not None and SIGNS[sign](values[name], number) for name, sign, number in terms]
    python = str(said[0]) + "".join(f" {join} {more}" for join, more in zip(joins, said[1:], strict=True))
    assert bool(parsed(text).reasons(values)) == eval(python)
    assert parsed(text).names == {name for name, *_ in terms}


def test_nothing_said_is_never():
    assert parsed("").ways == parsed("  ").ways == () and parsed("").reasons(dict.fromkeys(NAMES, 99)) == []


def test_why_it_holds_is_told_in_its_own_words():
    rule = parsed("corrections >= 20 or down_share>.5 and days > 3 or drift_p < 0.01")
    assert rule.reasons({"corrections": 25, "down_share": 0.6, "days": 4, "drift_p": None}) == [
        "corrections >= 20", "down_share > 0.5 and days > 3",
    ]  # fmt: skip


WRONG = ["correction >= 20", "corrections => 20", "corrections = 20", "corrections >= -1", "corrections >= 1e3",
         "corrections", "corrections >=", "corrections >= 20 or", "or corrections >= 20", "(days > 3)",
         "corrections >= 20or days > 3", "corrections >= 20 days > 3", "not days > 3", "days > 3 ordays > 4",
         "days > 3.", "days > 3; days > 4", "days >\u0663", "__import__('os')"]  # fmt: skip


@pytest.mark.parametrize("text", WRONG)
def test_what_is_no_rule_is_refused_and_what_is_allowed_is_said(text, tmp_path):
    with pytest.raises(RecipeError, match="retrain_when") as caught:
        Params(text)
    assert all(name in caught.value.hint for name in NAMES)
    place = tmp_path / "netsuke.toml"
    place.write_text(f'name = "notes"\nbase = "x"\n[[sources]]\npath = "."\n[watch]\nretrain_when = {text!r}\n')
    with pytest.raises(RecipeError) as caught:
        recipe.load(place, loop.SECTIONS)
    assert str(place) in str(caught.value) and "[watch]" in str(caught.value)
    with pytest.raises(RecipeError):
        recipe.with_settings(recipe.fresh("x", loop.SECTIONS), {"watch.retrain_when": repr(text)}, loop.SECTIONS)


@given(st.text(alphabet="corectinsdwhapyf_ >=<.0123456789anorb()", max_size=60))
def test_any_text_is_a_rule_or_an_error_of_ours(text):
    try:
        assert parsed(text).ways or not text.strip()
    except RecipeError as error:
        assert error.hint
