"""What kind of text a file holds: prose, notes, code or a catalogue.

Only prose is held to the rules of web datasets, so what is in doubt is never prose.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Literal

Profile = Literal["prose", "notes", "code", "catalogue"]

CODE = frozenset(
    """
.py .pyi .pyx .js .mjs .cjs .jsx .ts .mts .cts .tsx .vue .svelte .astro .css .scss .sass .less .java .kt
.kts .scala .groovy .gradle .c .h .cc .cpp .cxx .hh .hpp .hxx .inl .ino .cu .cs .fs .fsx .vb .go .rs .rb
.php .phtml .pl .pm .t .lua .r .jl .swift .m .mm .d .zig .nim .cr .sh .bash .zsh .fish .ksh .csh .ps1 .psm1
.bat .cmd .sql .hs .lhs .ml .mli .ex .exs .erl .hrl .clj .cljs .cljc .edn .lisp .cl .scm .rkt .el .vim .dart
.f .f90 .f95 .for .pas .pp .adb .ads .cob .cbl .v .sv .vhd .vhdl .asm .s .tcl .awk .sed .coffee .elm .sol
.wat .glsl .hlsl .metal .cmake .mk .make .bzl .proto .thrift .graphql .gql .tf .hcl .nix .diff .patch .json
.jsonc .json5 .yaml .yml .toml .ini .cfg .conf .properties .env .editorconfig .gitignore .dockerfile .plist
.xml .m4 .xsd .xsl .xslt .dtd .lock
""".split()
)
CATALOGUE = frozenset(".csv .tsv .xlsx .xls .ods .bib .ris .ics .vcf .log .po .pot .jsonl .ndjson".split())
# What a person writes, whatever code it quotes.
DOCUMENT = frozenset(
    """
