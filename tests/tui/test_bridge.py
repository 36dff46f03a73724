"""From threads to the screen."""

from __future__ import annotations

import threading
from collections.abc import Callable

from airochat.errors import UsageError
from airochat.session.events import Notice, SessionEvent, TextAdded
from airochat.tui.bridge import FLUSH
from tests.tui.conftest import Terminal, say, until

Make = Callable[..., Terminal]


async def test_events_of_many_threads_arrive_together_and_in_order(open_terminal: Make) -> None:
    terminal = open_terminal()
    async with terminal.run() as pilot:
        await say(terminal, pilot, "Hi")
        received: list[list[SessionEvent]] = []
        terminal.app.bridge._receive = received.append
        events = [
            [TextAdded(f"s{thread}", "t", str(number), 1) for number in range(200)] for thread in range(3)
        ]

        def put_all(own: list[TextAdded]) -> None:
            for event in own:
                terminal.app.bridge._put(event)

        threads = [threading.Thread(target=put_all, args=(own,)) for own in events]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        await until(pilot, lambda: sum(len(batch) for batch in received) == 600)
        assert len(received) < 60, "not one update for each"
        flat = [event for batch in received for event in batch]
        for own in events:
            assert [event for event in flat if event in own] == own


async def test_a_notice_that_comes_by_two_ways_is_shown_once(open_terminal: Make) -> None:
    terminal = open_terminal()
    async with terminal.run() as pilot:
        await say(terminal, pilot, "Hi")
        received: list[SessionEvent] = []
        terminal.app.bridge._receive = received.extend
        notice = Notice("A plugin failed.")
        terminal.manager._listeners.emit(notice)
        terminal.session.notice("Another one.")
        await until(pilot, lambda: len(received) >= 2)
        assert received == [notice, Notice("Another one.")]


async def test_slow_updates_come_less_often(open_terminal: Make) -> None:
    terminal = open_terminal()
    async with terminal.run() as pilot:
        await say(terminal, pilot, "Hi")
        bridge = terminal.app.bridge

        def paint_slowly(_events: list[SessionEvent]) -> None:
            threading.Event().wait(FLUSH)

        bridge._receive = paint_slowly
        bridge._put(Notice("slow"))
        await until(pilot, lambda: bridge._pause > 2 * FLUSH)
        bridge._receive = lambda _events: None
        bridge._put(Notice("quick"))
        await until(pilot, lambda: bridge._pause < 2 * FLUSH)


async def test_work_off_the_screen_gives_back_its_result_or_its_error(open_terminal: Make) -> None:
    terminal = open_terminal()
    async with terminal.run() as pilot:
        results: list[object] = []

        def refuse() -> int:
            raise UsageError("No.")

        terminal.app.bridge.run(lambda: threading.current_thread() is threading.main_thread(), results.append)
        terminal.app.bridge.run(refuse, results.append)
        await until(pilot, lambda: len(results) == 2)
        assert False in results
        assert any(isinstance(result, UsageError) for result in results)
