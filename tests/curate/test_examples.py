"""Files of examples: every shape in every format, and every fault a row can have, by its line."""

from __future__ import annotations

import csv
import io
import json
import re
import sys
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from netsuke.curate import delimited
from netsuke.curate.examples import Examples, parse
from netsuke.texts.examples import answer, as_messages, input_of, replaced, right_answer, texts, with_question

ASKED = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]

# file's columns, their values, the shape, the row in normal form
SHAPES: list[tuple[dict[str, Any], str, dict[str, Any]]] = [
    ({"messages": ASKED}, "messages", {"messages": ASKED}),
    ({"conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}]}, "messages",
     {"messages": ASKED}),
    ({"prompt": "Hi", "completion": "Hello"}, "prompt + completion", {"input": "Hi", "output": "Hello"}),
    ({"prompt": "Hi", "response": "Hello"}, "prompt + completion", {"input": "Hi", "output": "Hello"}),
    ({"input": "Hi", "output": "Hello"}, "input + output", {"input": "Hi", "output": "Hello"}),
    ({"question": "Hi", "answer": "Hello"}, "input + output", {"input": "Hi", "output": "Hello"}),
    ({"question": "Who?", "context": "Ann.", "answer": "Ann"}, "input + output",
     {"input": "Who?\nAnn.", "output": "Ann"}),
    ({"instruction": "Greet", "input": "", "output": "Hello"}, "input + output",
     {"input": "Greet", "output": "Hello"}),
    ({"instruction": "Greet", "input": "Ann", "output": "Hello"}, "input + output",
     {"input": "Greet\nAnn", "output": "Hello"}),
    ({"instruction": "Greet", "context": "Ann", "response": "Hello"}, "input + output",
     {"input": "Greet\nAnn", "output": "Hello"}),
    ({"text": "Fine.", "label": "good"}, "text + label", {"text": "Fine.", "label": "good"}),
]  # fmt: skip


def made(text: str, suffix: str) -> Examples:
    found = parse(text, suffix)
    assert found is not None
    return found


def test_a_prompt_and_completion_of_messages_are_a_conversation():
    told = made(jsonl({"prompt": ASKED[:1], "completion": ASKED[1:]}, {"prompt": ASKED, "completion": []}), ".jsonl")
    assert told.rows == ({"line": 1, "messages": ASKED}, {"line": 2, "messages": ASKED})
    assert bad(jsonl({"prompt": ASKED, "completion": ASKED[:1]}, {"prompt": "Hi", "completion": "Ho"})) == {
        1: "the last message is the user's, not the assistant's"
    }


def bad(text: str, suffix: str = ".jsonl") -> dict[int, str]:
    return dict(made(text, suffix).bad_rows)


def table(rows: list[list[str]], **dialect: Any) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, **dialect).writerows(rows)
    return text.getvalue()


def jsonl(*rows: Any) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


# -- shapes ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("columns", "shape", "form"), SHAPES, ids=lambda value: "")
def test_every_shape_in_every_format(columns, shape, form):
    cells = [value if isinstance(value, str) else json.dumps(value) for value in columns.values()]
    files = {
        ".jsonl": jsonl(columns),
        ".ndjson": json.dumps(columns),
        ".json": json.dumps([columns], indent=1),
        ".csv": table([list(columns), cells]),
        ".tsv": table([list(columns), cells], delimiter="\t"),
    }
    for suffix, text in files.items():
        line = {".csv": 2, ".tsv": 2}.get(suffix, 1)
        found = made(text, suffix)
        assert (found.shape, found.rows, found.bad_rows) == (shape, ({"line": line, **form},), ())


@pytest.mark.parametrize("said", ["sep=;\n", "SEP=;\r\n", '"sep=;"\n', "\ufeffsep=;\n", "sep=;  \n"])
def test_what_excel_says_of_its_separator_is_no_header(said):
    found = made(f"{said}text;label\na;b\n", ".csv")
    assert (found.rows, found.bad_rows) == (({"line": 3, "text": "a", "label": "b"},), ())


