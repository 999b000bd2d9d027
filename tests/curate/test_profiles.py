"""What a text is taken for: by its name, and by its content as it lies in a person's folder."""

from __future__ import annotations

import sysconfig
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsuke.curate import profiles

GENERAL = sorted((Path(__file__).parents[2] / "netsuke/general").glob("*/*.txt"))
LIBRARY = sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py"))

PROSE: dict[str, str] = {
    "letter": """\
Dear Margaret,

Thank you for the parcel, which came on Thursday, a little squashed but with everything in it whole. The
children fought over the honey, as you said they would, and Peter has hidden the last jar behind the
flour, where he thinks that nobody looks.

We have had rain for eleven days now. The lower field is a lake, and the ducks have moved in as if we
had made it for them. I walked down yesterday to see about the gate, and had to come back round by the
road.

Write soon, and tell us how your knee is.

With love,
Hannah
""",
    "essay": """\
# On walking to work

Most people who walk to work will tell you that they do it for their health. I do not believe them. I
have walked to the same office for nine years, and my health is neither better nor worse than that of my
colleagues, who come by car.

What walking gives you is a stretch of time that belongs to nobody. You cannot answer a letter on the
way, and you cannot be asked to. The things that seemed urgent at the door have lost their edges by the
bridge, and by the time you reach the square you have forgotten two of the three.

There is also the matter of the weather. A person who drives has an opinion about the weather; a person
who walks has a relationship with it. It is not always a happy one, but then few are.
""",
    "diary": """\
12 March

Slept badly again. The neighbours had their party, and at three in the morning somebody decided to play
the trumpet. I lay there and composed a letter to the landlord in my head, which I shall of course never
send.

13 March

Better today. Anna came by with the photographs from the summer, and we sat on the floor and sorted them
until it was dark. There is one of father on the jetty that I had never seen. He looks as if he were
about to say something.
""",
    "dialogue": """\
"You are early," she said.

"The train was on time for once. I did not know what to do with myself, so I came straight here."

"Then you can help me with the chairs. Take the ones from the kitchen first, and mind the step."

He did as he was told. When he came back with the second pair, she was standing at the window with the
letter in her hand, and he saw at once that she had read it.

"It is not what I hoped for," she said, "but it is not as bad as I feared."
""",
    "german": """\
Als wir am Abend in das Dorf kamen, war der Platz vor der Kirche leer. Nur ein alter Mann saß auf der
Bank unter der Linde und rauchte. Er grüßte uns, ohne aufzustehen, und fragte, woher wir kämen.

Wir erzählten ihm von dem Weg über den Pass, von dem Schnee, der dort oben noch liegt, und von der
Hütte, in der wir übernachtet hatten. Er nickte zu allem. Dann sagte er, dass er den Weg als junger Mann
oft gegangen sei, damals noch mit den Ziegen, und dass er jeden Stein kenne.
""",
    "russian": """\
Утром мы вышли из дома очень рано, когда солнце ещё только поднималось над лесом. Дорога была сухая, и
идти было легко. Дедушка рассказывал о том, как он жил в этой деревне до войны.

К полудню мы дошли до реки. Моста больше не было, его унесло весной, и нам пришлось искать лодку. Старик
на другом берегу заметил нас и помахал рукой. Через полчаса мы уже пили чай у него на крыльце.
""",
    "chinese": """\
早上我们很早就出门了，太阳刚刚从山后升起来。路上没有人，只有几只狗在田边跑来跑去。爷爷一边走一边给我讲他小时候的故事。

中午的时候我们走到了河边。桥在春天被大水冲走了，所以我们只好找船。对岸的老人看见了我们，向我们挥手。半个小时以后，我们已经坐在他家门口喝茶了。
""",
    "arabic": """\
خرجنا من البيت في الصباح الباكر، وكانت الشمس قد بدأت تطلع من وراء الجبل. لم يكن في الطريق أحد، فمشينا
على مهل ونحن نتحدث عن أيام الطفولة وعن الناس الذين كانوا يعيشون في هذه القرية.

وصلنا إلى النهر عند الظهر. كان الجسر قد سقط في الربيع، فبحثنا عن قارب. رآنا الشيخ من الضفة الأخرى ولوح
لنا بيده. وبعد نصف ساعة كنا نشرب الشاي أمام بيته.
""",
    "mail": """\
Hello Tom,

I have read the draft twice now, and I think that the second half is nearly there. The opening still
worries me. It promises a history of the whole valley, and then we only ever hear about the mill.

Could you cut the first two pages, and start with the flood? That is where the reader sits up.
Everything that you need from before can go into the chapter about the sisters, who would know it
anyway.

I am away until the ninth. Ring me after that and we will go through it line by line.

Best wishes,
Judith
""",
}

