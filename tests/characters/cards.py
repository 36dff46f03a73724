"""Hypothesis strategies of cards: raw JSON of every version, with unknown keys everywhere."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

# JSON has neither halves of surrogate pairs nor, in a card, anything that cannot be shown in a name.
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
lines = st.lists(texts, max_size=4).map("\n".join)
names = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=20)
greetings = st.lists(lines.filter(str.strip), max_size=3)
scalars = st.none() | st.booleans() | st.integers(-(10**6), 10**6) | st.floats(-1e6, 1e6) | texts
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)
unknown = st.dictionaries(names.map(lambda name: f"x_{name}"), values, max_size=3)
talkativeness = st.sampled_from([0.0, 0.25, 0.5, 1.0])


def _record(required: dict[str, Any], optional: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    known = st.fixed_dictionaries(required, optional=optional)
    return st.tuples(known, unknown).map(lambda pair: {**pair[1], **pair[0]})


entries = _record(
    {"keys": st.lists(names, max_size=2), "content": lines, "extensions": unknown, "enabled": st.booleans()},
    {"insertion_order": st.integers(0, 200), "constant": st.booleans(), "use_regex": st.booleans()},
)
books = _record({"extensions": unknown, "entries": st.lists(entries, max_size=2)}, {"name": texts})
assets = _record(
    {"type": st.just("emotion"), "uri": names.map(lambda name: f"https://example.org/{name}"), "name": names},
    {"ext": st.sampled_from(["png", "webp", "unknown"])},
)
extensions = st.tuples(unknown, st.dictionaries(st.just("talkativeness"), talkativeness, max_size=1)).map(
    lambda pair: {**pair[0], **pair[1]}
)
VERSION_1 = {
    "name": names,
    "description": lines,
    "personality": lines,
    "scenario": lines,
    "first_mes": lines,
    "mes_example": lines,
}
VERSION_2 = {
    "creator_notes": lines,
    "system_prompt": lines,
    "post_history_instructions": lines,
    "alternate_greetings": greetings,
    "tags": st.lists(names, max_size=3),
    "creator": texts,
    "character_version": texts,
    "extensions": extensions,
    "character_book": books,
}
VERSION_3 = {
    "nickname": names,
    "group_only_greetings": greetings,
    "creator_notes_multilingual": st.dictionaries(st.sampled_from(["de", "en", "zh-CN"]), lines, max_size=2),
    "source": st.lists(names, max_size=2),
    "creation_date": st.integers(0, 2_000_000_000),
    "modification_date": st.integers(0, 2_000_000_000),
    "assets": st.lists(assets, max_size=2),
}
MIRROR = {**VERSION_1, "creatorcomment": lines, "fav": st.booleans(), "greeting": lines, "tags": texts}
flat = _record(
    VERSION_1, {**VERSION_2, "creatorcomment": lines, "context": lines, "talkativeness": talkativeness}
)


def _nested(version: int, data: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    spec = {"spec": st.just(f"chara_card_v{version}"), "spec_version": st.just(f"{version}.0"), "data": data}
    return _record(spec, MIRROR)


cards = st.one_of(
    flat,
    _nested(2, _record(VERSION_1, {**VERSION_2, "context": lines})),
    _nested(3, _record(VERSION_1, {**VERSION_2, **VERSION_3, "spec": texts})),
)
"""Raw cards as files have them: versions 1 to 3, valid, with unknown and repeated keys."""

KEYS = (
    *VERSION_1,
    *VERSION_2,
    *VERSION_3,
    "talkativeness",
    "char_name",
    "greeting",
    "context",
    "creatorcomment",
    "x",
)
ENTRY_KEYS = (
    "keys",
    "secondary_keys",
    "content",
    "extensions",
    "enabled",
    "insertion_order",
    "position",
    "id",
    "key",
    "uid",
)
bent_entries = st.dictionaries(st.sampled_from(ENTRY_KEYS), values, max_size=5)
bent_books = st.fixed_dictionaries(
    {
        "entries": st.lists(bent_entries | values, max_size=2)
        | st.dictionaries(names, bent_entries, max_size=2)
        | values
    },
    optional={"extensions": values, "scan_depth": values, "name": values},
)
bent_fields = st.tuples(
    st.dictionaries(st.sampled_from(KEYS), values | st.text(max_size=5), max_size=8),
    st.dictionaries(st.just("character_book"), bent_books, max_size=1),
).map(lambda pair: {**pair[0], **pair[1]})
bent_cards = st.one_of(
    bent_fields,
    st.tuples(
        bent_fields, st.fixed_dictionaries({"data": bent_fields | values}, optional={"spec": texts})
    ).map(lambda pair: {**pair[0], **pair[1]}),
    st.fixed_dictionaries({"spec": st.just("chara_card_v2"), "data": bent_fields}),
)
"""Raw cards in which any field may be anything."""
