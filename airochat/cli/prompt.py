"""``airochat prompt``: the exact prompt, with or without a model."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from airochat.cli.common import known_templates, load_settings, open_home, print_json
from airochat.cli.lazy import report
from airochat.cli.people import People, find_people
from airochat.cli.reading import read_text
from airochat.errors import UsageError

if TYPE_CHECKING:
    from airochat.backends.base import ModelInfo
    from airochat.prompt import PromptPlan, Tokenizer
    from airochat.settings import Settings
    from airochat.templates import Choice, Goal, Templates


@dataclass(frozen=True, slots=True)
class _Target:
    """What the prompt is for: a template, and the model if one is loaded."""

    choice: Choice
    info: ModelInfo | None = None
    tokenizer: Tokenizer | None = None


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What is said, and what the model is to write then."""

    text: str = ""
    prefill: str = ""
    history: str | None = None
    goal: Goal = "reply"


@click.command()
@click.argument("text", default="")
@click.option("--model", metavar="M", help="Load this model: a path, a known name, or demo.")
@click.option("--model-name", metavar="NAME", help="Choose the template by a model's name; none is loaded.")
@click.option("--template", metavar="T", help="The prompt template, instead of the model's.")
@click.option("--system", metavar="S", help="The system prompt.")
@click.option(
    "--card", metavar="C", multiple=True, help="A character card: a file, or a name from the library."
)
@click.option("--speaker", metavar="NAME", help="Who of several characters answers.")
@click.option(
    "--user", metavar="NAME", help="The name of who speaks; a known persona brings its description."
)
@click.option("--history", metavar="FILE.json", help="Messages that came before, a list of role and content.")
@click.option("--prefill", metavar="TEXT", help="Words that the reply shall start with.")
@click.option(
    "--continue", "goes_on", is_flag=True, help="Leave the last message of the history open; no TEXT."
)
@click.option(
    "--impersonate", is_flag=True, help="Let the model write what the user says next; TEXT may begin it."
)
@click.option(
    "--format", "form", type=click.Choice(["text", "json", "tokens"]), default="text", show_default=True
)
@click.pass_context
def prompt(
    ctx: click.Context,
    text: str,
    model: str | None,
    model_name: str | None,
    template: str | None,
    system: str | None,
    card: tuple[str, ...],
    speaker: str | None,
    user: str | None,
    history: str | None,
    prefill: str | None,
    goes_on: bool,
    impersonate: bool,
    form: str,
) -> None:
    """Print the exact prompt that a model would get for TEXT, which may be - for standard input.

    With a card and without a history the chat begins with the character's greeting. Control tokens are spelled out.
    Into a file or a pipe go exactly the prompt's bytes, with no newline at the end; in a terminal, spaces at the end
    of a line are shown as dots.
    """
    if model and model_name:
        raise click.UsageError("Give only one of --model and --model-name.", ctx)
    wanted = _wanted(ctx, text, prefill or "", history, goes_on, impersonate)
    settings = load_settings(ctx, model=model, system=system, user_name=user)
    people = find_people(open_home(ctx), settings, card, speaker or "")
    loads = bool(model) or not (model_name or template)
    if form == "tokens" and not loads:
        raise UsageError("Token ids need a model.", "Give one with --model.")
    opened = _loaded(ctx, settings, template) if loads else _named(ctx, model_name or "", template)
    with opened as target:
        plan = _plan(settings, target, wanted, people, known_templates(open_home(ctx)))
        _show(plan, target, form)
    for warning in (*target.choice.doubts, *plan.warnings):
        report(warning)


def _wanted(
    ctx: click.Context, text: str, prefill: str, history: str | None, goes_on: bool, impersonate: bool
) -> _Wanted:
    if goes_on and impersonate:
        raise click.UsageError("Give only one of --continue and --impersonate.", ctx)
    if goes_on:
        if text or prefill or not history:
            raise click.UsageError("--continue needs --history, and no TEXT and --prefill.", ctx)
        return _Wanted(history=history, goal="continue")
    if impersonate:
        if text and prefill:
            raise click.UsageError("With --impersonate give only one of TEXT and --prefill.", ctx)
        return _Wanted(prefill=read_text(text) if text else prefill, history=history, goal="user")
    if not text:
        raise click.UsageError("Missing argument 'TEXT'.", ctx)
    return _Wanted(read_text(text), prefill, history)


@contextmanager
def _named(ctx: click.Context, name: str, template: str | None) -> Iterator[_Target]:
    yield _Target(_choose(ctx, name, template, None))


@contextmanager
def _loaded(ctx: click.Context, settings: Settings, template: str | None) -> Iterator[_Target]:
    from airochat.backends import create_backend
    from airochat.backends.base import LoadEvent, Loading
    from airochat.cli.stream import Diagnostics
    from airochat.session.events import ModelLoading

    diagnostics = Diagnostics()

    def show(event: LoadEvent) -> None:
        if isinstance(event, Loading):
            diagnostics(ModelLoading(event.fraction, event.stage))

    backend = create_backend(settings.model, settings, open_home(ctx))
    try:
        backend.load(show)
        info = backend.wait()
        diagnostics.clear()
        choice = _choose(ctx, info.name, template or settings.template, info)
        yield _Target(choice, info, backend.tokenizer)
    finally:
        diagnostics.clear()
        backend.close()


def _choose(ctx: click.Context, name: str, template: str | None, info: ModelInfo | None) -> Choice:
    from airochat.templates import choose

    known = known_templates(open_home(ctx))
    metadata, vocabulary = (info.metadata, info.vocabulary) if info else (None, None)
    return choose(template or "", name, metadata, vocabulary, known)


def _plan(
    settings: Settings, target: _Target, wanted: _Wanted, people: People, known: Templates
) -> PromptPlan:
    from airochat.cli.history import read_history
    from airochat.conversation import Message
    from airochat.prompt import assemble

    messages = read_history(wanted.history, people.user, people.reply_name)
    if wanted.history is None:
        messages += people.greeting()
    if wanted.text:
        parent = messages[-1].id if messages else None
        text = people.macros(messages, target.info).expand(wanted.text, card=people.card)
        messages.append(Message("new", parent, "user", people.user, text))
    staged = people.staged(
        target.choice.template, known, people.macros(messages, target.info), settings, wanted.goal
    )
    n_ctx = target.info.n_ctx if target.info else 0
    return assemble(
        staged.blocks,
        messages,
        staged.template,
        tokenizer=target.tokenizer,
        n_ctx=n_ctx,
        reserve=min(settings.sampling.max_tokens, n_ctx // 2),
        default_system="" if people.cards else settings.system,
        goal=wanted.goal,
        prefill=wanted.prefill,
        speakers=staged.speakers,
    )


def _show(plan: PromptPlan, target: _Target, form: str) -> None:
    from airochat.prompt import plan_json, token_table, visible_text

    if form == "json":
        print_json(plan_json(plan, target.tokenizer, target.choice.confidence, target.choice.reasons))
    elif form == "tokens":
        if target.tokenizer is None:
            raise UsageError("This model does not tell its token ids.", "Use --format text or json.")
        click.echo(token_table(plan, target.tokenizer))
    elif sys.stdout.isatty():
        click.echo(visible_text(plan))
    else:
        sys.stdout.buffer.write(plan.text.encode("utf-8"))
        sys.stdout.buffer.flush()
