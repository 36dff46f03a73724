from __future__ import annotations

from collections.abc import Callable

from airochat.hooks import Block
from airochat.hooks.testing import PluginBench
from airochat.sampling import Sampling
from plugins.textgen_compat.tests import scripts
from plugins.textgen_compat.tests.conftest import PLUGIN, SAID, Extensions


def test_character_bias(extensions: Extensions, own: Callable[[], list[Block]]) -> None:
    told = extensions.put("character_bias", scripts.CHARACTER_BIAS)
    assert "honoured: bot_prefix_modifier" in told
    assert "ignored: ui, since" in told and "ignored: custom_css, since" in told
    (block,) = own()
    assert "*I am so happy*" in block.text
    assert (block.depth, block.source) == (0, "plugin:textgen_compat/character_bias")
    extensions("set character_bias activate=off")
    assert own() == []
    assert "paused" in extensions("list")


def test_long_replies_changes_the_sampling(extensions: Extensions) -> None:
    extensions.put("long_replies", scripts.LONG_REPLIES, enable=False)
    extensions("enable long_replies")
    sampling = extensions.bench.sampling(Sampling(temperature=0.5))
    assert (sampling.max_tokens, sampling.ignore_eos, sampling.stop) == (1200, True, ("\nYou:", "###"))
    assert (sampling.repeat_penalty, sampling.seed, sampling.temperature) == (1.2, 7, 0.5)
    told = extensions("list")
    assert "'smoothing_factor' in the state has no effect" in told
    assert "honoured: setup, state_modifier, logits_processor_modifier" in told
    extensions("set long_replies min_length=20")
    extensions("enable long_replies")
    assert extensions.bench.sampling().max_tokens == 200


def test_a_state_that_is_left_alone_changes_nothing(extensions: Extensions) -> None:
    extensions.put("idle", "def state_modifier(state):\n    return state\n")
    before = Sampling(temperature=0.7, dynatemp_range=0.2, stop=('a"b',), seed=3, top_n_sigma=-1.0)
    assert extensions.bench.sampling(before) == before
    assert "without effect" not in extensions("list")


def test_dynamic_temperature_and_token_bans(extensions: Extensions) -> None:
    script = (
        "def state_modifier(state):\n    state.update(dynamic_temperature=True, dynatemp_low=0.5,"
        "dynatemp_high=1.5, custom_token_bans='3,4', top_n_sigma=0)\n    return state\n"
    )
    extensions.put("warm", script)
    sampling = extensions.bench.sampling(Sampling(top_n_sigma=2.0))
    assert (sampling.temperature, sampling.dynatemp_range, sampling.top_n_sigma) == (1.0, 0.5, -1.0)
    assert sampling.logit_bias == ((3, -100.0), (4, -100.0))


def test_a_value_out_of_range_switches_only_that_extension_off(extensions: Extensions) -> None:
    extensions.put("hot", "def state_modifier(state):\n    state['top_p'] = 9\n    return state\n")
    extensions.put("calm", "def state_modifier(state):\n    state['temperature'] = 0.2\n    return state\n")
    sampling = extensions.bench.sampling()
    assert (sampling.top_p, sampling.temperature) == (Sampling().top_p, 0.2)
    assert "hot: off. It failed in state_modifier" in extensions("list")


def test_translation_both_ways_with_a_module_of_its_own(extensions: Extensions) -> None:
    told = extensions.put("translate", scripts.TRANSLATE, words="TABLE = {'Hund': 'dog', 'Katze': 'cat'}\n")
    assert "honoured: input_modifier, output_modifier" in told
    assert extensions.bench.user_message("der Hund & die Katze") == "der dog & die cat"
    assert extensions.bench.reply('"dog" & cat isn\'t dog') == '"dog" & Katze isn\'t Hund'


def test_a_reply_that_nobody_changes_stays_as_it_is(extensions: Extensions) -> None:
    extensions.put("same", "def output_modifier(string):\n    return string\n")
    assert extensions.bench.reply("a &amp; b < c") == "a &amp; b < c"


def test_several_are_chained_in_the_order_of_enabling(extensions: Extensions) -> None:
    for name in ("b", "a"):
        extensions.put(name, f"def input_modifier(string, is_chat=False):\n    return string + '{name}'\n")
    assert extensions.bench.user_message("x") == "xba"
    extensions("disable b")
    extensions("enable b")
    assert extensions.bench.user_message("x") == "xab"


def test_functions_get_as_much_as_they_take(extensions: Extensions) -> None:
    forms = {
        "one": "def input_modifier(string): return string + '1'",
        "two": "def input_modifier(string, state): return string + state['name1']",
        "chat": "def input_modifier(string, is_chat=False): return string + str(is_chat)",
        "three": "def input_modifier(string, state, is_chat): return string + str((state['mode'], is_chat))",
        "odd": "def input_modifier(string, state, talk): return string + str(talk)",
        "all": "def input_modifier(*words, **more): return words[0] + str(len(words)) + str(more)",
    }
    for name, script in forms.items():
        extensions.put(name, script)
    changed = extensions.bench.user_message("x")
    assert changed == "x1YouTrue('chat', True)True2{'is_chat': True}"


