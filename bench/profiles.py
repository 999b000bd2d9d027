"""The profile and the language that texts are taken for: accuracy on files of known kinds, and speed.

    python -m bench.profiles [--quick] [--json] [--check]

Texts: netsuke/general, the standard library's source and tables made of what it knows; and, where the machine
has them, C headers, Debian's documentation and package lists, and translated messages. Names are not used.
"""

from __future__ import annotations

import argparse
import gettext
import html.entities
import json
import mimetypes
import os
import subprocess
import sys
import sysconfig
import time
from collections import Counter
from pathlib import Path
from typing import Any

from netsuke.curate import language, profiles

from .rules import debian, general, on_one_core

FLOORS = {"profiles": 0.9, "language": 0.95, "as_whole": 0.97}
MAX_TAKEN_FOR_PROSE = 0.05
ORDER = ("prose", "notes", "code", "catalogue")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a sixth of the texts")
    parser.add_argument("--json", action="store_true", help="one line of JSON and no table")
    parser.add_argument("--check", action="store_true", help="exit 1 if a floor is missed")
    options = parser.parse_args()
    on_one_core()
    step = 6 if options.quick else 1
    found: dict[str, Any] = {"bench": "profiles"} | profile_figures(step) | language_figures(step)
    found["load"] = round(os.getloadavg()[0], 2)
    low = missed(found)
    if not options.json:
        show(found)
        print("".join(f"missed: {line}\n" for line in low), end="")
    print(json.dumps(found))
    sys.exit(1 if options.check and low else 0)


def show(found: dict[str, Any]) -> None:
    print(f"{'files':36}  right " + " ".join(f"{profile:>9}" for profile in ORDER))
    for row in found["profiles"]:
        print(f"{row['files']:36} {row['right']:6.3f} " + " ".join(f"{row['chosen'][p]:9}" for p in ORDER))
    print(f"right {found['profiles_right']:.3f}; taken for prose and not it {found['taken_for_prose']:.3f}; "
          f"{found['profile_ms']:.2f} ms a text")  # fmt: skip
    print(f"language: {found['n_texts']:,} texts in {found['n_languages']} languages, "
          f"right {found['language_right']:.4f}, as the whole text {found['as_whole']:.4f}; "
          f"cold {found['cold_seconds']:.2f} s, then {found['texts_per_second']:,} texts/s")  # fmt: skip


def missed(found: dict[str, Any]) -> list[str]:
    """The floors that the figures do not reach."""
    figures = {
        "profiles": found["profiles_right"],
        "language": found["language_right"],
        "as_whole": found["as_whole"],
    }
    low = [f"{name} {value} < {FLOORS[name]}" for name, value in figures.items() if value < FLOORS[name]]
    if found["taken_for_prose"] > MAX_TAKEN_FOR_PROSE:
        low.append(f"taken for prose {found['taken_for_prose']} > {MAX_TAKEN_FOR_PROSE}")
    return low


def profile_figures(step: int) -> dict[str, Any]:
    """What the files of each kind are taken for, by their content alone."""
    rows, seconds = [], 0.0
    n_texts = n_right = n_other = n_prose = 0
    for name, wanted, texts in labelled():
        if not (texts := texts[::step]):
            continue
        started = time.perf_counter()
        chosen = Counter(profiles.choose(".txt", text) for text in texts)
        seconds += time.perf_counter() - started
        right = sum(chosen[profile] for profile in wanted)
        n_texts, n_right = n_texts + len(texts), n_right + right
        if "prose" not in wanted:
            n_other, n_prose = n_other + len(texts), n_prose + chosen["prose"]
        rows.append({"files": f"{name} ({len(texts)})", "right": round(right / len(texts), 3),
                     "chosen": {profile: chosen[profile] for profile in ORDER}})  # fmt: skip
    return {"profiles": rows, "profiles_right": round(n_right / n_texts, 4),
            "taken_for_prose": round(n_prose / n_other, 4),
            "profile_ms": round(seconds / n_texts * 1e3, 3)}  # fmt: skip