.md .markdown .mdx .rst .adoc .asciidoc .org .tex .html .htm .xhtml .pdf .doc .docx .odt .rtf .epub .fb2
.ppt .pptx .odp .eml .mbox .msg .srt .vtt
""".split()
)

MAX_LINES = 150  # looked at, in chunks spread over a longer text
CHUNK_LINES = 25
MAX_LINE_CHARS = 1000
WRAPPED_CHARS = 45  # lines this long or longer go on in the next; shorter ones stand alone
# Shares of the characters from which a text is of a kind.
CODE_SHARE = 0.5
SOME_CODE_SHARE = 0.3  # enough where it is more than the prose: comments are prose
CATALOGUE_SHARE = 0.5
PROSE_SHARE = 0.6
MIN_SENTENCES, MIN_WORDS = 5, 60  # C4 and Gopher refuse shorter texts, which are notes to a person
MIN_SENTENCE_WORDS, MAX_SENTENCE_WORDS = 4, 60  # on average
LETTER_SHARE = 0.75  # of a sentence
SIGN_SHARE = 0.15  # of a line of code
MAX_FIELD_CHARS = 40  # on average
NUMBER_SHARE = 0.4  # of a record's words

_RULE = re.compile(r"[-=*_~+#.<>\s]+")
_FENCE = re.compile(r"(?:```|~~~)[\w{}.= +-]*$")
_ITEM = re.compile(
    r"(?:[-*+•·▪◦‣o»→☐☑✓✔✗]|--|\(?(?:\d{1,3}|[a-zA-Z]|[ivx]{2,4})[.)]|\[[ xX]?\]|#{1,6}|TODO:?|FIXME:?)\s+"
)
# A line without any of these is no record, and code only by the word that it begins with.
_SIGN = re.compile(r"[0-9(){}\[\]<>=;:@#$%^&*+/\\|~`_\t€£]|  |,\S")
_CODE_WORD = re.compile(
    r"""
      (?: (?:async\s+)?def | class | func | fn | function | namespace | struct | enum | interface | impl
        | trait | module | package | import | from | using | use | require | include | export | local
        | typedef ) \s [\w.]+ $
    | from \s [\w.]+ \s import \s | import \s [\w.]+ \s as \s
    | (?: return | raise | throw | yield | await | assert ) \s \w+ $
    | (?: break | continue | pass | end | endif | endfunction | fi | done | esac | begin | then | do | else
        | return ) $
    """,
    re.VERBOSE,
)
_CODE = re.compile(
    r"""
      // | /\*\*?(?:\s|$) | \#! | >>>\s | \$\s | @\w+(?:\(|$) | </?[a-zA-Z][^>]*> | <[!?]
    | \#\s*(?: include | define | undef | if | ifn?def | elif | endif | pragma | error )\b
    | (?: (?:async\s+)?def | class | func | fn | function | namespace | struct | enum | interface | impl
        | trait | module | package ) \s+ [\w.:<>~]+ \s* [({:;<\[]
    | (?: import | from | using | use | require | include ) \s+ [\w.:{}'"/*<>@-]+ \s* (?: ; | $ )
    | (?: (?:else\s+)?if | for | while | switch | catch | elif | foreach ) \s* \(
    | (?: if | elif | else | try | except | finally | for | while | with ) \b [^.]{0,80} : $
    | (?: return | raise | throw | yield | await | assert ) \b [^.]{0,80} [\w)\]}"';] $
    | (?: public | private | protected | static | const | let | var | val | final | extern | typedef
        | unsigned | local | export | int | char | void | bool | float | double | string )
        \s+ [\w*<>\[\],\s]{1,80} (?: [=;({:] | $ )
    | (?: \w | [.$@*'"\[\]>:-] (?=\S) )++ \s* (?: [-+*/|&:%?]?= | := | <- ) \s* [^\s=]  # an assignment
    | [\w.:$]++ \( [^)]* \) \s* [,;{:]? $  # a call
    | [\w-]++ \s* : \s* [^;:]+ ; $ | "[^"]*" \s* : \s* \S  # CSS, JSON
    | (?: SELECT | INSERT \s INTO | UPDATE | DELETE \s FROM | CREATE | DROP | ALTER ) \s [\w*`"]
    """,
    re.VERBOSE,
)
_CODE_ENDS = ("{", "}", "(", "):", "=>", "->", "*/", "),", "],", "},", "\\", ");", "();", "];", '";', "';")
_CODE_SIGN = re.compile(r"[{}<>\[\]=;&|$@\\*+#%^~_()]")
_KEY = re.compile(r"[\w(][^\s:=]*(?:\s[^\s:=]+){0,3}\s?[:=]\s+\S")
_NUMBER = re.compile(r"(?<!\S)[(#~+-]?[$€£]?\d[\d.,:/%xX-]*[€$£%)]?[a-zA-Z]{0,3}[.,;]?(?!\S)")
_GAP = re.compile(r"\t|  |\.{4}")
_COLUMNS = re.compile(r"\S\t|[^\s.!?:]\s{3,}\S|\S\s?\.{4,}\s?\S|[^\s.!?:]\s\s+\S.*?[^\s.!?:]\s\s+\S")
# Two letters before the mark, so that initials end no sentence.
_SENTENCE_END = re.compile(r"[.!?…։؟।](?<=\w[\w\"'”’)].)[.!?…\"'”’»)\]*_]*(?=\s|$)|[。！？]")
_UNSPACED = re.compile(r"[\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")
_NO_LETTER = re.compile(r"[\d_!-/:-@\[-`{-~]")


def choose(suffix: str, text: str) -> Profile:
    """The profile of a normalised text, by the suffix (".py") where that says it, else by its lines.

    "code" is source and settings, "catalogue" tables, price lists and records, "prose" paragraphs of
    sentences, and "notes" the rest: lists, headings, short lines, and prose too short to be judged by rules.
    """
    if suffix in CODE:
        return "code"
    if suffix in CATALOGUE:
        return "catalogue"
    found = _Found()
    for line in _looked_at(text):
        found.add(line)
    found.close()
    code, record, prose = found.share("code"), found.share("record"), found.share("prose")
    is_code = code >= record and (code >= CODE_SHARE or code >= max(SOME_CODE_SHARE, prose))
    if is_code and suffix not in DOCUMENT:
        return "code"
    if record >= CATALOGUE_SHARE:
        return "catalogue"
    is_long = found.sentences >= MIN_SENTENCES and found.words >= MIN_WORDS
    if prose >= PROSE_SHARE and is_long and found.words >= MIN_SENTENCE_WORDS * found.sentences:
        return "prose"
    return "notes"


def _looked_at(text: str) -> list[str]:
    """The lines, or of a long text chunks of lines spread evenly from the first to the last."""
    lines = text.split("\n")
    if len(lines) <= MAX_LINES:
        return lines
    n_chunks, last = MAX_LINES // CHUNK_LINES, len(lines) - CHUNK_LINES
    starts = [last * number // (n_chunks - 1) for number in range(n_chunks)]
    return [line for start in starts for line in (*lines[start : start + CHUNK_LINES], "")]


class _Found:
    """How many characters of the lines seen so far are code, records, or prose."""

    def __init__(self) -> None:
        self.characters: Counter[str] = Counter()
        self.total = self.sentences = self.words = 0
        self._paragraph: list[str] = []
        self._fenced = self._in_item = False

    def share(self, kind: str) -> float:
        """Of all characters, from 0 to 1."""
        return self.characters[kind] / max(1, self.total)

    def add(self, line: str) -> None:
        """Count a line, or keep it for its paragraph."""
        line = line[:MAX_LINE_CHARS].strip()
        if not line:
            self.close()
        elif _FENCE.match(line):
            self._fenced = not self._fenced
            self.close()
        elif self._fenced or _is_code(line, signed := bool(_SIGN.search(line))):
            self._count("code", line)
        elif _ITEM.match(line):
            self.close()
            self._in_item = True
            self._count("item", line)
        elif signed and _is_record(line):
            self._count("record", line)
        elif any(map(str.isalnum, line)):
            self._paragraph.append(line)

    def close(self) -> None:
        """Count the paragraph so far."""
        lines, self._paragraph = self._paragraph, []
        kept, self._in_item = self._in_item, False
        if kept:
            self._count("item", *lines)
        elif lines and max(map(len, lines)) < WRAPPED_CHARS:
            for line in lines:
                self._count_paragraph(line)
        elif lines:
            self._count_paragraph(" ".join(lines))

    def _count_paragraph(self, text: str) -> None:
        n_unspaced = 0 if text.isascii() else len(_UNSPACED.findall(text))
        n_sentences = len(_SENTENCE_END.findall(text)) or n_unspaced // MAX_SENTENCE_WORDS
        n_words = text.count(" ") + 1 + n_unspaced // 2
        n_signs = len(_NO_LETTER.findall(text))
        n_solid = len(text) - text.count(" ")
        if n_sentences * MAX_SENTENCE_WORDS >= n_words and n_signs <= (1 - LETTER_SHARE) * n_solid:
            self._count("prose", text)
            self.sentences += n_sentences
            self.words += n_words
        else:
            self._count("line", text)

    def _count(self, kind: str, *texts: str) -> None:
        n_characters = sum(map(len, texts))
        self.characters[kind] += n_characters
        self.total += n_characters


def _is_code(line: str, signed: bool) -> bool:
    """Whether a line is code or markup; `signed` says that it holds any of _SIGN."""
    if not signed or _RULE.fullmatch(line):
        return bool(_CODE_WORD.match(line))
    if line[0] == "|":  # a table's row
        return False
    if line.endswith(_CODE_ENDS) or _CODE_WORD.match(line) or _CODE.match(line):
        return True
    return len(_CODE_SIGN.findall(line)) > SIGN_SHARE * len(line)


def _is_record(line: str) -> bool:
    """Whether a line is a row of a table, a price, or a key and its value."""
    n_words = line.count(" ") + 1
    if len(_NUMBER.findall(line)) >= max(2, NUMBER_SHARE * n_words):
        return True
    if n_words > 5 and _SENTENCE_END.search(line):
        return False
    if _KEY.match(line) or (_GAP.search(line) and _COLUMNS.search(line)):
        return True
    n_commas, n_semicolons = line.count(",") - line.count(", "), line.count(";")
    fields = max(n_commas, n_semicolons) + 1
    return (
        fields > 2
        and len(line) <= MAX_FIELD_CHARS * fields
        or line.count(" | ") >= 2
        or line.startswith("| ")
    )
