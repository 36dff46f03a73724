from __future__ import annotations

import json

from airochat.conversation import Message
from airochat.prompt import PromptPlan, assemble, plan_json, token_table, visible_text
from airochat.templates import Templates
from tests.prompt.tokenizers import LittleSpm

SPM = LittleSpm()


def plan(text: str, tokenizer: LittleSpm | None = SPM) -> PromptPlan:
    said = [Message("7", None, "user", "You", text)]
    return assemble([], said, Templates().get("airoboros-2"), tokenizer=tokenizer, n_ctx=500, reserve=100)


def test_json() -> None:
    found = plan_json(plan("hi"), SPM, "certain", ("because",))
    assert json.loads(json.dumps(found)) == found
    assert found["template"] == {"name": "airoboros-2", "confidence": "certain", "reasons": ["because"]}
    assert found["segments"] == [
        {"text": "<s>", "special": "bos", "source": "template"},
        {"text": "A chat.\nUSER: ", "special": None, "source": "template"},
        {"text": "hi", "special": None, "source": "message:7"},
        {"text": "\nASSISTANT: ", "special": None, "source": "template"},
    ]
    assert found["tokens"][0] == {"id": 1, "piece": "<s>", "source": "template"}
    hi = SPM.encode(["hi"], [False])[0][0]
    assert {"id": hi, "piece": " hi", "source": "message:7"} in found["tokens"]
    assert found["stop"] == ["\nUSER:"]
    assert found["report"][1] == {"source": "message:7", "included": True, "reason": "history", "tokens": 1}


def test_json_without_a_model() -> None:
    assert plan_json(plan("hi", None))["tokens"] is None


def test_visible_text_marks_spaces_at_line_ends_and_steers_no_terminal() -> None:
    assert visible_text(plan("hi \x1b[2J  \nyou")) == "<s>A chat.\nUSER: hi····\nyou\nASSISTANT:·".replace(
        "····", "···"
    )


def test_the_table_has_a_row_for_each_token() -> None:
    found = plan("é\x1b[2J")
    lines = token_table(found, SPM).splitlines()
    assert found.tokens and len(lines) == len(found.tokens)
    assert lines[0].split() == ["0", "1", "'<s>'", "template"]
    assert "\x1b" not in "".join(lines)
    assert sum(line.endswith("message:7") for line in lines) == 6
