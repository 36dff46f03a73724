"""The transcript on long conversations, small terminals, and with a mouse."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from airochat.conversation import Message, Role, Tree, new_id
from airochat.session import Session
from airochat.tui.conversation import Conversation
from tests.tui.conftest import Terminal, say, until

Make = Callable[..., Terminal]
COUNT = 10_000


def long_tree(count: int) -> Tree:
    messages: list[Message] = []
    parent: str | None = None
    for number in range(count):
        role: Role = "assistant" if number % 2 else "user"
        text = f"Message {number}.\n\n" + "Some words that fill the line, and then the next. " * (number % 7)
        messages.append(Message(new_id(), parent, role, role.title(), text, 1.0))
        parent = messages[-1].id
    return Tree.build(messages, parent)


@pytest.fixture(scope="module")
def tree() -> Tree:
    return long_tree(COUNT)


def hold(terminal: Terminal, tree: Tree) -> Session:
    session = terminal.manager.new(title="Long")
    session._ledger.tree = tree
    return session


def shown_numbers(terminal: Terminal) -> list[int]:
    return [int(row.split("Message ")[1].split(".")[0]) for row in terminal.rows if "Message " in row]


async def test_ten_thousand_messages_open_by_laying_out_a_few(open_terminal: Make, tree: Tree) -> None:
    terminal = open_terminal()
    async with terminal.run(hold(terminal, tree)) as pilot:
        await until(pilot, lambda: "Message 9999." in terminal.text)
        window = terminal.app.chat.transcript.window
        assert len(window) == COUNT
        assert window.measured < 30
        await pilot.press("tab", "home")
        await until(pilot, lambda: "Message 0." in terminal.text)
        assert window.measured < 60


async def test_paging_shows_every_row_once(open_terminal: Make) -> None:
    terminal = open_terminal()
    async with terminal.run(hold(terminal, long_tree(60))) as pilot:
        await until(pilot, lambda: "Message 59." in terminal.text)
        transcript = terminal.app.chat.transcript
        seen = set(shown_numbers(terminal))
        while "Message 0." not in terminal.text:
            transcript.page(-1)
            await pilot.pause()
            shown = shown_numbers(terminal)
            assert shown == sorted(shown)
            assert not shown or max(shown) >= min(seen) - 1, "nothing was skipped"
            seen.update(shown)
        assert seen == set(range(60))


async def test_the_view_stays_while_a_reply_grows_below(open_terminal: Make) -> None:
    terminal = open_terminal(["word " * 400], gated=True)
    async with terminal.run(hold(terminal, long_tree(30))) as pilot:
        await until(pilot, lambda: "Message 29." in terminal.text)
        await pilot.press("ctrl+r")
        await until(pilot, lambda: terminal.app.desk.conversation.live is not None)
        terminal.app.chat.transcript.page(-1)
        await pilot.pause()
        before = [row[:98].rstrip() for row in terminal.rows[3:20]]  # without the scroll bar
        terminal.backend.allow()
        await until(pilot, lambda: terminal.idle)
        assert [row[:98].rstrip() for row in terminal.rows[3:20]] == before
        await pilot.press("ctrl+end")
        await until(pilot, lambda: "tokens/s" in terminal.text)


@pytest.mark.parametrize("size", [(40, 10), (60, 14), (200, 50), (29, 8)])
async def test_every_size_shows_the_end_and_the_composer(open_terminal: Make, size: tuple[int, int]) -> None:
    terminal = open_terminal()
    async with terminal.run(hold(terminal, long_tree(30))) as pilot:
        await until(pilot, lambda: "Message 29." in terminal.text)
        await pilot.resize_terminal(*size)
        await until(
            pilot, lambda: terminal.app.size == size and terminal.app.chat.transcript.window.rows < size[1]
        )
        await pilot.press(*"still here")
        await until(pilot, lambda: "still here" in terminal.text)
        assert "fill the line" in terminal.text or "next." in terminal.text
        assert all(len(row) <= size[0] for row in terminal.rows)
        await say(terminal, pilot, "")
        assert "tokens/s" in terminal.text


async def test_a_terminal_that_is_too_small_says_so_and_recovers(open_terminal: Make) -> None:
    terminal = open_terminal()
    async with terminal.run(size=(20, 4)) as pilot:
        await until(pilot, lambda: "larger" in terminal.text)
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: "enter" in terminal.text)
        assert "larger" not in terminal.text


async def test_resizing_keeps_the_message_at_the_top(open_terminal: Make, tree: Tree) -> None:
    terminal = open_terminal()
    async with terminal.run(hold(terminal, tree)) as pilot:
        await until(pilot, lambda: "Message 9999." in terminal.text)
        transcript = terminal.app.chat.transcript
        transcript.window.jump(5000)
        transcript.choose(5000)
        await until(pilot, lambda: "Message 5000." in terminal.text)
        await pilot.resize_terminal(50, 30)
        await until(pilot, lambda: terminal.app.size.width == 50)
        await until(pilot, lambda: "Message 5000." in terminal.text)
        assert transcript.window.index == 5000


async def test_a_drag_selects_across_messages_for_the_clipboard(open_terminal: Make) -> None:
    terminal = open_terminal(["An answer."])
    async with terminal.run() as pilot:
        await say(terminal, pilot, "A question.")
        rows = terminal.rows
        start = next(y for y, row in enumerate(rows) if "A question." in row)
        end = next(y for y, row in enumerate(rows) if "An answer." in row)
        column = rows[start].index("A question.")
        await pilot.mouse_down(offset=(column + 2, start))
        await pilot.hover(offset=(column + 3, end))
        await pilot.mouse_up(offset=(column + 3, end))
        await pilot.pause()
        selected = terminal.app.screen.get_selected_text()
        assert selected is not None
        assert selected.startswith("question.")
        assert "Assistant" in selected
        assert selected.rstrip().endswith("An")


async def test_a_click_chooses_a_message_and_c_copies_its_text(open_terminal: Make) -> None:
    terminal = open_terminal()
    async with terminal.run() as pilot:
        await say(terminal, pilot, "A *question*.")
        row = next(y for y, row in enumerate(terminal.rows) if "A question." in row)
        await pilot.click(offset=(20, row))
        assert terminal.app.chat.transcript.chosen == 0
        await pilot.press("c")
        assert terminal.app.clipboard == "A *question*."


def test_a_late_event_of_another_turn_changes_nothing() -> None:
    from airochat.session.events import TextAdded, TurnStarted

    conversation = Conversation(long_tree(2))
    conversation.apply(TurnStarted("s", "turn", "reply", conversation.tree.head, "Mira"))
    conversation.take_change()
    conversation.apply(TextAdded("s", "an older turn", "late", 1))
    assert conversation.take_change() is None
    assert conversation.entry(2).text == ""
    conversation.apply(TextAdded("s", "turn", "in time", 1))
    assert conversation.entry(2).text == "in time"


async def test_the_wheel_and_the_scroll_bar_move_by_rows_and_agree(open_terminal: Make, tree: Tree) -> None:
    terminal = open_terminal()
    async with terminal.run(hold(terminal, tree)) as pilot:
        await until(pilot, lambda: "Message 9999." in terminal.text)
        transcript = terminal.app.chat.transcript
        before = terminal.rows[3:20]
        transcript.scroll_relative(y=-7, animate=True, duration=0.2)
        await until(pilot, lambda: not terminal.app.animator.is_being_animated(transcript, "scroll_y"))
        await until(pilot, lambda: round(transcript.scroll_y) == transcript.window.top)
        assert [row.rstrip(" ▁▂▃▄▅▆▇█") for row in terminal.rows[10:20]] == [
            row.rstrip(" ▁▂▃▄▅▆▇█") for row in before[:10]
        ]
        transcript.scroll_to(y=0, animate=False)
        await until(pilot, lambda: "Message 0." in terminal.text)
        transcript.scroll_to(y=transcript.max_scroll_y, animate=False)
        await until(pilot, lambda: "Message 9999." in terminal.text)
        assert transcript.window.follow