def test_the_dialect_names_the_format_and_the_columns():
    assert made("id; Frage ;Text;LABEL\n1;x;a;b\n", ".csv").dialect == (
        "table with semicolons: Text, LABEL; ignored: id, Frage"
    )
    row = {"Question": "a", "Answer": "b", **{f"c{n}": n for n in range(10)}}
    assert made(jsonl(row), ".jsonl").dialect == (
        "JSON lines: Question, Answer; ignored: c0, c1, c2, c3, c4, c5, c6, c7 and 2 more"
    )
    assert made(json.dumps([row | {"answer ": 1}]), ".json").bad_rows == (
        (1, "item 1: two columns are named answer"),
    )


@pytest.mark.parametrize(
    ("text", "suffix"),
    [
        ("", ".csv"),
        ("\n \r\n", ".csv"),
        ("", ".jsonl"),
        ("", ".json"),
        ("[]", ".json"),
        ("[", ".json"),
        ("name,age\nAnn,3\n", ".csv"),
        ("text\nAnn\n", ".csv"),
        ('"text,label\nopen,1\n', ".csv"),
        ("user,messages\nAnn,3\nBen,4\n", ".csv"),
        ("x" * 20_000 + ",text,label\n", ".csv"),
        ('{"text": "a document"}\n', ".jsonl"),
        (
            '{"a": 1}\n' * 11 + '{"text": "a", "label": "b"}\n' * 9 + '{"text": "a", "label": "b"}\n' * 90,
            ".jsonl",
        ),
        ('{\n "text": "a",\n "label": "b"\n}\n', ".jsonl"),
        ('{"text": "a", "label": "b"}', ".json"),
        ('{"text": "a", "label": "b"}', ".txt"),
        ("not JSON\n", ".jsonl"),
    ],
)
def test_what_is_no_file_of_examples(text, suffix):
    assert parse(text, suffix) is None


def test_half_of_the_first_rows_decide():
    rows = '{"a": 1}\n' * 10 + '{"text": "a", "label": "b"}\n' * 10
    found = made(rows + "broken\n" * 50, ".jsonl")
    assert len(found.rows) == 10 and len(found.bad_rows) == 60
    assert found.bad_rows[0] == (1, "no known columns: a")


def test_the_most_frequent_shape_wins():
    text = jsonl(
        {"text": "a", "label": "b"}, *[{"input": "a", "output": "b"}] * 2, {"question": "a", "answer": "b"}
    )
    found = made(text, ".jsonl")
    assert found.shape == "input + output" and [row["line"] for row in found.rows] == [2, 3, 4]
    assert found.bad_rows == ((1, "text + label, most rows are input + output"),)
    assert found.dialect == "JSON lines: input, output, question, answer"


def test_plain_values_come_out():
    found = made(jsonl({"text": "a", "label": 1}, {"text": "a", "label": []}), ".jsonl")
    assert json.loads(json.dumps(found.to_dict())) == found.to_dict()
    assert found.to_dict() == {
        "examples": [{"line": 1, "text": "a", "label": "1"}],
        "shape": "text + label",
        "bad_rows": [[2, "label is a list, not one text"]],
        "dialect": "JSON lines: text, label",
    }


# -- rows as others use them -----------------------------------------------------------------------------
@pytest.mark.parametrize("form", [form for _, _, form in SHAPES], ids=lambda value: "")
def test_texts_of_a_row(form):
    row = {"line": 7, "owner": "Ann", **form}
    assert answer(row) == texts(row)[-1] and input_of(row) == texts(row)[0]
    seen: list[str] = []

    def numbered(text):
        seen.append(text)
        return f"{len(seen)} {text}"

    new = replaced(row, numbered)
    assert seen == texts(row) and texts(new) == [f"{n} {text}" for n, text in enumerate(seen, 1)]
    assert replaced(new, lambda text: text[2:]) == row


