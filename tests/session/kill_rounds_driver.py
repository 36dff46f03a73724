"""Lets a scripted model call a tool and tells on standard output how far that is; `test_kill_rounds.py` kills it.

Arguments: the data folder, and ``call`` to wait for ever in the tool, or ``results`` to do so before the answer.
"""

from __future__ import annotations

import sys
from pathlib import Path

from airochat.backends.scripted import ScriptedTokenizer
from airochat.session.events import RoundEnded, ToolCalled
from tests.session.toolbox import Workbench


def main(home: str, where: str) -> None:
    call = "CALL slow" if where == "call" else 'CALL dice {"sides": 6}'
    bench = Workbench(Path(home), [call, "never said"])
    bench.backend._allowed = len(ScriptedTokenizer().tokens(call)) + 1
    for event in bench.session.send("Roll"):
        match event:
            case ToolCalled(state="running") if where == "call":
                print("running", flush=True)
            case RoundEnded():
                print("stored", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
