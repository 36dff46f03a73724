"""The prompts of a session: cards, macros, plugins and history brought together for the loaded model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from airochat.backends.base import ModelInfo
from airochat.characters import Card
from airochat.conversation import Message, Tree
from airochat.prompt import PromptPlan, Scene, Staged, persona_stage, stage
from airochat.prompt.macros import Macros, Scope, Variables
from airochat.sampling import Sampling
from airochat.session.planning import FALLBACK, Wanted, write
from airochat.session.task import Task
from airochat.templates import Template

if TYPE_CHECKING:
    from airochat.session.manager import SessionManager
    from airochat.session.session import Session


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
        history = session.group.seen_by(task.speaker, tree.path(task.after))
        session.warn(map(str, manager.templates.problems))
        stagings: list[tuple[Staged, Variables]] = []

        def staged(template: Template) -> Staged:
            macros = self._macros(history, task, info.name, info.n_ctx - sampling.max_tokens, tree)
            found = self._staged(template, task, macros)
            stagings.append((found, macros.variables))
            return found

        wanted = Wanted(
            history=history,
            stage=staged,
            blocks=session.plugins.blocks(lambda plugin: session.context(plugin, history)),
            system="" if session.profile.cards else session.profile.effective_system,
            choice=manager.model.choose(session.template_name, info),
            fallback=manager.templates.get(FALLBACK),
            goal=task.goal,
            prefill=task.prefill,
        )
        plan, template = write(wanted, info, manager.model.backend().tokenizer, sampling)
        last, variables = stagings[-1]
        return Written(plan, template, variables, last.speakers, last.labels)

    def expanded(self, text: str, history: Sequence[Message] | None = None) -> tuple[str, Variables]:
        """Return what the user wrote with its macros expanded, and what these set; text that would vanish stays."""
        session = self._session
        before = session.history if history is None else history
        macros = self._macros(before, Task(before[-1].id if before else None), "", 0, session.tree)
        said = macros.expand(text, card=session.card)
        return (said if said.strip() else text), macros.variables

    def greetings(self, texts: Sequence[str], card: Card) -> list[tuple[str, Variables]]:
        """Return a card's greetings with macros expanded, and what each of them set."""
        session = self._session
        found = []
        for text in texts:
            macros = self._macros((), Task(None), "", 0, session.tree)
            found.append((macros.expand(text, card=card), macros.variables))
        return found

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

    def _macros(self, history: Sequence[Message], task: Task, model: str, room: int, tree: Tree) -> Macros:
        session = self._session
        persona = session.persona
        scope = Scope(
            user=session.user_name,
            persona=persona.description if persona else "",
            cards=session.profile.cards,
            history=tuple(history),
            model=model,
            seed=session.id,
            turn=task.parent or "",
            now=self.clock,
            system=session.profile.effective_system,
            max_prompt=max(room, 0),
            swipe=_swipe(tree),
            muted=frozenset(session.profile.muted),
        )
        return Macros(
            scope, session.variables.at(history), session.plugins.macros(), session.plugins.macro_failed
        )


def _swipe(tree: Tree) -> tuple[int, int]:
    if tree.head is None:
        return 0, 0
    siblings = tree.siblings(tree.head)
    return siblings.index(tree.head) + 1, len(siblings)
