"""Jobs of a chat that is closed meanwhile: what is asked for them is taken back."""

from __future__ import annotations

from concurrent.futures import Future

from airochat.sampling import Sampling
from plugins.memory.lane import Job, Lane, Question
from plugins.memory.tests.helping import Bench


def questions(count: int) -> Job:
    for number in range(count):
        yield Question(str(number), "", Sampling())


def test_a_job_is_given_up_while_its_question_is_on_its_way() -> None:
    made, lane = Bench(["Hello."]), Lane()
    context = made.context()
    asked: list[Future[str]] = []

    def ask(*_: object, **__: object) -> Future[str]:
        asked.append(Future())
        if len(asked) == 2:
            lane.stop(context.session_id)
        return asked[-1]

    made.serve(ask=ask)
    context = made.context()
    assert lane.start(context, questions(3), "It failed")
    asked[0].set_result("yes")
    assert len(asked) == 2 and asked[1].cancelled()
    assert not lane.busy(context.session_id) and made.notices == []
    assert lane.start(context, questions(1), "It failed") and not asked[2].cancelled()
    lane.stop("another chat")
    assert lane.busy(context.session_id)