def test_all_before_the_answer_is_input():
    turns = [
        ("system", "Be kind."),
        ("user", "Hi"),
        ("assistant", "Hello"),
        ("user", "Bye"),
        ("assistant", "Ciao"),
    ]
    row = {"line": 1, "messages": [{"role": role, "content": content} for role, content in turns]}
    assert answer(row) == "Ciao" and input_of(row) == "Be kind.\n\nHi\n\nHello\n\nBye"


# -- values ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("value", "label"),
    [
        ("3", "3"), ("-0", "-0"), ("1.50", "1.50"), ("1E5", "1E5"), ("1e999", "1e999"),
        ("9" * 5000, "9" * 5000),
        ("true", "true"), ("false", "false"), ('"\\ud83d\\ude00"', "😀"), ('"\\ud83d"', "\ufffd"),
        ('" spaces stay "', " spaces stay "),
    ],
)  # fmt: skip
def test_a_label_is_as_written(value, label):
    assert made(f'{{"text": "a", "label": {value}}}', ".jsonl").rows[0]["label"] == label


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ('{"text": "a", "label": NaN}', "no label"),
        ('{"text": "a", "label": null}', "no label"),
        ('{"text": "a", "label": ["x", "y"]}', "label is a list, not one text"),
        ('{"text": {"x": 1}, "label": "b"}', "text is an object, not one text"),
        ('{"text": " \\n", "label": "b"}', "text is empty"),
        ('{"text": "a", "label": ""}', "label is empty"),
        ('{"text": "a\\u0000", "label": "b"}', "text has a NUL character"),
        ('{"text": "a", "label": "b", "text": "c"}', "the key 'text' comes twice"),
        ('{"text": "a", "Text": "c", "label": "b"}', "two columns are named text"),
        ('{"text": "a", "label": "b"', "not JSON: Expecting ',' delimiter in column 27"),
        ('{"text": "a", "label": "b"};', "not JSON: more after the value in column 28"),
        ('{"text": "a\tb", "label": "b"}', "not JSON: Invalid control character at in column 12"),
        ('["text", "label"]', "not an object"),
        ('{"text": ' + "[" * 100_000, "nested too deep"),
        ('{"instruction": "a", "input": ["b"], "output": "c"}', "input is a list, not one text"),
        ('{"text": "only"}', "no known columns: text"),
    ],
)
def test_a_bad_row_of_json(row, why):
    good = jsonl({"text": "a", "label": "b"}).strip()
    text = f"{good}\r\n\n{row}\n{good}"
    found = made(text, ".jsonl")
    assert found.bad_rows == ((3, why),) and [r["line"] for r in found.rows] == [1, 4]
    ((number, reason),) = made(f"[{good},{row}]", ".json").bad_rows
    assert reason.startswith(f"item {number}: ") and number == (3 if row.endswith(";") else 2)


def test_lines_end_by_any_newline_and_no_other_character():
    row = '{"text": "a\u2028b\x85", "label": "b"}'
    assert [r["line"] for r in made("\r".join([row] * 3), ".jsonl").rows] == [1, 2, 3]
    assert made("\ufeff" + row, ".jsonl").rows[0]["text"] == "a\u2028b\x85"


def test_a_list_keeps_what_comes_before_its_fault():
    good = '{"text": "a", "label": "b"}'
    found = made(f"[{good}, {good}\n, {{oops}}, {good}]", ".json")
    assert len(found.rows) == 2
    ((number, why),) = found.bad_rows
    assert number == 3 and why.startswith("item 3: not JSON: Expecting property name") and "line 2" in why
    assert why.endswith("what follows is not read")
    for end in ("", ";", f" {good}]", "] more", "}"):
        (pair,) = made(f"[{good}{end}", ".json").bad_rows
        assert pair[0] == 2 and "expected a comma or the end of the list" in pair[1]


# -- messages --------------------------------------------------------------------------------------------
def turn(role: Any, content: Any, **more: Any) -> dict[str, Any]:
    return {"role": role, "content": content, **more}


USER, BOT = turn("user", "Hi"), turn("assistant", "Hello")


