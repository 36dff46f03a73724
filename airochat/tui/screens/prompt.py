"""What the model will see: the parts of the next prompt, their tokens, and the exact text."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content, Span
from textual.screen import Screen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from airochat.backends.base import Usage
from airochat.errors import AirochatError
from airochat.prompt import PromptPlan, mark_spaces
from airochat.text import clean
from airochat.tui.parts import PromptPart, part_key, prompt_parts

if TYPE_CHECKING:
    from airochat.session import Session
    from airochat.tui.app import AirochatApp

_SHADES = ("", " 80%", " 62%", " 48%", " 36%", " 28%")
_PIECES_FROM = 36
"""Cells from which on shares, and the pieces of a plugin instead of their number, are listed."""


class PromptScreen(Screen[None]):
    """Shows the prompt of the next turn, as if what stands in the composer were said."""

    HORIZONTAL_BREAKPOINTS = [(0, "-tiny"), (28, "-narrow"), (100, "-wide")]
    BINDINGS = [Binding("escape", "back", "Back"), Binding("c", "copy", "Copy")]

    def __init__(self, session: Session, text: str) -> None:
        super().__init__()
        self._session = session
        self._text = text
        self._plan: PromptPlan | None = None
        self._n_ctx = 0
        self._ahead: Usage | None = None
        """What reading the prompt would take now."""
        self._parts: list[PromptPart] = []

    def compose(self) -> ComposeResult:
        """Make the widgets."""
        yield Static(Content.styled("What the model will see", "bold $rp-ink"), id="prompt-title")
        yield Static("", id="prompt-bar", markup=False)
        yield Static("waiting for the model …", id="prompt-sums", markup=False)
        with Horizontal(id="prompt-body"):
            yield OptionList(id="prompt-parts")
            with VerticalScroll(id="prompt-scroll", can_focus=False):
                yield Static("", id="prompt-text", markup=False)
        yield Static("↑↓  part    c  copy    esc  back", id="prompt-hints", markup=False)

    def on_mount(self) -> None:
        """Assemble the prompt, which may have to wait for the model."""
        bridge = cast("AirochatApp", self.app).bridge
        bridge.run(self._ask, self._take)

    def _ask(self) -> PromptPlan:
        plan = self._session.prompt(self._text or None)
        self._ahead = self._session.foresee(plan)
        return plan

    def _take(self, result: PromptPlan | AirochatError) -> None:
        if self not in self.app.screen_stack:
            return
        if isinstance(result, AirochatError):
            self.query_one("#prompt-sums", Static).update(Content.styled(clean(str(result)), "$rp-error"))
            return
        self._plan, self._parts = result, prompt_parts(result)
        self._n_ctx = self._session.wait_for_model().n_ctx
        self._draw(result)
        self.query_one(OptionList).focus()

    def on_resize(self) -> None:
        """Fill the new width."""
        if self._plan is not None:
            self.call_after_refresh(self._draw, self._plan)

    def _draw(self, plan: PromptPlan) -> None:
        listing = self.query_one(OptionList)
        chosen = listing.highlighted or 0
        listing.set_options(
            [Option(self._row(part, number), part.key) for number, part in enumerate(self._parts)]
        )
        listing.highlighted = chosen
        self.query_one("#prompt-sums", Static).update(self._sums(plan, self._n_ctx))
        self.query_one("#prompt-bar", Static).update(self._bar(self._n_ctx))

    def _row(self, part: PromptPart, number: int) -> Content:
        share = f"{100 * part.tokens / max(1, sum(each.tokens for each in self._parts)):.0f}%"
        width = max(16, self.query_one(OptionList).content_size.width - 2)
        figures = f"{part.tokens:>7,}" + (f"{share:>6}" if width >= _PIECES_FROM else "")
        name = Content(part.title).truncate(width - 2 - len(figures), ellipsis=True, pad=True)
        title = Content.assemble(
            ("■ ", f"$rp-accent{self._shade(number)}"), name.plain, (figures, "$rp-faint")
        )
        lines = [title, *self._details(part, width)]
        return Content.assemble(Content("\n").join(lines), "\n")

    def _details(self, part: PromptPart, width: int) -> list[Content]:
        if not part.pieces or width < _PIECES_FROM:
            return [Content.styled(f"  {part.detail}", "$rp-faint")]
        lines = []
        for name, tokens, why in part.pieces:
            figure = f"{tokens:>7,}" + " " * 6
            shown = Content(name).truncate(width - 2 - len(figure), ellipsis=True, pad=True)
            lines.append(Content.assemble("  ", (shown.plain, "$rp-soft"), (figure, "$rp-faint")))
            lines.append(Content.styled(f"    {why}", "$rp-faint").truncate(width, ellipsis=True))
        return lines

    def _shade(self, number: int) -> str:
        return "" if self.app.native_ansi_color else _SHADES[number % len(_SHADES)]

    def _sums(self, plan: PromptPlan, n_ctx: int) -> Content:
        reply = self._reply(n_ctx)
        free = max(0, n_ctx - plan.size - reply)
        return Content.assemble(
            (f"{plan.size:,}", "bold $rp-accent"),
            (f" tokens of {n_ctx:,}" if n_ctx else " tokens", "$rp-soft"),
            (f"   {free:,} free" if n_ctx else "", "$rp-faint"),
            (f"   {reply:,} kept for the reply" if n_ctx else "", "$rp-faint"),
            (f"   template {plan.template}", "$rp-faint"),
            (f"   {_to_read(self._ahead)}" if self._ahead else "", "$rp-faint"),
        )

    def _reply(self, n_ctx: int) -> int:
        return min(self._session.profile.effective_sampling().max_tokens, n_ctx // 2)

    def _bar(self, n_ctx: int) -> Content:
        width = self.query_one("#prompt-bar").content_size.width
        total = max(n_ctx, sum(part.tokens for part in self._parts), 1)
        pieces, before, drawn = [], 0, 0
        for number, part in enumerate(self._parts):
            before += part.tokens
            cells = round(width * before / total) - drawn
            drawn += cells
            pieces.append(("█" * cells, f"$rp-accent{self._shade(number)}"))
        hatched = min(width - drawn, round(width * self._reply(n_ctx) / total))
        pieces.append(("█" * (width - drawn - hatched), "$rp-panel"))
        pieces.append(("╱" * hatched, "$rp-faint"))
        return Content.assemble(*pieces)

    @on(OptionList.OptionHighlighted)
    def _highlighted(self, event: OptionList.OptionHighlighted) -> None:
        if self._plan is None:
            return
        text, spans, before = "", [], None
        for segment in self._plan.segments:
            shown = clean(segment.text)
            mine = part_key(segment.source) == event.option.id
            style = "$rp-speech" if mine else "$rp-faint" if segment.special else "$rp-soft"
            if mine and before is None:
                before = text
            spans.append(Span(len(text), len(text) + len(shown), style))
            text += shown
        whole = self.query_one("#prompt-text", Static)
        whole.update(Content(mark_spaces(text), spans))
        # Long lines take several rows.
        above = Content(mark_spaces(before)).get_height({}, max(1, whole.size.width)) if before else 0
        self.query_one("#prompt-scroll").scroll_to(y=max(0, above - 3), animate=False)

    def action_copy(self) -> None:
        """Copy the exact text."""
        if self._plan is not None:
            self.app.copy_to_clipboard(clean(self._plan.text))
            self.notify("Copied.")

    def action_back(self) -> None:
        """Leave."""
        self.dismiss(None)


def _to_read(usage: Usage) -> str:
    moved = f" ({usage.moved:,} moved)" if usage.moved else ""
    return f"{usage.evaluated:,} to read, {usage.reused:,} in the cache{moved}"
