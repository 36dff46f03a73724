"""A transcript as plain text and plain HTML, for where no widget can live."""

from __future__ import annotations

import html
import re

from airochat.notebook.transcript import State

_TAG = re.compile(r"<[^>]*>")


def transcript_bundle(state: State) -> dict[str, str]:
    """Return a display bundle of all finished messages of a state; the widget's style sheet hides it while it lives."""
    messages = state["messages"]
    body = "".join(_message_html(message) for message in messages) or "<p>(nothing said yet)</p>"
    text = "\n\n".join(_message_text(message) for message in messages) or "(nothing said yet)"
    return {"text/plain": text, "text/html": f'<div class="airochat-static">{body}</div>'}


def _message_html(message: State) -> str:
    note = f' <small style="opacity: .65">{html.escape(message["note"])}</small>' if message["note"] else ""
    return f'<div style="max-width: 44em"><b>{html.escape(message["name"])}</b>{note}{message["html"]}</div>'


def _message_text(message: State) -> str:
    note = f" ({message['note']})" if message["note"] else ""
    return f"{message['name']}{note}: {html.unescape(_TAG.sub('', message['html'])).strip()}"