@pytest.mark.parametrize(
    ("messages", "why"),
    [
        ([], "there are no messages"),
        ({"role": "user"}, "the messages are no list"),
        ("hello", "not JSON: Expecting value in column 1"),
        ('{"role": "user"}', "the messages are no list"),
        ("[" * 100_000, "nested too deep"),
        ([USER], "the last message is the user's, not the assistant's"),
        ([USER, BOT, turn("tool", "42")], "the last message is the tool's, not the assistant's"),
        ([USER, BOT | {"weight": 0}], "marked as a bad answer"),
        ([USER, BOT | {"weight": 1}, USER, BOT | {"weight": 0.0}], "marked as a bad answer"),
        ([turn("system", "Be kind."), BOT], "no message is the user's"),
        ([turn("system", "")], "no message is the user's"),
        ([USER, "Hello"], "message 2: not an object"),
        ([USER, turn("robot", "Hello")], "message 2: role 'robot', not system, user, assistant or tool"),
        ([USER, turn(None, "Hello")], "message 2: role None, not system, user, assistant or tool"),
        ([USER, turn(["user"], "Hi")], "message 2: role a list, not system, user, assistant or tool"),
        ([USER, turn("assistant", "")], "message 2: content is empty"),
        ([turn("user", None), BOT], "message 1: no content"),
        ([USER, turn("assistant", None, tool_calls=[{"id": 1}])], "message 2: a call of a tool, not text"),
        ([USER, turn("assistant", "", function_call={"name": "f"})], "message 2: a call of a tool, not text"),
        ([turn("user", [{"type": "image_url", "image_url": {}}]), BOT],
         "message 1: a part of type 'image_url', not text"),
        ([turn("user", [{"type": "text", "text": "a"}, {"type": "input_audio"}]), BOT],
         "message 1: a part of type 'input_audio', not text"),
        ([turn("user", ["a"]), BOT], "message 1: a part of type None, not text"),
        ([turn("user", []), BOT], "message 1: content is empty"),
        ([turn("user", {"a": 1}), BOT], "message 1: content is an object, not one text"),
    ],
)  # fmt: skip
def test_bad_messages(messages, why):
    assert bad(jsonl({"messages": [USER, BOT]}, {"messages": messages})) == {2: why}