NOTES = {
    "to do": """\
TODO
- call the plumber (kitchen tap)
- send invoice 114
- [ ] book train to Leeds
- [x] birthday card for Sam
- ask Priya about the keys
""",
    "shopping": "milk\neggs\nbread (the dark one)\n2 onions\nparsley\nbatteries AA\nbin bags\n",
    "meeting": """\
# Meeting 4 May

Present: Ana, Joe, Wen

## Budget
- overspent on travel, see sheet
- Joe to check the hotel bill
- freeze new orders until June

## Website
- new photos needed
- Wen: ask the school for permission
- launch moved to the 20th

Next: 18 May, 10:00
""",
    "lecture": """\
Photosynthesis - lecture 6

light reactions -> thylakoid
ATP + NADPH out
rubisco = slow enzyme, lots of it
C4 plants: maize, sugar cane
exam question last year!!
""",
    "recipe": """\
Lentil soup (4 people)

250 g red lentils
1 onion
2 carrots
1 tsp cumin
1 l stock

- fry onion with cumin
- lentils + carrots in, 5 min
- stock, 25 min
- blend, lemon at the end
""",
    "short lines": """\
Talked to Anna about the roof
she wants two more offers
builder comes Friday
ask about the chimney too.
insurance pays half?
send them the photos
""",
    "readme": """\
# shelf

Keeps track of books.

## Install

    pip install shelf

## Use

- `shelf add TITLE` adds a book
- `shelf lend TITLE NAME` lends it
- `shelf list` shows all

## Licence

MIT
""",
}

CODE = {
    "python": '''\
import json
from pathlib import Path


class Shelf:
    """A shelf of books."""

    def __init__(self, path):
        self.path = Path(path)
        self.books = json.loads(self.path.read_text()) if self.path.exists() else {}

    def lend(self, title, name):
        if title not in self.books:
            raise KeyError(title)
        self.books[title] = name
        self.path.write_text(json.dumps(self.books))


for title in Shelf("books.json").books:
    print(title)
''',
    "c": """\
#include <stdio.h>

static int add(int a, int b)
{
    return a + b;
}

int main(void)
{
    for (int i = 0; i < 10; i++) {
        printf("%d\\n", add(i, i));
    }
    return 0;
}
""",
    "sql": """\
CREATE TABLE books (
    id INTEGER PRIMARY KEY,
    title TEXT NOT NULL,
    lent_to TEXT
);
INSERT INTO books (title) VALUES ('Emma');
SELECT title, lent_to FROM books WHERE lent_to IS NOT NULL;
""",
    "json": '{\n  "name": "shelf",\n  "keywords": ["books", "lending"],\n  "private": true\n}\n',
    "shell": """\
#!/bin/sh
set -e
for file in "$@"; do
    if [ -f "$file" ]; then
        gzip -k "$file"
    fi
done
echo "done: $#" >&2
""",
    "html": """\
<!doctype html>
<html>
<head><title>Books</title></head>
<body>
<ul>
<li><a href="/emma">Emma</a></li>
<li><a href="/persuasion">Persuasion</a></li>
</ul>
</body>
</html>
""",
    "ini": "[server]\nhost = localhost\nport = 8080\n\n[log]\nlevel = debug\nfile = /var/log/shelf.log\n",
}

CATALOGUE = {
    "prices": """\
Hinge 40 mm, brass            2.40
Hinge 60 mm, brass            3.10
Screw 3 x 20, box of 200      4.95
Screw 4 x 40, box of 200      6.80
Handle, oak                   8.00
Handle, steel                 7.25
""",
    "menu": """\
Soup of the day ........ 4.50
Green salad ............ 5.00
Trout with almonds .... 14.50
""",
    "csv": """\
name,street,town,phone
Lund,Harbour St 4,Bergen,555 0101
Moe,Hill Rd 9,Oslo,555 0102
Dahl,Mill Ln 2,Voss,555 0103
""",
    "table": """\
| Month | Rain | Sun |
|-------|-----:|----:|
| March | 81   | 110 |
| April | 64   | 152 |
| May   | 70   | 190 |
""",
    "records": """\
Title: Emma
Author: Jane Austen
Year: 1815
Shelf: B4

Title: Persuasion
Author: Jane Austen
Year: 1817
Shelf: B4

Title: Middlemarch
Author: George Eliot
Year: 1871
Shelf: C1
""",
    "tabs": "1815\tEmma\tAusten\n1817\tPersuasion\tAusten\n1871\tMiddlemarch\tEliot\n",
    "numbers": "12.4 13.1 9.8\n11.9 12.7 10.2\n12.1 13.3 9.9\n12.8 12.9 10.4\n",
    "invoice": """\
Invoice no. 2024-117
Date: 3 April 2024
Customer: Fjord Hotel

Qty  Item                Price    Total
2    Table, oak          340.00   680.00
8    Chair, beech         95.00   760.00
1    Delivery             60.00    60.00
     Total                       1500.00
""",
}