def test_chat_input_comes_before_input(extensions: Extensions) -> None:
    extensions.put("late", "def input_modifier(string):\n    return string + ' late'\n")
    script = "def chat_input_modifier(text, visible_text, state):\n    return text + ' early', visible_text\n"
    extensions.put("early", script)
    assert extensions.bench.user_message("x") == "x early late"


def test_a_memory_puts_blocks_where_it_put_its_text(
    extensions: Extensions, own: Callable[[], list[Block]]
) -> None:
    extensions.put("memory", scripts.MEMORY)
    head, asked = own()
    assert (head.text, head.depth, head.role) == ("The lantern is broken.", None, "system")
    assert (asked.text, asked.depth) == ("[Ask of the lantern]", 1)
    assert head.source == "plugin:textgen_compat/memory"
    assert "without effect" not in extensions("list")


def test_added_history_becomes_messages_of_the_prompt(
    extensions: Extensions, own: Callable[[], list[Block]]
) -> None:
    extensions.put("reminder", scripts.REMINDER)
    found = [(block.role, block.text, block.depth) for block in own()]
    assert found == [("user", "Where is the key?", 1), ("assistant", "Under the mat.", 1)]
    assert [message.text for message in extensions.bench.history] == list(SAID)


def texts(extensions: Extensions) -> list[str]:
    return [message.text for message in extensions.bench.changed_history()]


def test_messages_that_are_taken_away_are_not_in_the_prompt(
    extensions: Extensions, own: Callable[[], list[Block]]
) -> None:
    extensions.put(
        "forget", "def history_modifier(history):\n    del history['internal'][:-1]\n    return history\n"
    )
    for said in ("Fine.", "And now?"):
        extensions.bench.add(said)
    assert texts(extensions) == ["What now?", "Fine.", "And now?"]
    assert own() == []
    assert [message.text for message in extensions.bench.history][:3] == list(SAID)
    assert "without effect" not in extensions("list")


def test_all_rows_can_go_but_not_the_words_that_the_reply_follows_on(
    extensions: Extensions, own: Callable[[], list[Block]]
) -> None:
    extensions.put(
        "forget", "def history_modifier(history):\n    history['internal'].clear()\n    return history\n"
    )
    extensions.bench.add("a note", "system")
    assert texts(extensions) == ["What now?", "a note"]
    assert own() == []


def test_a_summary_takes_the_place_of_rows_and_rows_are_added(
    extensions: Extensions, own: Callable[[], list[Block]]
) -> None:
    script = (
        "def history_modifier(history):\n"
        "    rows = history['internal']\n"
        "    rows[:2] = [['What was?', 'All that.']]\n"
        "    rows.append(['And the key?', 'Under the mat.'])\n    return history\n"
    )
    extensions.put("sums", script)
    for said in ("Nothing.", "Why?", "Because.", "So?"):
        extensions.bench.add(said)
    assert texts(extensions) == ["What was?", "All that.", "Why?", "Because.", "So?"]
    found = [(block.role, block.text, block.depth) for block in own()]
    assert found == [("user", "And the key?", 1), ("assistant", "Under the mat.", 1)]


def test_a_row_that_is_changed_is_another_text_of_the_same_message(
    extensions: Extensions, own: Callable[[], list[Block]]
) -> None:
    script = (
        "def history_modifier(history):\n"
        "    history['internal'] = [[a.upper(), b + '!'] for a, b in history['internal']]\n    return history\n"
    )
    extensions.put("loud", script)
    assert texts(extensions) == ["HELLO THERE", "Good evening.!", "What now?"]
    assert own() == []


def test_the_reply_that_goes_on_stays_as_it_is(extensions: Extensions) -> None:
    bench = PluginBench(PLUGIN, SAID[:2], purpose="continue")
    extensions.bench = bench
    extensions.put(
        "forget", "def history_modifier(history):\n    history['internal'].clear()\n    return history\n"
    )
    assert texts(extensions) == ["Good evening."]


def test_changing_messages_otherwise_is_reported(
    extensions: Extensions, own: Callable[[], list[Block]]
) -> None:
    script = "def state_modifier(state):\n    state['history']['internal'].clear()\n    return state\n"
    extensions.put("forget", script)
    texts(extensions)
    assert own() == []
    assert "without effect: it changes or takes away messages" in extensions("list")