@pytest.mark.parametrize("row", [
    '{"text": "a", "label": %s}', '{"question": "a", "context": %s, "answer": "b"}',
    '{"messages": [{"role": %s}]}', '{"messages": [{"role": "user", "content": [{"type": %s}]}]}',
])  # fmt: skip
def test_no_depth_of_nesting_raises(row):
    limit = sys.getrecursionlimit()
    for depth in range(limit // 2, limit + 10):
        assert 1 in bad(row % ("[" * depth + "]" * depth) + '\n{"text": "a", "label": "b"}')


def test_an_answer_of_weight_0_before_the_last_is_only_read():
    messages = [USER, BOT | {"weight": 0}, USER, BOT | {"weight": 1}]
    assert len(made(jsonl({"messages": messages}), ".jsonl").rows) == 1


def test_a_completion_that_is_labelled_false_is_not_learnt():
    row = {"prompt": "Sky?", "completion": "blue"}
    found = made(jsonl(row | {"label": True}, row | {"completion": "green", "Label": False}, row), ".jsonl")
    assert [r["line"] for r in found.rows] == [1, 3] and found.bad_rows == ((2, "marked as a bad answer"),)
    found = made("prompt,completion,label\nSky?,blue,True\nSky?,green,False\n", ".csv")
    assert [r["line"] for r in found.rows] == [2] and found.bad_rows == ((3, "marked as a bad answer"),)
    assert bad(jsonl({"text": "The sky is green", "label": False})) == {}


def test_messages_that_are_taken():
    messages = [
        turn("developer", "Be kind."),
        turn("System", " "),
        turn("User", [{"type": "text", "text": "Hi, "}, {"type": "text", "text": "you"}], name="Ann"),
        turn("assistant", "Hello", tool_calls=[], weight=1),
        turn("tool", "42"),
        {"from": "gpt", "value": "So it is 42."},
    ]
    (row,) = made(jsonl({"messages": messages}), ".jsonl").rows
    assert [(m["role"], m["content"]) for m in row["messages"]] == [
        ("system", "Be kind."), ("user", "Hi, you"), ("assistant", "Hello"), ("tool", "42"),
        ("assistant", "So it is 42."),
    ]  # fmt: skip


# -- tables ----------------------------------------------------------------------------------------------
def test_rows_of_a_table_that_are_bad():
    text = "text,label\na,b\nc\nd,e,f\n\n,\n , \n,x\ny, \ng\0,h\nlast,row"
    assert bad(text, ".csv") == {
        3: "1 cell, the header has 2",
        4: "3 cells, the header has 2",
        8: "text is empty",
        9: "label is empty",
        10: "text has a NUL character",
    }
    assert [row["line"] for row in made(text, ".csv").rows] == [2, 11]


def test_a_header_alone_and_one_that_is_ambiguous():
    assert made("\n\ntext,label\n\n", ".csv").bad_rows == ((3, "a header without rows"),)
    found = made("text,label,Text\na,b,c\n", ".csv")
    assert (
        found.rows == ()
        and found.bad_rows[0][0] == 1
        and "two columns are named text" in found.bad_rows[0][1]
    )
    assert made("x,text,label,x\n1,a,b,2\n", ".csv").rows == ({"line": 2, "text": "a", "label": "b"},)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_are_counted_inside_cells_too(end):
    text = end.join(["\ufeffinput,output", '"one', "", 'two",a', "x,y,z", "", '"say ""hi""",b', ""])
    found = made(text, ".csv")
    assert [(row["line"], row["output"]) for row in found.rows] == [(2, "a"), (7, "b")]
    assert found.rows[0]["input"] == f"one{end}{end}two" and found.rows[1]["input"] == 'say "hi"'
    assert dict(found.bad_rows) == {5: "3 cells, the header has 2"}


def test_the_header_tells_the_delimiter():
    assert made("text;label\na, b, c;d\n", ".csv").rows[0]["text"] == "a, b, c"
    assert made("text,label\na;b\tc|d,e\n", ".tsv").rows[0]["text"] == "a;b\tc|d"
    assert made("a;b|text|label\n1;2|x, y|z\n", ".csv").rows[0]["text"] == "x, y"


def test_spaces_after_the_commas_of_a_header_are_none_of_the_cells():
    found = made('text, label\n"good, really", yes\n bad , no \n', ".csv")
    assert [(row["text"], row["label"]) for row in found.rows] == [("good, really", "yes"), ("bad ", "no ")]
    assert made("text,label\na, b\n", ".csv").rows[0]["label"] == " b"


def test_a_cell_over_the_limit_of_the_csv_module():
    long = "word, " * 100_000
    assert made(table([["text", "label"], [long, "x"]]), ".csv").rows[0]["text"] == long


def test_tabs_without_quoting():
    text = 'text\tlabel\n"Hello," she said.\tgood\n5" pipe\tbad\n"quoted"\tgood\n'
    assert [row["text"] for row in made(text, ".tsv").rows] == ['"Hello," she said.', '5" pipe', '"quoted"']
    quoted = 'text\tlabel\n"a ""b"""\tgood\n"lost\tbad\n'
    assert made(quoted, ".tsv").rows[0]["text"] == 'a "b"' and list(bad(quoted, ".tsv")) == [3]


# -- broken quotes ---------------------------------------------------------------------------------------
def rows_and_bad(text: str) -> tuple[list[int], dict[int, str]]:
    found = made(text, ".csv")
    return [row["line"] for row in found.rows], dict(found.bad_rows)


def test_a_quote_that_is_never_closed_costs_its_row():
    lines = ["text,label"] + [f"row {n},{n}" for n in range(2, 1001)]
    lines[499] = '"row 500,500'
    good, why = rows_and_bad("\n".join(lines))
    assert good == [n for n in range(2, 1001) if n != 500]
    assert why == {500: "the quote that opens on line 500 is never closed"}


def test_a_lost_quote_does_not_reach_the_next_one():
    good, why = rows_and_bad('text,label\n"lost,1\nc,2\n"d, e",3\nf,4\n')
    assert good == [3, 4, 5]
    assert why == {2: "the quote that opens on line 2 closes in the middle of a cell on line 4"}


def test_the_quote_is_named_by_its_own_line():
    _, why = rows_and_bad('text,label\n"two\nlines","lost\nc,2\nd,3\n')
    assert why == {2: "the quote that opens on line 3 is never closed"}


def test_a_quote_inside_a_cell_of_several_lines_makes_no_rows_of_them():
    text = 'text,label\n"one\ntwo\nthe "third", line\nfour",x\nnext,y\n"say ""it""",z\n5" pipe,w\n'
    good, why = rows_and_bad(text)
    assert good == [6, 7]
    assert why[2] == (
        "the quote that opens on line 2 closes in the middle of a cell on line 4;"
        " lines 3 to 3 are not read: they do not look like rows"
    )
    doubt = "a quote inside a cell, after the broken quote of line 2"
    assert {4: doubt, 5: doubt, 8: doubt}.items() <= why.items()


def test_the_last_row_cut_off_makes_no_rows():
    good, why = rows_and_bad('text,label\na,b\n"a poem\nof two lines\nand more, cut o')
    assert good == [2] and list(why) == [3] and "lines 4 to 5 are not read" in why[3]


def test_two_lost_quotes_do_not_swallow_the_rows_between():
    between = "".join(f"row {n},{n}\n" for n in range(30))
    good, why = rows_and_bad(f'text,label\n"lost,1\n{between}too",2\nz,3\n')
    assert good == [*range(3, 33), 34]
    assert why[2] == "the quote that opens on line 2 runs to line 33, over lines that look like rows"
    prose = "A line of prose, and more.\nNone here.\n" * 30
    assert rows_and_bad(f'text,label\n"{prose}",1\n')[0] == [2]


def test_quotes_broken_all_over_end_soon():
    good, why = rows_and_bad("text,label,n\n" + 'x",y,"\n' * 20_000)
    assert good == [] and list(why) == list(range(2, 11))
    assert why[10] == (
        "the quote that opens on line 10 is never closed;"
        " lines 11 to 20001 are not read: too many quotes are broken"
    )


@given(
    st.lists(st.sampled_from(["plain", "two\nlines", 'a "quote"', "a, comma"]), min_size=1, max_size=8),
    st.integers(0, 10**6),
    st.booleans(),
)  # fmt: skip
def test_nothing_is_swallowed_by_a_broken_quote(cells, place, insert):
    rows = [[f"<{n}> {cell}", f"<{n}b>"] for n, cell in enumerate(cells)]
    text = table([["text", "label"], *rows], lineterminator="\n")
    start = len("text,label\n")
    if insert:
        at = start + place % (len(text) - start)
        text = text[:at] + '"' + text[at:]
    elif quotes := [m.start() for m in re.finditer('"', text)]:
        at = quotes[place % len(quotes)]
        text = text[:at] + text[at + 1 :]
    found = made(text, ".csv")
    entries = sorted(
        [(row["line"], row) for row in found.rows] + [(n, why) for n, why in found.bad_rows],
        key=lambda e: e[0],
    )
    ends = [line - 1 for line, _ in entries[1:]] + [text.count("\n") + 1]
    for number, line in enumerate(text.split("\n")[1:], 2):
        for token in re.findall(r"<\d+b?>", line):
            ((_, holder),) = [e for e, end in zip(entries, ends, strict=True) if e[0] <= number <= end]
            assert isinstance(holder, str) or any(token in t for t in texts(holder))


# -- any file --------------------------------------------------------------------------------------------
ANY = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)
FULL = ANY.filter(str.strip)


