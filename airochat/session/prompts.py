"""The prompts of a session: cards, macros, plugins and history brought together for the loaded model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from airochat.backends.base import ModelInfo
from airochat.characters import Card
from airochat.conversation import Message, Tree
from airochat.hooks import ChatContext, Tool
from airochat.prompt import NARRATOR, PromptPlan, Scene, Staged, greetings, persona_stage, stage
from airochat.prompt.macros import Macros, Scope, Variables
from airochat.sampling import Sampling
from airochat.session.events import ModelReady
from airochat.session.planning import FALLBACK, Wanted, write
from airochat.session.steering import begun_with
from airochat.session.task import Task
from airochat.templates import Template

if TYPE_CHECKING:
    from airochat.session.manager import SessionManager
    from airochat.session.session import Session


_MORE_TRIES = 2
"""How often a prompt is assembled anew if other messages fit than its blocks were made for."""


def local_time() -> datetime:
    """Return the time of day here, for macros."""
    return datetime.now().astimezone()


@dataclass(frozen=True, slots=True)
class Written:
    """A prompt, the template that wrote it, and what its macros have set."""

    plan: PromptPlan
    template: Template
    variables: Variables
    speakers: tuple[str, ...] = ()
    """The names at which a reply ends where a line begins with them."""
    tools: tuple[Tool, ...] = ()
    """What the model may call."""
    labels: tuple[str, ...] = ()
    """The names of which the model writes one before its reply; none if the prompt ends with the name."""


class Prompts:
    """Writes the prompts of one session."""

    def __init__(self, session: Session, manager: SessionManager) -> None:
        self._session = session
        self._manager = manager
        self.clock: Callable[[], datetime] = local_time

    def write(self, task: Task, info: ModelInfo, sampling: Sampling, tree: Tree) -> Written:
        """Assemble the prompt of a turn; nothing is changed by it."""
        session, manager = self._session, self._manager
        branch = tree.path(task.after)
        history = session.group.seen_by(task.speaker, branch)
        if task.continued is not None and task.continued.provenance.raw:
            # What goes on is what the model wrote, not the quotes that were closed after it.
            history = (*history[:-1], replace(history[-1], text=task.continued.provenance.raw, tokens=()))
        session.warn(map(str, manager.templates.problems))
        stagings: list[tuple[Staged, Variables]] = []

        def staged(template: Template) -> Staged:
            macros = self._macros(history, task, info, tree, branch, sampling.max_tokens)
            found = self._staged(template, task, macros)
            stagings.append((found, macros.variables))
            return found

        choice = manager.model.choose(session.template_name, info)
        tokenizer = manager.model.backend().tokenizer
        see = partial(session.context, history=history, branch=branch)
        facts = self._facts(task, sampling, choice.template.name, see)

        def assembled(horizon: str | None) -> tuple[PromptPlan, Template, Wanted]:
            context_for = partial(see, horizon=horizon, **facts)
            messages, notes = session.plugins.history(context_for, history)
            wanted = Wanted(
                history=messages,
                stage=staged,
                blocks=session.plugins.blocks(context_for),
                system="" if session.profile.cards else session.profile.effective_system,
                choice=choice,
                fallback=manager.templates.get(FALLBACK),
                goal=task.goal,
                prefill=task.prefill,
                names=_names(history, task.speaker),
                change=partial(session.plugins.changed_blocks, context_for),
                notes=notes,
            )
            return (*write(wanted, info, tokenizer, sampling), wanted)

        plan, template, wanted = _settled(assembled, session.horizon)
        if task.begun and tokenizer is not None:
            plan = begun_with(plan, task.begun, template, tokenizer)
        last, variables = stagings[-1]
        speakers = (*last.speakers, *wanted.names)
        return Written(plan, template, variables, speakers, facts["tools"], last.labels)

    def _facts(
        self, task: Task, sampling: Sampling, template: str, see: Callable[..., ChatContext]
    ) -> dict[str, Any]:
        """Return what plugins learn of a prompt that is being assembled, beside the chat that they ``see``."""
        facts: dict[str, Any] = {
            "purpose": task.goal,
            "speaker": task.speaker,
            "reply_tokens": sampling.max_tokens,
            "template": template,
        }
        offered = self._session.plugins.tools(partial(see, **facts))
        return {**facts, "tools": tuple(tool for _, tool in offered.values())}

    def expanded(self, text: str, history: Sequence[Message] | None = None) -> tuple[str, Variables]:
        """Return what the user wrote with its macros expanded, and what these set."""
        session = self._session
        before = session.history if history is None else history
        macros = self._macros(
            before, Task(before[-1].id if before else None), self._info, session.tree, text=text
        )
        return macros.expand(text, card=session.card), macros.variables

    def greetings(self) -> list[tuple[Card, str, Variables]]:
        """Return the greetings of all characters with macros expanded, each with its card and what it set.

        In a group those that are meant for groups come first.
        """
        session, cards = self._session, self._session.profile.cards
        group = len(cards) > 1
        texts = [
            (card, text) for card in cards if group for text in card.group_only_greetings if text.strip()
        ]
        texts += [(card, text) for card in cards for text in greetings(card)]
        found = []
        before = self._macros((), Task(None), self._info, session.tree)
        for card, text in texts:
            variables = Variables(before.variables.local, before.variables.everywhere)
            macros = Macros(before.scope, variables, session.plugins.macros(), session.plugins.macro_failed)
            found.append((card, macros.expand(text, card=card), macros.variables))
        return found

    @property
    def _info(self) -> ModelInfo | None:
        state = self._manager.model_state
        return state.info if isinstance(state, ModelReady) else None

    def _staged(self, template: Template, task: Task, macros: Macros) -> Staged:
        session = self._session
        profile, options = session.profile, session.profile.effective_roleplay
        if not profile.cards:
            return persona_stage(template, profile.persona, macros)
        scene = Scene(
            cards=profile.cards,
            speaker=profile.cast.find(task.speaker or session.group.next()),
            user=session.user_name,
            persona=profile.persona,
            form=options.card_form,
            actions=options.action_mark,
            label=options.speaker_label,
            scenario=profile.scenario,
            goal=task.goal,
        )
        return stage(scene, template, self._manager.templates, macros, profile.effective_system)

    def _macros(
        self,
        history: Sequence[Message],
        task: Task,
        info: ModelInfo | None,
        tree: Tree,
        branch: Sequence[Message] | None = None,
        reserve: int | None = None,
        text: str = "",
    ) -> Macros:
        session = self._session
        persona, card = session.persona, session.card
        reply = session.profile.effective_sampling().max_tokens if reserve is None else reserve
        scope = Scope(
            user=session.user_name,
            persona=persona.description if persona else "",
            cards=session.profile.cards,
            history=tuple(history),
            model=info.name if info else "",
            seed=session.id,
            turn=task.parent or "",
            now=self.clock,
            input=text,
            system=(card.system_prompt if card else "") or session.profile.effective_system,
            max_prompt=max(info.n_ctx - reply, 0) if info else 0,
            swipe=_swipe(tree),
            muted=frozenset(session.profile.muted),
        )
        variables = session.variables.at(history if branch is None else branch)
        return Macros(scope, variables, session.plugins.macros(), session.plugins.macro_failed)


def _settled(
    assembled: Callable[[str | None], tuple[PromptPlan, Template, Wanted]], horizon: str | None
) -> tuple[PromptPlan, Template, Wanted]:
    """Return a prompt that was assembled for the horizon that it has, or nearly so.

    Blocks may depend on what is left out, and what is left out on their size, which need not come to an end.
    """
    made = assembled(horizon)
    for _ in range(_MORE_TRIES):
        if made[0].horizon == horizon:
            break
        horizon = made[0].horizon
        made = assembled(horizon)
    return made


def _names(history: Sequence[Message], speaker: str) -> tuple[str, ...]:
    """Return who else speaks in a history, such as a character that has left or a persona of before."""
    said = (message.name for message in history if message.role != "system")
    return tuple(name for name in dict.fromkeys(said) if name not in (speaker, NARRATOR))


def _swipe(tree: Tree) -> tuple[int, int]:
    if tree.head is None:
        return 0, 0
    siblings = tree.siblings(tree.head)
    return siblings.index(tree.head) + 1, len(siblings)
