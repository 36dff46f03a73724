"""The conversation tree, against a naive model of itself."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airochat.conversation import Message, Tree, new_id
from airochat.errors import UsageError


def _message(name: str, parent: str | None) -> Message:
    return Message(name, parent, "user", "You", f"text of {name}")


@given(st.lists(st.integers(min_value=-1, max_value=30), max_size=30))
def test_every_message_ever_added_can_be_reached(parents: list[int]) -> None:
    tree = Tree()
    for number, wanted in enumerate(parents):
        parent = str(wanted) if 0 <= wanted < number else None
        tree = tree.append(_message(str(number), parent))
        assert tree.head == str(number)
        assert tree.history[-1].id == str(number)
        assert tree.siblings(str(number))[-1] == str(number)
    assert [message.id for _, message in sorted(tree.walk(), key=lambda row: int(row[1].id))] == [
        str(number) for number in range(len(parents))
    ]
    assert Tree.build(tree.messages.values(), tree.head) == tree


@given(st.lists(st.integers(min_value=-1, max_value=30), min_size=1, max_size=30), st.data())
def test_a_path_goes_from_the_root_down_through_parents(parents: list[int], data: st.DataObject) -> None:
    tree = Tree()
    for number, wanted in enumerate(parents):
        tree = tree.append(_message(str(number), str(wanted) if 0 <= wanted < number else None))
    chosen = data.draw(st.sampled_from(sorted(tree.messages)))
    path = tree.path(chosen)
    assert path[0].parent is None and path[-1].id == chosen
    assert all(below.parent == above.id for above, below in itertools.pairwise(path))


def test_operations_leave_the_old_tree_as_it_was() -> None:
    one = Tree().append(_message("a", None))
    two = one.append(_message("b", "a"))
    moved = two.move(None)
    assert (len(one), len(two)) == (1, 2)
    assert (one.head, two.head, moved.head) == ("a", "b", None)
    assert moved.history == ()


def test_a_swipe_is_a_sibling() -> None:
    tree = Tree().append(_message("a", None)).append(_message("b", "a")).append(_message("c", "a"))
    assert tree.siblings("b") == ("b", "c")
    assert tree.newest_leaf("a") == "c"


@pytest.mark.parametrize(
    "act", [lambda t: t.move("zz"), lambda t: t.append(_message("x", "zz")), lambda t: t["zz"]]
)
def test_an_unknown_message_is_refused(act: object) -> None:
    with pytest.raises(UsageError, match="zz"):
        act(Tree())  # type: ignore[operator]


def test_a_message_whose_parent_is_lost_becomes_a_root() -> None:
    tree = Tree.build([_message("a", None), _message("b", "gone")], "b")
    assert [message.id for message in tree.history] == ["b"]
    assert tree.siblings("b") == ("a", "b")


def test_a_cycle_in_damaged_data_ends() -> None:
    tree = Tree.build([_message("a", "b"), _message("b", "a")], "b")
    assert {message.id for message in tree.history} == {"a", "b"}


def test_ids_sort_by_the_time_they_were_made() -> None:
    ids = [new_id() for _ in range(1000)]
    assert ids == sorted(ids) and len(set(ids)) == 1000