@given(
    st.lists(st.tuples(FULL, FULL), min_size=1, max_size=6),
    st.sampled_from(",;\t|"),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    st.sampled_from([".csv", ".tsv"]),
)
@example([('a"\n\tb', "x"), ('"', '"""')], "\t", csv.QUOTE_MINIMAL, ".tsv")
def test_what_the_csv_module_writes_comes_back(pairs, delimiter, quoting, suffix):
    text = table([["input", "output"], *map(list, pairs)], delimiter=delimiter, quoting=quoting)
    found = made(text, suffix)
    assert [tuple(texts(row)) for row in found.rows] == pairs and found.bad_rows == ()
    starts = [2]
    for pair in pairs[:-1]:
        starts.append(starts[-1] + 1 + sum(len(re.findall(r"\r\n?|\n", cell)) for cell in pair))
    assert [row["line"] for row in found.rows] == starts


@given(st.lists(st.tuples(FULL, FULL), min_size=1), st.booleans())
def test_json_comes_back(pairs, as_list):
    rows = [{"prompt": prompt, "completion": completion} for prompt, completion in pairs]
    found = made(json.dumps(rows), ".json") if as_list else made(jsonl(*rows), ".jsonl")
    assert [tuple(texts(row)) for row in found.rows] == pairs and found.bad_rows == ()
    assert [row["line"] for row in found.rows] == list(range(1, len(rows) + 1))


