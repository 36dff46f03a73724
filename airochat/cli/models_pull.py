"""``airochat models pull``: a model from the hub into the models folder."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from airochat.cli.common import json_option, load_settings, open_home, print_json, print_table
from airochat.cli.lazy import report
from airochat.errors import ModelError, UsageError

if TYPE_CHECKING:
    from airochat.backends.llama.glance import Glance
    from airochat.backends.llama.hub import Hub, Listing
    from airochat.backends.llama.offers import HubFile, Offer
    from airochat.backends.llama.pull import Pull

_TITLES = ("FILE", "QUANT", "SIZE", "PARTS", "FITS", "NOTE")


@click.command()
@click.argument("what", metavar="REPO[:FILE]")
@click.option("--force", is_flag=True, help="Replace another file of that name.")
@json_option
@click.pass_context
def pull(ctx: click.Context, what: str, force: bool, as_json: bool) -> None:
    """Download a model from the hub into the models folder.

    REPO is OWNER/NAME. FILE is a file in it, or a quant such as Q4_K_M; all parts of a split model come together.
    Without FILE the only model is taken, and if there are several they are listed, FITS being about right. A
    download that was interrupted goes on where it stopped, and nothing is shown as a model before its checksum
    was right. HF_ENDPOINT names another hub, HF_TOKEN is for repositories that ask who you are.
    """
    from airochat.backends.llama.glance import Glance
    from airochat.backends.llama.hub import Hub
    from airochat.backends.llama.pull import Pull

    repo, _, word = what.partition(":")
    home = open_home(ctx)
    glance = Glance(load_settings(ctx).engine)
    hub = Hub()
    listing = hub.listing(repo)
    offer = _chosen(hub, listing, word, glance, as_json)
    home.ensure()
    job = Pull(hub, listing, offer, home.folder("models"), _watch)
    try:
        came = job.run(force)
    except KeyboardInterrupt:
        click.echo(err=True)
        report("The download was interrupted.", "The same command goes on from where it stopped.")
        raise
    facts = _facts(ctx, job, listing, came, glance)
    if as_json:
        print_json(facts)
    else:
        print_table(_lines(facts, job))


def _chosen(hub: Hub, listing: Listing, word: str, glance: Glance, as_json: bool) -> Offer:
    """Return the model to download; what there is to choose from is printed if that is not clear."""
    from airochat.backends.llama import offers

    found = offers.offers(listing.files)
    if not found:
        unsafe = [file for file in listing.files if file.name.lower().endswith(".gguf")]
        why = f", but {len(unsafe)} with names that no folder may hold" if unsafe else ""
        raise ModelError(
            f"{listing.repo} at {hub.address} has no GGUF file{why}.", "Look for one with GGUF in its name."
        )
    able = [offer for offer in found if offer.is_model] or found
    matches = offers.meant(found, word) if word else able
    if len(matches) == 1:
        return matches[0]
    shown = matches or found
    _print_choices(listing, shown, glance, as_json)
    command = f"airochat models pull {listing.repo}:{_example(shown, glance)}"
    if not matches:
        raise ModelError(f"{listing.repo} has nothing that {word!r} means.", f"Choose one: {command}")
    several = f"{word!r} means {len(matches)} models of" if word else f"There are {len(matches)} models in"
    raise UsageError(f"{several} {listing.repo}; none was downloaded.", f"Choose one: {command}")


def _example(found: Sequence[Offer], glance: Glance) -> str:
    """Return how to ask for the largest model that fits, or else for the smallest."""
    fitting = [one for one in found if glance.of_download(one.size, one.quant) in ("gpu", "split", "ram")]
    best = fitting[-1] if fitting else found[0]
    alone = [one.quant for one in found].count(best.quant) == 1
    return best.quant if best.quant and alone else best.files[0].path


def _print_choices(listing: Listing, found: Sequence[Offer], glance: Glance, as_json: bool) -> None:
    rows = [_choice(offer, glance) for offer in found]
    if as_json:
        print_json({"repo": listing.repo, "revision": listing.revision, "choices": rows})
        return
    print_table([_TITLES, *map(_cells, rows)])


def _choice(offer: Offer, glance: Glance) -> dict[str, Any]:
    missing = offer.parts - len(offer.files)
    note = f"{missing} of {offer.parts} parts are missing" if missing else ""
    return {
        "file": offer.files[0].path,
        "quant": offer.quant or None,
        "size": offer.size,
        "parts": offer.parts,
        "fits": glance.of_download(offer.size, offer.quant) or None if offer.is_model else None,
        "note": note if offer.is_model else "not a model by itself",
    }


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    from airochat.backends.llama.ggml import size_text
    from airochat.backends.llama.glance import WORDS

    size = size_text(row["size"]) if row["size"] else ""
    parts = str(row["parts"]) if row["parts"] > 1 else ""
    return row["file"], row["quant"] or "", size, parts, WORDS.get(row["fits"], ""), row["note"]


def _facts(ctx: click.Context, job: Pull, listing: Listing, came: bool, glance: Glance) -> dict[str, Any]:
    from airochat.backends.llama import gguf, library

    note, fits = "", None
    try:
        fits = glance.of_file(gguf.check_model_file(job.path))
    except ModelError as error:
        note = error.message.replace(str(job.path), "It", 1)
    folders = library.model_folders(load_settings(ctx), open_home(ctx))
    return {
        "repo": listing.repo,
        "revision": listing.revision,
        "name": library.name_of(job.path, folders),
        "path": str(job.path),
        "size": job.offer.size,
        "quant": job.offer.quant or None,
        "files": [
            {"file": file.path, "size": file.size, "sha256": file.sha256 or None} for file in job.offer.files
        ],
        "downloaded": came,
        "checked": job.is_checked,
        "fits": fits,
        "note": note,
    }


def _lines(facts: dict[str, Any], job: Pull) -> list[tuple[str, ...]]:
    from airochat.backends.llama.ggml import size_text
    from airochat.backends.llama.glance import WORDS

    rows = {
        "model": facts["name"],
        "file" if len(facts["files"]) == 1 else "folder": str(job.target),
        "size": size_text(facts["size"]) + ("" if facts["downloaded"] else ", here already"),
        "checksum": "right" if facts["checked"] else "not given by the hub; the size is right",
        "fits": WORDS.get(facts["fits"], ""),
        "note": facts["note"],
        "to use it": "" if facts["note"] else f"airochat models use {facts['name']}",
    }
    return [(label, value) for label, value in rows.items() if value]


@contextmanager
def _watch(stage: str, file: HubFile, done: int) -> Iterator[Callable[[int], None]]:
    """Say on stderr what is done, with a bar where somebody watches."""
    from airochat.backends.llama.ggml import size_text
    from airochat.text import one_line

    name = one_line(file.name, 60)
    label = f"Downloading {name}" if stage == "download" else f"Checking {name}"
    if stage == "download":
        there = f", {size_text(done)} of them are here" if done else ""
        click.echo(f"{name}: {size_text(file.size)}{there}", err=True)
    hidden = not sys.stderr.isatty()
    with click.progressbar(length=file.size, label=label, file=sys.stderr, hidden=hidden, width=30) as bar:
        bar.update(done)
        yield bar.update
