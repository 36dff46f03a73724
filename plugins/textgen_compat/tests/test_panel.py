"""The panel of the extensions, with a form for the parameters of each."""

from __future__ import annotations

from pathlib import Path

import pytest

from airochat.errors import UsageError
from airochat.hooks import Field, Rows, Text
from plugins.textgen_compat.tests import scripts
from plugins.textgen_compat.tests.conftest import Extensions


def rows(extensions: Extensions) -> Rows:
    return next(part for part in extensions.bench.panel().parts if isinstance(part, Rows))


def test_extensions_are_listed_added_and_switched(extensions: Extensions, tmp_path: Path) -> None:
    assert "There are none" in rows(extensions).empty
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "script.py").write_text(scripts.SHOUT)
    assert "far was added" in extensions.bench.act("add", path=str(tmp_path / "far")).message
    assert [row.cells[:2] for row in rows(extensions).rows] == [("far", "not enabled")]
    with pytest.raises(UsageError, match="not enabled"):
        extensions.bench.act("open", "far")
    assert extensions.bench.act("switch", "far").message == "far: on; honoured: output_modifier"
    (row,) = rows(extensions).rows
    assert row.cells == ("far", "on", "honoured: output_modifier") and row.marked
    assert extensions.bench.reply("hush") == "HUSH"
    extensions.bench.act("switch", "far")
    assert extensions.bench.reply("hush") == "hush"


def test_a_form_has_a_field_of_the_right_kind_for_each_parameter(extensions: Extensions) -> None:
    extensions.put("character_bias", scripts.CHARACTER_BIAS)
    place = extensions.bench.act("open", "character_bias").place
    assert place is not None
    fields = [part for part in extensions.bench.panel(place=place).parts if isinstance(part, Field)]
    assert [(one.setting.title, one.setting.kind, one.value) for one in fields] == [
        ("activate", "bool", True),
        ("bias string", "text", " *I am so happy*"),
        ("strength", "float", 1.5),
        ("times", "int", 2),
        ("words", "lines", '["a"]'),
    ]
    told = extensions.bench.act("save", place=place, value_1="x", value_3=4, value_4='["b"]')
    assert told.message == "3 of the parameters have changed."
    params = extensions.script("character_bias").params
    assert (params["bias string"], params["times"], params["words"]) == ("x", 4, ["b"])
    before = extensions("set character_bias")
    with pytest.raises(UsageError, match="written as JSON"):
        extensions.bench.act("save", place=place, value_2=3.0, value_4="[")
    assert extensions("set character_bias") == before
    extensions("enable character_bias")
    assert extensions("set character_bias") == before


def test_one_without_parameters_says_so(extensions: Extensions) -> None:
    extensions.put("shout", scripts.SHOUT)
    (text,) = extensions.bench.panel(place="extension:shout").parts
    assert text == Text("shout has no parameters.")
    with pytest.raises(UsageError):
        extensions.bench.panel(place="extension:nobody")