def test_the_head_of_the_prompt_can_be_rewritten(extensions: Extensions) -> None:
    script = (
        "def state_modifier(state):\n"
        "    state['context'] = state['context'].replace('sad', 'glad')\n    return state\n"
    )
    extensions.put("cheer", script)
    (block,) = extensions.bench.changed_blocks([Block("card.description", "Bo is sad.\nBo keeps bees.")])
    assert (block.source, block.text) == ("card.description", "Bo is glad.\nBo keeps bees.")


def test_a_prompt_that_nobody_changes_stays_as_it_is(
    extensions: Extensions, own: Callable[[], list[Block]]
) -> None:
    script = (
        "from modules.chat import generate_chat_prompt\n"
        "def custom_generate_chat_prompt(user_input, state, history):\n"
        "    return generate_chat_prompt(user_input, state, history=history)\n"
    )
    extensions.put("plain", script)
    extensions.bench.add("Nothing.\n\nNothing at all.")
    extensions.bench.add("note", "system")
    extensions.bench.add("And again, twice.", "assistant")
    assert own() == []
    assert "without effect" not in extensions("list")


def test_custom_prompts_are_chained(extensions: Extensions, own: Callable[[], list[Block]]) -> None:
    extensions.put("reminder", scripts.REMINDER)
    extensions.put("memory", scripts.MEMORY)
    script = (
        "from modules import chat\ndef custom_generate_chat_prompt(user_input, state, **more):\n"
        "    return chat.generate_chat_prompt('[Mind the step]\\n' + user_input, state, **more)\n"
    )
    extensions.put("step", script)
    extensions.bench.changed_history()
    found = [(block.source.partition("/")[2], block.text, block.depth) for block in own()]
    assert found == [
        ("reminder", "Where is the key?", 1),
        ("reminder", "Under the mat.", 1),
        ("memory", "The lantern is broken.", None),
        ("memory", "[Ask of the lantern]", 1),
        ("step", "[Mind the step]", 1),
    ]
    assert "without effect" not in extensions("list")


def test_no_prefix_where_a_reply_is_continued(extensions: Extensions, own: Callable[[], list[Block]]) -> None:
    extensions.put("character_bias", scripts.CHARACTER_BIAS)
    extensions.bench.add("And so", "assistant")
    assert own() == []


def test_settings_of_scripts_are_seen_by_their_full_name(extensions: Extensions) -> None:
    script = (
        "from modules import shared\nparams = {'mark': '!'}\n"
        "def output_modifier(string):\n    return string + shared.settings['seen-mark']\n"
    )
    extensions.put("seen", script)
    assert extensions.bench.reply("hush") == "hush!"


def test_a_scripts_own_token_count_is_used_by_scripts(extensions: Extensions) -> None:
    extensions.put("counts", "def custom_tokenized_length(prompt):\n    return 42\n")
    script = (
        "from modules.text_generation import get_encoded_length\n"
        "def output_modifier(string):\n    return string + str(get_encoded_length(string))\n"
    )
    extensions.put("asks", script)
    assert extensions.bench.reply("hush") == "hush42"
    assert "ignored: custom_tokenized_length" in extensions("list")


def test_output_is_given_as_the_web_page_would_show_it(extensions: Extensions) -> None:
    extensions.put(
        "quotes", "def output_modifier(string):\n    return string.replace('&quot;', '|') + ' &amp;'\n"
    )
    assert extensions.bench.reply('"a" < b') == "|a| < b &"


def test_what_is_put_after_the_last_message_stands_after_it(
    extensions: Extensions, own: Callable[[], list[Block]]
) -> None:
    script = (
        "from modules import chat\ndef custom_generate_chat_prompt(user_input, state, **more):\n"
        "    return chat.generate_chat_prompt(user_input + '\\n[Be brief]', state, **more)\n"
    )
    extensions.put("brief", script)
    assert [(block.text, block.depth) for block in own()] == [("[Be brief]", 0)]


def test_what_is_put_onto_a_row_is_put_onto_its_message(
    extensions: Extensions, own: Callable[[], list[Block]]
) -> None:
    script = (
        "def history_modifier(history):\n"
        "    history['internal'][0][0] = '(early) ' + history['internal'][0][0] + ' (late)'\n    return history\n"
    )
    extensions.put("marks", script)
    assert texts(extensions) == ["(early) Hello there (late)", *SAID[1:]]
    assert own() == []


def test_a_second_count_of_tokens_is_told_of(extensions: Extensions) -> None:
    for number in (1, 2):
        extensions.put(f"count{number}", f"def custom_tokenized_length(prompt):\n    return {number}\n")
    script = (
        "from modules.text_generation import get_encoded_length\n"
        "def output_modifier(string):\n    return string + str(get_encoded_length(string))\n"
    )
    extensions.put("asks", script)
    assert extensions.bench.reply("hush") == "hush1"
    assert "custom_tokenized_length, of which only that of the first extension is called" in extensions(
        "list"
    )
