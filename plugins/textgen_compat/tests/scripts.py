"""Extensions as people write them for text-generation-webui, in small."""

from __future__ import annotations

SHOUT = """
def output_modifier(string):
    return string.upper()
"""

CHARACTER_BIAS = """
import gradio as gr

params = {"activate": True, "bias string": " *I am so happy*", "strength": 1.5, "times": 2, "words": ["a"]}


class Panel(gr.Blocks):
    pass


def bot_prefix_modifier(string, state):
    assert string == "" and state["name2"]
    return f'{string} {params["bias string"].strip()} '


def ui():
    with gr.Accordion("Bias"):
        activate = gr.Checkbox(value=params["activate"])
    activate.change(lambda on: params.update({"activate": on}), activate, None)


def custom_css():
    return "body {}"
"""

LONG_REPLIES = """
import modules.shared as shared
from modules.logging_colors import logger

params = {"min_length": 120}
ready = []


def setup():
    ready.append(params["min_length"])
    logger.info("ready")
    assert shared.args.listen is False and shared.args.nothing_of_the_kind is None


def state_modifier(state):
    state["max_new_tokens"] = float(ready[0]) * 10
    state["ban_eos_token"] = True
    state["custom_stopping_strings"] = '"\\\\nYou:", "###"'
    state["repetition_penalty"] = 1.2
    state["seed"] = 7
    state["smoothing_factor"] = 0.3
    return state


def logits_processor_modifier(processor_list, input_ids):
    return processor_list
"""

TRANSLATE = """
import html

from .words import TABLE

params = {"activate": True}


def input_modifier(string, state, is_chat=False):
    assert is_chat
    return " ".join(TABLE.get(word, word) for word in string.split(" "))


def output_modifier(string):
    back = {there: here for here, there in TABLE.items()}
    return html.escape(" ".join(back.get(word, word) for word in html.unescape(string).split(" ")))
"""

MEMORY = """
from modules import chat, shared
from modules.text_generation import encode, get_encoded_length

params = {"memory": "The lantern is broken."}


def custom_generate_chat_prompt(user_input, state, **kwargs):
    assert kwargs["history"]["internal"] == state["history"]["internal"]
    assert len(encode(params["memory"])[0]) == get_encoded_length(params["memory"])
    state["context"] = state["context"] + "\\n" + params["memory"]
    return chat.generate_chat_prompt("[Ask of the lantern]\\n" + user_input, state, **kwargs)
"""

REMINDER = """
def history_modifier(history):
    history["internal"].append(["Where is the key?", "Under the mat."])
    history["visible"].append(["Where is the key?", "Under the mat."])
    return history
"""

BROKEN = """
import gradio as gr
params = {"activate": True}


def output_modifier(string, state):
    raise KeyError("no such thing")


def input_modifier(string):
    return None
"""

HANGS = """
import threading
params = {}
gate = threading.Event()


def output_modifier(string):
    gate.wait()
    return "late"
"""
