"""A message's Markdown becomes the HTML that is meant, and nothing that is not."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airochat.notebook.markdown import plain_html, to_html
from tests.notebook.canaries import CANARIES

ALLOWED = re.compile(
    r"</?(?:p|h[1-6]|em|strong|s|code|pre|blockquote|ul|li|table|thead|tbody|tr|th|td)>|<(?:br|hr)>"
    r'|</?ol(?: start="\d+")?>|</?span(?: class="speech")?>|</a>'
    r'|<a(?: (?:href="(?:https?:|mailto:)[^"<>]*"|title="[^"<>]*"|target="_blank"'
    r'|rel="noopener noreferrer nofollow"))+>'
)


def only_allowed(html: str) -> bool:
    return "<" not in ALLOWED.sub("", html)


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ('*She nods.* "Yes."', '<p><em>She nods.</em> <span class="speech">"Yes."</span></p>'),
        (
            "“Ja”, „Ja“, «oui»",
            " ".join(['<p><span class="speech">“Ja”</span>,', '<span class="speech">„Ja“</span>,']),
        ),
        ("one\ntwo", "<p>one<br>\ntwo</p>"),
        ("    indented prose", "<p>indented prose</p>"),
        ("scene\n---\nnext", "<p>scene</p>\n<hr>\n<p>next</p>"),
        ('a 5" pipe', '<p>a 5" pipe</p>'),
        ('`"code"`', '<p><code>"code"</code></p>'),
        ("![a picture](http://a.test/b.png)", ">a picture</a></p>"),
        ("1 < 2 & <b>", "<p>1 &lt; 2 &amp; &lt;b&gt;</p>"),
        ("a\x1b[31mred\x1b[0m", "<p>ared</p>"),
    ],
)
def test_writers_markdown(text: str, html: str) -> None:
    assert html in to_html(text)


def test_speech_reaches_over_emphasis_with_marks_that_close_in_order() -> None:
    html = to_html('"They *really* said" it')
    assert html == (
        '<p><span class="speech">"They </span><em><span class="speech">really</span></em>'
        '<span class="speech"> said"</span> it</p>\n'
    )


def test_speech_that_is_not_closed_stays_plain_and_ends_with_its_paragraph() -> None:
    assert "speech" not in to_html('"Where are\n\nyou')


@pytest.mark.parametrize("text", CANARIES)
def test_a_canary_leaves_only_harmless_tags(text: str) -> None:
    assert only_allowed(to_html(text))


@given(st.text(alphabet=st.sampled_from("ab<>/&\"'`*_[]()!#|-\n\\: “”=\x1b"), max_size=80))
def test_no_text_makes_a_tag_that_is_not_allowed(text: str) -> None:
    assert only_allowed(to_html(text))


def test_a_growing_reply_is_escaped() -> None:
    assert plain_html("<b>\x1b[2J&") == '<span style="white-space: pre-wrap">&lt;b&gt;&amp;</span>'