def labelled() -> list[tuple[str, tuple[str, ...], list[str]]]:
    """(files, the profiles that are right for them, texts)."""
    library = Path(sysconfig.get_paths()["stdlib"])
    source = [path.read_text(encoding="utf-8", errors="replace") for path in sorted(library.glob("*.py"))]
    headers = [path.read_text(encoding="utf-8", errors="replace") for path in sorted(Path("/usr/include").glob("*.h"))]
    lists = [*debian("TODO*"), *debian("changelog.Debian*", 150), *debian("RelNotes/*"), *debian("AUTHORS*")]
    return [
        ("general prose", ("prose",), general()),
        ("Python source", ("code",), [text for text in source if len(text) > 300]),
        ("C headers", ("code",), headers),
        ("tables of Python", ("catalogue",), tables()),
        ("package lists of Debian", ("catalogue",), package_lists()),
        ("lists, changelogs of Debian", ("notes", "catalogue"), lists),
        ("READMEs of Debian", ("prose", "notes"), debian("README*")),
    ]


def tables() -> list[str]:
    """What the standard library knows, as a person would keep it."""
    types = sorted(mimetypes.types_map.items())
    entities = sorted((name, ord(sign)) for name, sign in html.entities.html5.items() if len(sign) == 1)
    settings = [(key, str(value)) for key, value in sorted(sysconfig.get_config_vars().items()) if str(value)]
    return [
        "\n".join(f"{suffix}\t{kind}" for suffix, kind in types),
        "\n".join(f"{kind}: {suffix}" for suffix, kind in types),
        "suffix,type,length\n" + "\n".join(f"{suffix},{kind},{len(kind)}" for suffix, kind in types),
        "\n".join(f"| {name} | {code} | U+{code:04X} |" for name, code in entities[:300]),
        "\n".join(f"{name:30} {code:>8} {code / 100:>10.2f}" for name, code in entities[:300]),
        "\n".join(f"{name} ..... {code}" for name, code in entities[:200]),
        "\n\n".join(f"Name: {name}\nCode: {code}\nSign: {chr(code)}" for name, code in entities[:100]),
        "\n".join(f"{key};{len(value)};{value[:20]}" for key, value in settings[:200]),
    ]  # fmt: skip


def package_lists() -> list[str]:
    """Records of eight packages each; none on systems without apt."""
    try:
        out = subprocess.run(["apt-cache", "dumpavail"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return []
    records = out.split("\n\n")[:800]
    return ["\n\n".join(records[start : start + 8]) for start in range(0, len(records) - 7, 8)]


# -- language --------------------------------------------------------------------------------------------
def language_figures(step: int) -> dict[str, Any]:
    """Cold start, speed, and verdicts on translated messages, beside the verdict on the whole text."""
    started = time.perf_counter()
    language.of("The first text that is asked for loads the weights of the model.")
    cold = time.perf_counter() - started
    model = language._identifier()
    texts = [(code, text) for code, text in translated() if code in model.labels][::step]
    texts += [("en", text) for text in general()]
    started = time.perf_counter()
    found = [language.of(text)[0] for _, text in texts]
    seconds = time.perf_counter() - started
    whole = [model.classify(text)[0] for _, text in texts]
    as_whole = [
        got in (language.UNDETERMINED, code, language.TWO_LETTERS.get(code))
        for got, code in zip(found, whole, strict=True)
    ]
    n_right = sum(got == code for got, (code, _) in zip(found, texts, strict=True))
    return {
        "cold_seconds": round(cold, 2), "texts_per_second": round(len(texts) / seconds),
        "n_texts": len(texts), "n_languages": len({code for code, _ in texts}),
        "language_right": round(n_right / len(texts), 4), "as_whole": round(sum(as_whole) / len(texts), 4),
    }  # fmt: skip


def translated() -> list[tuple[str, str]]:
    """(language, the messages of a program in it), from the system's message catalogues."""
    texts = []
    for path in sorted(Path("/usr/share").glob("locale/*/LC_MESSAGES/*.mo"))[::3]:
        code = path.parts[4].split("_")[0]
        code = {"nb": "no", "fil": "tl"}.get(code, code)
        if "@" in code or "Latn" in path.parts[4]:
            continue
        try:
            with path.open("rb") as file:
                messages = gettext.GNUTranslations(file)._catalog
        except (OSError, UnicodeDecodeError, ValueError):
            continue
        kept = [
            text for key, text in messages.items() if isinstance(text, str) and key != text and len(text) > 30
        ]
        if len(kept) >= 20:
            texts.append((code, "\n".join(kept)[:30_000]))
    return texts


if __name__ == "__main__":
    main()
