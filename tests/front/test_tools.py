"""A pack as an MCP server, asked by the SDK's own client over a real process."""

import asyncio
import os
import sys
from pathlib import Path

import pytest
from searched import BEES, LOCKS, row, searchable_pack

from netsuke.errors import RecipeError, StoreError
from netsuke.front import tools

ROOT = Path(__file__).resolve().parents[2]


def talked(home, pack, calls):
    """(names of the tools, what each call came to) of one process that serves the pack."""
    from mcp import Client, StdioServerParameters  # not above: every worker reads every file

    env = {"PATH": os.environ["PATH"], "NETSUKE_HOME": str(home), "PYTHONPATH": str(ROOT)}
    command = StdioServerParameters(command=sys.executable, args=["-m", "netsuke", "mcp", str(pack)], env=env)

    async def talk():
        async with Client(command) as client:
            names = [tool.name for tool in (await client.list_tools()).tools]
            return names, [await client.call_tool(name, given) for name, given in calls]

    return asyncio.run(asyncio.wait_for(talk(), 60))


def test_an_agent_searches_and_completes(tmp_path):
    pack = searchable_pack(tmp_path / "pack")
    names, (found, nothing, empty, long, written, wild) = talked(tmp_path / "home", pack, [
        ("search", {"question": "How much honey does a colony need?", "most": 1}),
        ("search", {"question": "quantum chromodynamics"}),
        ("search", {"question": " "}),
        ("search", {"question": "x" * 3000}),
        ("complete", {"prompt": "the", "max_tokens": 3, "temperature": 0}),
        ("complete", {"prompt": "the", "max_tokens": 10**9}),
    ])  # fmt: skip
    assert names == ["search", "complete"]  # it was taught no task
    (quote,) = found.structured_content["quotes"]
    assert quote["quote"] == BEES[quote["begin"] : quote["end"]] and quote["file"] == "bees.md"
    assert nothing.structured_content["found"] is False and not nothing.is_error
    assert written.structured_content["generated"] is True and isinstance(written.structured_content["completion"], str)
    for wrong, word in ((empty, "question"), (long, "3,000 characters"), (wild, "max_tokens")):
        assert wrong.is_error and word in wrong.content[0].text


def test_a_pack_without_documents_has_no_search(tmp_path):
    pack = searchable_pack(tmp_path / "pack")
    (pack / "search.db").unlink()
    record = (pack / "netsuke.json").read_text().replace("search.db", "gone.db")
    (pack / "netsuke.json").write_text(record)
    served = tools.Tools("mine", pack)
    names = [tool.name for tool in asyncio.run(tools.build(served).list_tools())]
    served.close()
    assert names == ["complete"]


def test_without_the_sdk_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "mcp.server.mcpserver", None)
    served = tools.Tools("mine", searchable_pack(tmp_path / "pack"))
    with pytest.raises(RecipeError) as told:
        tools.build(served)
    served.close()
    assert "netsuke[mcp]" in told.value.hint


def test_a_task_is_asked(tmp_path, monkeypatch):
    import json

    from netsuke.engines import asking

    pack = searchable_pack(tmp_path / "pack")
    way = {"kind": "labels", "labels": ["red", "blue"], "end": "<|im_end|>\n", "roles": ["user"], "quiet": False,
           "commands": [], "way": {"instruction": "", "shots": 0}}  # fmt: skip
    monkeypatch.setattr(asking, "task_of", lambda folder: way)
    served = tools.Tools("mine", pack)
    try:
        names = [tool.name for tool in asyncio.run(tools.build(served).list_tools())]
        assert names == ["search", "complete", "ask"]
        answer = served.ask("the sky")
        assert answer["likely"][0][0] in way["labels"] and json.dumps(answer)
        with pytest.raises(RecipeError):
            served.ask(" ")
    finally:
        served.close()


def named(store, folder, **more):
    """Points the name "mine" at a pack, as a make does; its Ref."""
    ref = store.add_folder(searchable_pack(folder, **more))
    store.name("packs", "mine", {"ref": ref, "recipe": ""})
    return ref


def test_a_withdrawn_pack_is_quoted_no_more_and_the_one_made_again_is(tmp_path, store):
    bees, ice = "How much honey does a colony need?", "Who broke the ice in hard winters?"
    served = tools.Tools("mine", store.path(named(store, tmp_path / "old")), store)
    try:
        assert served.search(bees)["found"] and served.complete("the", 1)["generated"]
        engine = served._engine
        store.unname("packs", "mine")
        for call in (lambda: served.search(bees), lambda: served.complete("the", 1)):
            with pytest.raises(StoreError, match="mine is withdrawn"):
                call()
        assert not engine.alive and served.index is None
        named(store, tmp_path / "new", rows=[row("locks.md", LOCKS)])
        assert not served.search(bees)["found"] and served.search(ice)["quotes"][0]["file"] == "locks.md"
        again = named(store, tmp_path / "newest")  # made again while nobody asked
        assert served.search(bees)["found"] and served.pack == store.path(again)
    finally:
        served.close()
