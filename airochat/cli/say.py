"""``airochat say``: one message in, one reply out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from airochat.cli.approve import allow_option
from airochat.cli.common import Opening, json_option, open_manager, pick_session, print_json, put
from airochat.cli.lazy import INTERRUPTED
from airochat.cli.options import chat_options, sampling_options
from airochat.cli.reading import read_text
from airochat.errors import UsageError

if TYPE_CHECKING:
    from airochat.session import Session


_NOT_SAMPLING = ("prefill", "speaker")


@click.command()
@click.argument("text")
@chat_options
@click.option(
    "--new", is_flag=True, help="Begin a new chat, which is what happens anyway without the two above."
)
@click.option("--speaker", metavar="NAME", default="", help="The character of a group that answers.")
@click.option(
    "--swipes",
    metavar="N",
    type=click.IntRange(1, 16),
    help="Write N alternatives of the reply; those behind the first are printed after it, each under its number.",
)
@click.option("--prefill", metavar="TEXT", default="", help="Words that the reply shall start with.")
@allow_option
@sampling_options
@json_option
@click.pass_context
def say(
    ctx: click.Context,
    /,
    text: str,
    session: str | None,
    latest: bool,
    new: bool,
    speaker: str,
    prefill: str,
    swipes: int | None,
    allow_tools: tuple[str, ...],
    sampling: dict[str, Any],
    as_json: bool,
    model: str | None,
    **chat: Any,
) -> None:
    """Send one message and print the reply as it is written.

    TEXT may be - to read it from standard input. A TEXT that begins with / is a command, such as "/note the rain grows
    louder"; begin it with // to send it as it is. Ctrl-C stops the reply and keeps what was written. With --swipes the
    chat goes on from the first alternative, and in a group nobody else answers before one is chosen. Nobody is asked
    about the tools that the model calls: name with --allow-tools those that it may use.
    """
    if sum((bool(session), latest, new)) > 1:
        raise click.UsageError("Give only one of --session, --continue and --new.")
    text = read_text(text)
    with open_manager(ctx, model=model) as manager:
        found = pick_session(manager, session, latest)
        if text.startswith("/") and not text.startswith("//"):
            _run_command(found, text, as_json)
        else:
            text = text.removeprefix("/") if text.startswith("//") else text
            opening = Opening(manager, found, **chat)
            wanted = sampling | {"prefill": prefill, "speaker": speaker}
            ctx.exit(_send(opening, text, wanted, swipes, as_json, allow_tools))


def _run_command(session: Session | None, line: str, as_json: bool) -> None:
    if session is None:
        raise UsageError(
            f"{line.split()[0]} is a command, and belongs to a chat.",
            "Name the chat with --session or --continue; to send a text that begins with /, write //.",
        )
    answer = session.command(line)
    if as_json:
        print_json({"text": answer, "session": session.id})
    elif answer:
        put(answer)


def _send(
    opening: Opening,
    text: str,
    wanted: dict[str, Any],
    swipes: int | None,
    as_json: bool,
    allowed: tuple[str, ...],
) -> int:
    from airochat.cli.approve import Approver
    from airochat.cli.stream import Diagnostics, describe, describe_swipes, load_model, stream

    manager = opening.manager
    sampling = {name: value for name, value in wanted.items() if name not in _NOT_SAMPLING}
    manager.settings.sampling.replace(**sampling)
    diagnostics = Diagnostics()
    forget = manager.subscribe(diagnostics)
    info = load_model(manager, diagnostics)
    forget()
    session = opening.session()
    session.subscribe(diagnostics)
    if allowed:
        manager.approver = approver = Approver(allowed, ask=False)
        approver.check(session)
    count = swipes or 1
    turns = [session.send(text, n=count, **wanted)]
    interrupted = stream(turns[0], session, diagnostics, quiet=as_json)
    alone = bool(wanted["speaker"]) or count > 1
    while not interrupted and turns[-1].reason != "failed" and not alone and session.group.due():
        turns.append(session.speak(**sampling))
        interrupted = stream(turns[-1], session, diagnostics, quiet=as_json)
    if as_json:
        first, *following = [describe(turn, session, manager, info) for turn in turns]
        first |= {"swipes": describe_swipes(turns[0])} if swipes else {}
        print_json(first | ({"following": following} if following else {}))
    return INTERRUPTED if interrupted else int(turns[-1].reason == "failed")