KINDS = {"prose": PROSE, "notes": NOTES, "code": CODE, "catalogue": CATALOGUE}
LABELLED = [(kind, name) for kind, texts in KINDS.items() for name in texts]


@pytest.mark.parametrize(("kind", "name"), LABELLED)
def test_texts_of_each_profile(kind: str, name: str) -> None:
    text = KINDS[kind][name].strip("\n")
    assert profiles.choose(".txt", text) == kind == profiles.choose("", text)


@pytest.mark.parametrize("name", PROSE)
def test_a_short_beginning_of_prose_is_a_note(name: str) -> None:
    first = PROSE[name][:90]
    assert profiles.choose(".txt", first) == "notes"


@pytest.mark.parametrize("suffix", [".md", ".rst", ".html", ".pdf", ".docx"])
def test_a_document_is_no_code_whatever_it_quotes(suffix: str) -> None:
    assert profiles.choose(suffix, CODE["python"]) in ("notes", "catalogue")
    assert profiles.choose(suffix, PROSE["essay"]) == "prose"
    fenced = PROSE["essay"] + "\n```python\n" + CODE["python"] + "```\n"
    assert profiles.choose(suffix, fenced) != "code"


def test_names_say_what_code_and_tables_are() -> None:
    languages = """
    .py .js .ts .tsx .java .kt .scala .c .h .cpp .cs .fs .go .rs .rb .php .pl .lua .r .jl .swift .m .d .zig
    .nim .sh .ps1 .bat .sql .hs .ml .ex .erl .clj .lisp .scm .el .dart .f90 .pas .v .vhd .s
    .tcl .awk .css .cmake .proto
    """.split()
    settings = ".json .yaml .toml .ini .cfg .conf .xml .properties .env".split()
    assert {profiles.choose(suffix, PROSE["letter"]) for suffix in languages + settings} == {"code"}
    tables = ".csv .tsv .xlsx .ods .ics .vcf".split()
    assert {profiles.choose(suffix, PROSE["letter"]) for suffix in tables} == {"catalogue"}


def test_a_long_text_is_judged_by_all_of_it() -> None:
    prose, table = PROSE["diary"] + "\n", CATALOGUE["prices"]
    assert profiles.choose(".txt", prose * 30) == "prose"
    assert profiles.choose(".txt", prose + table * 100) == "catalogue"
    assert profiles.choose(".txt", CODE["c"] * 5 + prose * 40 + CODE["c"] * 5) == "prose"


def test_the_general_texts_are_prose() -> None:
    assert len(GENERAL) == 16
    assert {profiles.choose(".txt", path.read_text()) for path in GENERAL} == {"prose"}


def test_sources_under_a_name_that_says_nothing_are_code_and_hardly_ever_prose() -> None:
    sources = [text for text in (path.read_text(errors="replace") for path in LIBRARY) if len(text) > 300]
    chosen = [profiles.choose(".txt", text) for text in sources]
    assert len(sources) > 50 and chosen.count("code") > 0.8 * len(sources)
    assert chosen.count("prose") <= 0.03 * len(sources)


@pytest.mark.parametrize("text", ["", " ", "\n" * 9, "word", "👍👍", "\ud800", "שלום", "-", "|", "```", "…"])
def test_texts_of_nearly_nothing_are_notes(text: str) -> None:
    assert profiles.choose(".txt", text) == profiles.choose("", text) == "notes"


@given(st.text(st.characters(codec=None)) | st.text(alphabet="aB1 .,;:|=-#(){}\t\n。", max_size=300))
def test_any_text_has_one_profile(text: str) -> None:
    assert profiles.choose(".txt", text) == profiles.choose(".txt", text) in KINDS


@pytest.mark.parametrize(
    "text", ["a  " * 100_000, "=" * 300_000, "(" * 100_000, "a: " * 100_000, "x\n" * 200_000]
)
def test_texts_that_would_take_a_slow_way_for_ever(text: str) -> None:
    assert profiles.choose(".txt", text) != "prose"