PIECES = st.sampled_from([
    '"', "'", "{", "}", "[", "]", ",", ";", "\t", "|", "\r", "\n", "\0", " ", ":", "a", "\\", "\\u", "\ufeff",
    "é", "text", "label", '{"text": "a", "label": "b"}', '{"messages": [', '{"role": "user", "content": "x"}',
    "1e9", "NaN", "text,label\n", "text\tlabel\n", '""', "\ud800", "\x85",
])  # fmt: skip
STARTS = st.sampled_from(
    ["", "text,label\n", "text\tlabel\n", "messages\n", "[", '{"text": "a", "label": "b"}\n']
)


@given(
    STARTS,
    st.lists(PIECES, max_size=30).map("".join),
    st.sampled_from([".csv", ".tsv", ".json", ".jsonl", ".ndjson"]),
)
def test_no_text_raises(start, rest, suffix):
    found = parse(start + rest, suffix)
    if found:
        json.dumps(found.to_dict()).encode()
        lines = [row["line"] for row in found.rows] + [line for line, _ in found.bad_rows]
        assert len(set(lines)) == len(lines) and found.shape
        assert all(text.strip() and "\0" not in text for row in found.rows for text in texts(row))


@given(st.lists(PIECES, max_size=30).map("".join))
def test_every_line_is_a_row_or_bad_or_blank(rest):
    text = '{"text": "a", "label": "b"}\n' * 20 + rest.replace("\ud800", "")
    found = made(text, ".jsonl")
    lines = {row["line"] for row in found.rows} | {line for line, _ in found.bad_rows}
    assert lines == {n for n, line in enumerate(delimited.lines(text), 1) if line.strip()}


def test_columns_that_are_called_something_else() -> None:
    found = parse("id,Body,section\n1,A tale,art\n2,,net\n", ".csv", ("body", "section"))
    assert found and found.shape == "input + output" and found.bad_rows == ((3, "Body is empty"),)
    assert found.rows == ({"line": 2, "input": "A tale", "output": "art"},)
    assert parse('{"text": "a", "label": "b"}\n', ".jsonl", ("body", "section")) is None
    lines = parse('{"body": "a", "section": 4}\n', ".jsonl", ("body", "section"))
    assert lines and lines.rows == ({"line": 1, "input": "a", "output": "4"},)


def test_a_row_as_a_conversation() -> None:
    assert as_messages({"text": "Hi ", "label": " x "}) == [
        {"role": "user", "content": "Hi "}, {"role": "assistant", "content": "x"},
    ]  # fmt: skip
    talk = [{"role": "system", "content": "S"}, *ASKED]
    assert as_messages({"messages": talk}) == talk and right_answer({"messages": talk}) == "Hello"
    assert [m["content"] for m in with_question(talk, "Yo")] == ["S", "Yo", "Hello"]
