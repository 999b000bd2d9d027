"""Callers in turn, and whose prompts lie in a slot's cache."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsuke.engines.llama import Engine
from netsuke.serve.refused import Refused
from netsuke.serve.supervisor import Supervisor
from netsuke.serve.task import Task
from netsuke.serve.turns import MOST_SECONDS, Turns


async def _settled() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def _run(story: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(story())  # type: ignore[arg-type]


class _Asking:
    """Requests that hold their turn until they are let go."""

    def __init__(self, turns: Turns) -> None:
        self.turns, self.served = turns, list[str]()
        self.running: list[asyncio.Event] = []
        self.tasks: list[asyncio.Task[None]] = []

    def ask(self, who: str, voices: tuple[float, ...] = ()) -> asyncio.Task[None]:
        async def one() -> None:
            async with self.turns.turn(who, voices):
                self.served.append(who)
                self.running.append(gate := asyncio.Event())
                await gate.wait()

        self.tasks.append(asyncio.create_task(one()))
        return self.tasks[-1]

    async def finish(self) -> None:
        """Lets all go, one after the other."""
        await _settled()
        while self.running:
            self.running.pop(0).set()
            await _settled()


def test_callers_take_turns() -> None:
    async def story() -> None:
        asking = _Asking(Turns(1, 16))
        for who in ["a"] * 6 + ["b"] * 2 + ["c"]:
            asking.ask(who)
            await _settled()
        await asking.finish()
        assert asking.served == ["a", "a", "b", "c", "a", "b", "a", "a", "a"]
        assert asking.turns.inside == 0

    _run(story)


def test_a_caller_that_fills_the_queue_makes_room_for_another() -> None:
    async def story() -> None:
        asking = _Asking(Turns(1, 4))
        greedy = [asking.ask("a") for _ in range(5)]
        await _settled()
        with pytest.raises(Refused) as full:
            await asking.ask("a")
        assert full.value.status == 429 and full.value.headers
        others = [asking.ask("b"), asking.ask("b")]
        await _settled()
        assert [task.done() for task in greedy] == [False, False, False, True, True]
        assert all(isinstance(task.exception(), Refused) for task in greedy[3:])
        with pytest.raises(Refused):  # two and two wait now: no more room for either
            await asking.ask("b")
        await asking.finish()
        assert asking.served == ["a", "a", "b", "a", "b"] and all(task.done() for task in others)

    _run(story)


def test_a_slot_keeps_prompts_for_their_own_caller_alone() -> None:
    async def story() -> None:
        turns, kept = Turns(1, 4), []
        for who in ("a", "a", "b", "a", "b", "b"):
            async with turns.turn(who) as turn:
                kept.append((turn.slot, turn.kept))
        assert kept == [(0, False), (0, True), (0, False), (0, False), (0, False), (0, True)]
        assert turn.fields({"prompt": "x"}) == {"prompt": "x", "id_slot": 0, "cache_prompt": True}
        assert not turn.fields({"cache_prompt": False})["cache_prompt"]

    _run(story)


def test_a_slot_keeps_prompts_for_the_voices_that_filled_it() -> None:
    async def story() -> None:
        turns, kept = Turns(2, 4), []
        for who, voices in (("a", ()), ("a", (0.5,)), ("a", ()), ("b", (0.5,)), ("a", (0.5,)), ("a", (0.5,))):
            async with turns.turn(who, voices) as turn:
                kept.append((turn.slot, turn.kept))
        assert kept == [(0, False), (1, False), (0, True), (1, False), (0, False), (0, True)]
        assert turn.fields({"prompt": "x"})["lora"] == [{"id": 0, "scale": 0.5}]

    _run(story)


def test_other_voices_make_nobody_another_caller() -> None:
    async def story() -> None:
        asking = _Asking(Turns(1, 16))
        for who, voices in (("a", ()), ("a", (0.1,)), ("a", (0.2,)), ("a", (0.3,)), ("b", ()), ("b", (0.1,))):
            asking.ask(who, voices)
            await _settled()
        await asking.finish()
        assert asking.served == ["a", "a", "b", "a", "b", "a"]

    _run(story)


def test_each_caller_finds_its_slot_again() -> None:
    async def story() -> None:
        turns, found = Turns(2, 4), []
        for who in ("a", "b", "a", "b", "c", "b"):
            async with turns.turn(who) as turn:
                found.append((turn.slot, turn.kept))
        assert found == [(0, False), (1, False), (0, True), (1, True), (0, False), (1, True)]

    _run(story)


@given(
    st.integers(1, 3), st.integers(0, 5),
    st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["ask", "finish", "leave"])), max_size=40),
)  # fmt: skip
def test_no_slot_is_lost_or_given_twice(slots: int, waiting: int, acts: list[tuple[str, str]]) -> None:
    async def story() -> None:
        turns = Turns(slots, waiting)
        asking = _Asking(turns)
        for who, act in acts:
            if act == "ask":
                asking.ask(who)
            elif act == "finish" and asking.running:
                asking.running.pop(0).set()
            elif act == "leave" and asking.tasks:
                asking.tasks.pop(0).cancel()
            if len(acts) % 2:  # else acts come at once
                await _settled()
            assert 0 <= turns.running <= slots and turns.queued <= waiting
            assert turns.running == slots or turns.queued == 0
        await asking.finish()
        await asyncio.gather(*asking.tasks, return_exceptions=True)
        for task in asking.tasks:
            assert task.cancelled() or task.exception() is None or isinstance(task.exception(), Refused)
        assert (turns.running, turns.queued) == (0, 0)

    _run(story)


def test_the_more_are_refused_within_a_second_the_later_they_may_come_again():
    async def story() -> None:
        asking, clock = _Asking(Turns(1, 2)), [100.0]
        asyncio.get_running_loop().time = lambda: clock[0]  # a busy machine may take a second for forty refusals
        for _ in range(3):  # one runs, two wait
            asking.ask("a")
        await _settled()
        told = []
        for _ in range(40):
            with pytest.raises(Refused) as refused:
                await asking.ask("a")
            told.append(int((refused.value.headers or {})["Retry-After"]))
        assert told[:3] == [2, 3, 4] and told == sorted(told) and told[-1] == MOST_SECONDS
        clock[0] += 1.1
        with pytest.raises(Refused) as refused:
            await asking.ask("a")
        assert (refused.value.headers or {})["Retry-After"] == "2"
        for task in asking.tasks:
            task.cancel()
        await asyncio.gather(*asking.tasks, return_exceptions=True)

    _run(story)


def test_who_leaves_a_question_of_a_task_keeps_the_turn_until_the_engine_is_done(tmp_path: Path) -> None:
    asked, done = threading.Event(), threading.Event()

    def slow(messages: object, turn: object) -> None:
        asked.set()
        done.wait(30)

    async def story() -> None:
        task, turns = Task(Supervisor("tiny", Engine(tmp_path / "model.gguf")), tmp_path), Turns(1, 4)
        task._ask = slow  # type: ignore[assignment, method-assign]

        async def one() -> None:
            async with turns.turn("a", ()) as turn:
                await task.ask([], turn)

        leaving = asyncio.create_task(one())
        while not asked.is_set():
            await asyncio.sleep(0.01)
        leaving.cancel()
        await _settled()
        assert turns.running == 1 and not leaving.done()  # the next one would find its words in the slot
        done.set()
        with pytest.raises(asyncio.CancelledError):
            await leaving
        assert turns.running == 0

    _run(story)
