"""Sentences that go with the end of a reply: what of the request was not done."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import replace

from airochat.backends.base import Event, Finished, Request
from airochat.text import one_line

Events = Generator[Event, None, None]


def with_notes(events: Events, notes: tuple[str, ...]) -> Events:
    """Yield events, the last of which has ``notes`` as well; leaving early leaves ``events``, too."""
    with closing(events):
        for event in events:
            yield replace(event, notes=(*notes, *event.notes)) if isinstance(event, Finished) else event


class Unheeded:
    """Tells once that a backend runs no logits processors; ``why`` is a sentence that says so."""

    def __init__(self, why: str) -> None:
        self._why = why
        self._told = False

    def tell(self, request: Request, events: Events) -> Iterator[Event]:
        """Return events, with a note at their end if the request has processors and nothing was said before."""
        if not request.processors or self._told or request.purpose != "reply":
            return events
        names = ", ".join(one_line(processor.name) for processor in request.processors)
        return self._noted(events, f"{self._why} Without effect: {names}.")

    def _noted(self, events: Events, note: str) -> Events:
        with closing(events):
            for event in events:
                if isinstance(event, Finished) and not self._told:
                    self._told = True
                    event = replace(event, notes=(*event.notes, note))
                yield event
