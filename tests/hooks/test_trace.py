"""What plugins cost and change is known by name."""

from __future__ import annotations

from pathlib import Path

from airochat.errors import StoreError
from airochat.hooks import Block, Step
from airochat.sampling import Sampling
from tests.hooks.helpers import Bench, write_plugin


def test_each_step_tells_what_a_plugin_has_changed(tmp_path: Path) -> None:
    code = """
        from dataclasses import replace
        @hookimpl
        def transform_user_message(draft): draft.text = draft.text.replace("rain", "snow")
        @hookimpl
        def contribute_blocks(): return [Block("plugin:a", "It is cold.", depth=2, reason="winter")]
        @hookimpl
        def transform_blocks(draft): draft.blocks = draft.blocks[1:]
        @hookimpl
        def transform_sampling(draft): draft.sampling = draft.sampling.replace(temperature=0.25)
        @hookimpl
        def transform_reply(draft): pass
    """
    write_plugin(tmp_path, "a", code)
    write_plugin(tmp_path, "bad", "@hookimpl\ndef transform_reply(draft): 1 / 0")
    bench = Bench(tmp_path)
    steps: list[Step] = []
    bench.host.on_step = steps.append
    bench.host.user_message(bench.context, "See:\nthe rain.")
    bench.host.changed_blocks(bench.context, [Block("system", "Be."), *bench.host.blocks(bench.context)])
    bench.host.sampling(bench.context, Sampling(temperature=0.5))
    bench.host.reply(bench.context, "x")
    assert [(step.hook, step.plugin, step.changes) for step in steps] == [
        ("transform_user_message", "a", ("- the rain.", "+ the snow.")),
        ("contribute_blocks", "a", ("+ [plugin:a, depth 2, system, priority 0] winter", "+ It is cold.")),
        ("transform_blocks", "a", ("- [system, head, system, priority 0]", "- Be.")),
        ("transform_sampling", "a", ("- temperature = 0.5", "+ temperature = 0.25")),
        ("transform_reply", "a", ()),
        ("transform_reply", "bad", ()),
    ]
    assert "ZeroDivisionError" in steps[-1].error and not any(step.error for step in steps[:-1])
    assert all(step.seconds > 0 for step in steps)


def test_blocks_that_a_plugin_changes_say_so(tmp_path: Path) -> None:
    code = """
        from dataclasses import replace
        @hookimpl
        def transform_blocks(draft):
            draft.blocks[0] = replace(draft.blocks[0], text="Be kind.")
            draft.blocks.append(Block("card.description", "Mine."))
            draft.blocks.append(Block("elsewhere", "Mine, too.", reason="I want it"))
    """
    write_plugin(tmp_path, "a", code)
    bench = Bench(tmp_path)
    before = [Block("system", "Be.", reason="always"), Block("persona", "Ann.")]
    assert bench.host.changed_blocks(bench.context, before) == [
        Block("system", "Be kind.", reason="always; changed by a"),
        Block("persona", "Ann."),
        Block("plugin:a", "Mine.", reason="added by a"),
        Block("plugin:a", "Mine, too.", reason="I want it; added by a"),
    ]
    assert before == [Block("system", "Be.", reason="always"), Block("persona", "Ann.")]
    assert bench.told == []


def test_calls_time_and_failures_are_kept_from_run_to_run(tmp_path: Path) -> None:
    write_plugin(tmp_path, "a", "@hookimpl\ndef transform_reply(draft): assert draft.text != 'bad'")
    bench = Bench(tmp_path)
    fresh = bench.report("a")
    assert (fresh.calls, fresh.seconds, fresh.hooks, fresh.failures) == (0, 0.0, (), ())
    bench.host.reply(bench.context, "x")
    bench.host.close()
    first = bench.report("a")
    assert (first.calls, first.hooks) == (2, ("transform_reply",)) and first.seconds > 0
    again = Bench(tmp_path)
    again.kept = bench.kept
    assert again.report("a") == first
    again.host.reply(again.context, "bad")
    # Kept at once, since what fails may take the program with it.
    (failure,) = again.report("a").failures
    assert "1.0: It failed in transform_reply: AssertionError" in failure
    again.host.close()
    again.host.close()
    assert again.report("a").calls == 4


def test_the_newest_failures_are_kept(tmp_path: Path) -> None:
    kept: dict[tuple[str, str], dict[str, object]] = {}
    told: tuple[str, ...] = ()
    for number in range(7):
        code = f"@hookimpl\ndef transform_reply(draft): raise ValueError('number {number}')"
        write_plugin(tmp_path, "a", code)
        bench = Bench(tmp_path)
        bench.kept = kept
        bench.host.reply(bench.context, "x")
        told = bench.report("a").failures
    assert [failure.rpartition(" ")[2] for failure in told] == ["2", "3", "4", "5", "6"]


def test_a_database_that_fails_costs_only_the_numbers(tmp_path: Path) -> None:
    write_plugin(tmp_path, "a", "@hookimpl\ndef transform_reply(draft): 1 / 0")
    bench = Bench(tmp_path)

    def broken(plugin: str, scope: str) -> dict[str, object]:
        if plugin == "airochat":
            raise StoreError("The disk is full.")
        return {}

    bench.host._usage._data = broken
    assert bench.host.reply(bench.context, "x") == "x"
    bench.host.close()
    assert bench.report("a").state == "failed"
    assert len(bench.told) == 1 and "bad" not in bench.told[0][0]
