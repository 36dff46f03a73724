from __future__ import annotations

import json
import os
import re
import resource
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import Result

from airochat.backends.llama import library
from airochat.backends.llama.ggml import size_text
from airochat.backends.llama.library import find_models
from tests.backends.files import MODEL, gguf
from tests.cli.conftest import START, Cli, InTerminal, Program
from tests.cli.hub import REVISION, HubServer, sha256

REPO = "maker/airoboros-l2-13b-GGUF"
CHUNK = 64 << 10
Pulled = Callable[..., Result]


def weights(count: int, name: str = "Tiny Llama") -> bytes:
    """A model that llama.cpp could load, of at least so many bytes."""
    return gguf({**MODEL, "general.name": name}, [("token_embd.weight", (64, count // 256 + 1), 0)])


SMALL, LARGE = weights(3000), weights(10 * CHUNK, "Larger")


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[HubServer]:
    """A hub that the library takes for the real one; waits between its tries are left out."""
    from huggingface_hub import close_session, constants, file_download

    server = HubServer()
    server.script.repos[REPO] = {"README.md": b"hi", "airoboros-l2-13b.Q4_K_M.gguf": LARGE}
    monkeypatch.setenv("HF_ENDPOINT", server.address)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", CHUNK)
    monkeypatch.setattr(file_download, "time", SimpleNamespace(sleep=lambda _: None))
    close_session()
    yield server
    close_session()
    server.close()


@pytest.fixture
def pull(cli: Cli) -> Pulled:
    return lambda *arguments: cli("models", "pull", *arguments)


@pytest.fixture
def models(home: Path) -> Path:
    """The folder where models arrive."""
    return home / "models"


def pulled(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.output
    facts: dict[str, Any] = json.loads(result.stdout)
    return facts


def failed(result: Result, *words: str, code: int = 1) -> None:
    """The command ended with two lines for people, and these words in them."""
    assert result.exit_code == code, result.output
    lines = result.stderr.splitlines()
    assert lines[-2].startswith("airochat: ")
    assert lines[-1].startswith("  ")
    for word in words:
        assert word in result.stderr


def files(folder: Path) -> dict[str, bytes]:
    """What is in a folder and below, hidden or not."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


class TestSuccess:
    def test_the_only_model_arrives_and_can_be_used(
        self, hub: HubServer, pull: Pulled, cli: Cli, models: Path
    ) -> None:
        facts = pulled(pull(REPO, "--json"))
        path = models / "airoboros-l2-13b.Q4_K_M.gguf"
        assert files(models) == {path.name: LARGE}
        assert list(models.iterdir()) == [path]
        assert facts == {
            "repo": REPO,
            "revision": REVISION,
            "name": "airoboros-l2-13b.Q4_K_M",
            "path": str(path),
            "size": len(LARGE),
            "quant": "Q4_K_M",
            "files": [{"file": path.name, "size": len(LARGE), "sha256": sha256(LARGE)}],
            "downloaded": True,
            "checked": True,
            "fits": facts["fits"],
            "note": "",
        }
        assert facts["fits"] in ("ram", "gpu")
        assert cli("models", "use", facts["name"]).exit_code == 0
        assert "* " in cli("models", "list").stdout

    def test_for_people(self, hub: HubServer, pull: Pulled) -> None:
        result = pull(REPO)
        assert "airochat models use airoboros-l2-13b.Q4_K_M" in result.stdout
        assert ["checksum", "right"] in [line.split(maxsplit=1) for line in result.stdout.splitlines()]
        assert result.stderr == f"airoboros-l2-13b.Q4_K_M.gguf: {size_text(len(LARGE))}\n"

    def test_a_split_model_comes_as_one(self, hub: HubServer, pull: Pulled, cli: Cli, models: Path) -> None:
        names = [f"big-Q8_0-{number:05}-of-00002.gguf" for number in (1, 2)]
        part = {"split.count": 2, "general.file_type": 7}
        data = [gguf({**MODEL, **part, "split.no": number}) for number in (0, 1)]
        hub.script.repos[REPO] = {f"Q8/{name}": one for name, one in zip(names, data, strict=True)}
        facts = pulled(pull(REPO, "--json"))
        assert files(models) == {f"big-Q8_0/{name}": one for name, one in zip(names, data, strict=True)}
        assert (facts["name"], facts["path"]) == ("big-Q8_0", str(models / "big-Q8_0" / names[0]))
        assert [(model.name, model.parts) for model in find_models([models])] == [("big-Q8_0", 2)]
        assert cli("models", "use", "big").exit_code == 0
        (row,) = (row for row in json.loads(cli("models", "list", "--json").stdout)["models"] if row["used"])
        assert (row["name"], row["parts"], row["note"]) == ("big-Q8_0", 2, "")
        assert pulled(pull(f"{REPO}:Q8_0", "--json"))["downloaded"] is False

    def test_a_file_in_git_is_checked_too(self, hub: HubServer, pull: Pulled, models: Path) -> None:
        hub.script.in_git = {"airoboros-l2-13b.Q4_K_M.gguf"}
        assert pulled(pull(REPO, "--json"))["checked"] is True
        shutil.rmtree(models)
        hub.script.served["airoboros-l2-13b.Q4_K_M.gguf"] = LARGE[:-1] + b"x"
        failed(pull(REPO), "checksum is wrong")
        assert files(models) == {}

    def test_a_mirror_that_tells_sizes_only_with_the_file(self, hub: HubServer, pull: Pulled) -> None:
        hub.script.bare = True
        facts = pulled(pull(REPO, "--json"))
        assert (facts["checked"], facts["files"][0]["sha256"]) == (True, sha256(LARGE))

    def test_twice_downloads_once(self, hub: HubServer, pull: Pulled) -> None:
        pulled(pull(REPO, "--json"))
        again = pull(REPO)
        assert "here already" in again.stdout
        assert len(hub.script.downloads()) == 1

    def test_what_cannot_chat_is_told(self, hub: HubServer, pull: Pulled) -> None:
        hub.script.repos[REPO] = {"lora.gguf": gguf({**MODEL, "general.type": "adapter"})}
        facts = pulled(pull(REPO, "--json"))
        assert "LoRA adapter" in facts["note"]
        assert "models use" not in pull(REPO).stdout

    def test_as_a_program(self, hub: HubServer, program: Program, models: Path) -> None:
        done = program("models", "pull", REPO, "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["downloaded"] is True
        assert files(models) == {"airoboros-l2-13b.Q4_K_M.gguf": LARGE}


SEVERAL = {
    "mmproj-model-f16.gguf": weights(500),
    "model-Q8_0.gguf": weights(9000),
    "model-Q4_K_M.gguf": weights(6000),
    "UD/model-UD-Q2_K_XL.gguf": weights(4000),
    "model.imatrix.gguf": weights(100),
    "model.safetensors": b"x",
}


class TestChoice:
    @pytest.fixture(autouse=True)
    def _several(self, hub: HubServer) -> None:
        hub.script.repos[REPO] = SEVERAL

    def test_several_are_listed_and_none_is_taken(self, hub: HubServer, pull: Pulled, models: Path) -> None:
        result = pull(REPO)
        failed(result, "There are 3 models in", f"airochat models pull {REPO}:UD-Q2_K_XL", code=2)
        rows = [line.split() for line in result.stdout.splitlines()]
        assert rows[0] == ["FILE", "QUANT", "SIZE", "PARTS", "FITS", "NOTE"]
        assert [row[:2] for row in rows[1:]] == [
            ["UD/model-UD-Q2_K_XL.gguf", "UD-Q2_K_XL"],
            ["model-Q4_K_M.gguf", "Q4_K_M"],
            ["model-Q8_0.gguf", "Q8_0"],
        ]
        assert not models.exists()
        assert hub.script.downloads() == []

    def test_verdicts_by_size_alone(
        self, hub: HubServer, pull: Pulled, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("airochat.backends.llama.glance.may_have_gpu", lambda: False)
        monkeypatch.setattr("airochat.backends.llama.machine.ram", lambda: (32 * 10**9, 64 * 10**9))
        sizes = {"x.Q2_K.gguf": 29, "x.Q4_K_M.gguf": 41, "y.Q8_0.gguf": 75, "y.odd.gguf": 99}
        hub.script.repos[REPO] = dict.fromkeys(sizes, SMALL)
        hub.script.sizes = {path: size * 10**9 for path, size in sizes.items()}
        result = pull(REPO, "--json")
        failed(result, f"airochat models pull {REPO}:Q2_K", code=2)
        choices = json.loads(result.stdout)["choices"]
        assert [(row["file"], row["size"] // 10**9) for row in choices] == list(sizes.items())
        assert [row["fits"] for row in choices] == ["ram", "disk", "disk", None]
        assert "in RAM" in pull(REPO).stdout
        assert hub.script.downloads() == []

    @pytest.mark.parametrize(
        ("word", "file"),
        [
            ("q4_k_m", "model-Q4_K_M.gguf"),
            ("Q4_K_M", "model-Q4_K_M.gguf"),
            ("model-q8_0", "model-Q8_0.gguf"),
            ("MODEL-Q8_0.GGUF", "model-Q8_0.gguf"),
            ("UD/model-UD-Q2_K_XL.gguf", "model-UD-Q2_K_XL.gguf"),
            ("q2_k_xl", "model-UD-Q2_K_XL.gguf"),
            ("mmproj-model-f16", "mmproj-model-f16.gguf"),
        ],
    )
    def test_by_file_name_or_quant(
        self, hub: HubServer, pull: Pulled, models: Path, word: str, file: str
    ) -> None:
        pulled(pull(f"{REPO}:{word}", "--json"))
        assert list(files(models)) == [file]

    @pytest.mark.parametrize("word", ["Q5_K_M", "f16", "model.safetensors", "../model-Q8_0.gguf"])
    def test_what_is_not_there(self, pull: Pulled, models: Path, word: str) -> None:
        result = pull(f"{REPO}:{word}")
        failed(result, f"has nothing that {word!r} means")
        assert "model-Q4_K_M.gguf" in result.stdout
        assert not models.exists()

    def test_a_word_for_several(self, hub: HubServer, pull: Pulled) -> None:
        hub.script.repos[REPO] = {"a-Q8_0.gguf": SMALL, "b-Q8_0.gguf": SMALL, "c-Q4_0.gguf": SMALL}
        result = pull(f"{REPO}:q8_0")
        failed(result, "'q8_0' means 2 models of", f"{REPO}:a-Q8_0.gguf", code=2)
        assert "c-Q4_0" not in result.stdout

    def test_no_gguf_at_all(self, hub: HubServer, pull: Pulled) -> None:
        hub.script.repos[REPO] = {"model.safetensors": b"x"}
        failed(pull(REPO), "has no GGUF file")

    def test_missing_part_in_the_repository(self, hub: HubServer, pull: Pulled, models: Path) -> None:
        hub.script.repos[REPO] = {"big-00001-of-00003.gguf": SMALL, "big-00003-of-00003.gguf": SMALL}
        failed(pull(REPO), "has 2 of the 3 parts of big")
        assert not models.exists() or files(models) == {}


class TestHostileNames:
    @pytest.mark.parametrize(
        "path",
        [
            "../x.gguf",
            "a/../../x.gguf",
            "/tmp/x.gguf",
            "..\\x.gguf",
            "C:x.gguf",
            ".hidden.gguf",
            "con.gguf",
            "\x1b[2Jx.gguf",
            "a\nb.gguf",
            "-rf.gguf",
        ],
    )
    def test_are_left_out(self, hub: HubServer, pull: Pulled, home: Path, path: str) -> None:
        hub.script.repos[REPO] = {path: SMALL}
        for word in ("", ":" + path):
            result = pull(REPO + word)
            failed(result, "1 with names that no folder may hold")
            assert "\x1b" not in result.output
        assert hub.script.downloads() == []
        assert not home.exists() or files(home) == {}

    def test_leave_the_good_ones(self, hub: HubServer, pull: Pulled, models: Path) -> None:
        hub.script.repos[REPO] = {"../x.gguf": SMALL, "sub folder/модель [1]{x}.gguf": LARGE}
        pulled(pull(REPO, "--json"))
        assert files(models) == {"модель [1]{x}.gguf": LARGE}

    @pytest.mark.parametrize(
        "repo", ["x", "", "a/b/c", "../b", "a/..", "a/b--c", "a/b.git", "a b/c", "https://x/y"]
    )
    def test_names_of_repositories(self, hub: HubServer, pull: Pulled, repo: str) -> None:
        failed(pull(repo), code=2)
        assert hub.script.log == []


class TestResume:
    def test_a_cut_connection_goes_on_by_itself(self, hub: HubServer, pull: Pulled, models: Path) -> None:
        hub.script.cuts = [3 * CHUNK + 5]
        pulled(pull(REPO, "--json"))
        assert hub.script.downloads() == ["", f"bytes={3 * CHUNK}-"]
        assert files(models) == {"airoboros-l2-13b.Q4_K_M.gguf": LARGE}

    def test_the_next_command_goes_on(self, hub: HubServer, pull: Pulled, models: Path) -> None:
        hub.script.cuts = [2 * CHUNK] + [0] * 20
        failed(pull(REPO), "goes on from where it stopped")
        ((name, part),) = files(models).items()
        assert name.startswith(".pull/")
        assert part == LARGE[: 2 * CHUNK]
        assert find_models([models]) == []
        hub.script.cuts.clear()
        hub.script.log.clear()
        result = pull(REPO)
        assert "131.1 kB of them are here" in result.stderr
        assert hub.script.downloads() == [f"bytes={2 * CHUNK}-"]
        assert files(models) == {"airoboros-l2-13b.Q4_K_M.gguf": LARGE}

    def test_a_server_without_ranges_begins_again(self, hub: HubServer, pull: Pulled, models: Path) -> None:
        hub.script.cuts = [2 * CHUNK] + [0] * 20
        failed(pull(REPO))
        hub.script.cuts.clear()
        hub.script.ranges = False
        pulled(pull(REPO, "--json"))
        assert files(models) == {"airoboros-l2-13b.Q4_K_M.gguf": LARGE}

    def test_no_piece_of_another_version_is_kept(self, hub: HubServer, pull: Pulled, models: Path) -> None:
        hub.script.cuts = [2 * CHUNK] + [0] * 20
        failed(pull(REPO))
        hub.script.cuts.clear()
        hub.script.log.clear()
        newer = weights(10 * CHUNK, "Newer!")
        hub.script.repos[REPO] = {"airoboros-l2-13b.Q4_K_M.gguf": newer}
        pulled(pull(REPO, "--json"))
        assert hub.script.downloads() == [""]
        assert files(models) == {"airoboros-l2-13b.Q4_K_M.gguf": newer}

    def test_finished_parts_are_not_fetched_again(self, hub: HubServer, pull: Pulled, models: Path) -> None:
        names = [f"big-{number:05}-of-00002.gguf" for number in (1, 2)]
        hub.script.repos[REPO] = dict(zip(names, (SMALL, LARGE), strict=True))
        hub.script.cuts = [len(SMALL), CHUNK] + [0] * 20
        failed(pull(REPO))
        assert find_models([models]) == []
        hub.script.cuts.clear()
        hub.script.log.clear()
        pulled(pull(REPO, "--json"))
        assert hub.script.downloads() == [f"bytes={CHUNK}-"]
        assert files(models) == {f"big/{names[0]}": SMALL, f"big/{names[1]}": LARGE}

    def test_ctrl_c(self, hub: HubServer, terminal: InTerminal, pull: Pulled, models: Path) -> None:
        # As a program it writes in pieces of the library's size, each after the bar has moved.
        piece = 10 << 20
        data = weights(4 * piece)
        hub.script.repos[REPO] = {"m.gguf": data}
        hub.script.hold = 2 * piece
        window = terminal("models", "pull", REPO)
        window.wait_for("49%")
        window.interrupt("The download was interrupted.")
        assert window.finish() == 130
        assert "Traceback" not in window.screen
        (part,) = files(models).values()
        assert len(part) >= piece
        assert data.startswith(part)
        assert find_models([models]) == []
        hub.script.hold = None
        hub.script.log.clear()
        pulled(pull(REPO, "--json"))
        assert hub.script.downloads() == [f"bytes={len(part)}-"]
        assert files(models) == {"m.gguf": data}


class TestFailure:
    def test_wrong_checksum(self, hub: HubServer, pull: Pulled, models: Path) -> None:
        hub.script.served["airoboros-l2-13b.Q4_K_M.gguf"] = LARGE[:-1] + b"x"
        failed(pull(REPO), "its checksum is wrong")
        assert files(models) == {}
        hub.script.served.clear()
        pulled(pull(REPO, "--json"))

    def test_a_server_that_sends_too_much(self, hub: HubServer, pull: Pulled, models: Path) -> None:
        hub.script.served["airoboros-l2-13b.Q4_K_M.gguf"] = LARGE * 3
        failed(pull(REPO), "sends more than the")
        assert files(models) == {}

    def test_no_such_repository(self, hub: HubServer, pull: Pulled, models: Path) -> None:
        failed(pull("maker/nothing"), "There is no repository maker/nothing", hub.address, "HF_TOKEN")
        assert not models.exists()

    def test_a_file_that_went_away(self, hub: HubServer, pull: Pulled) -> None:
        hub.script.errors[f"/{REPO}/resolve/"] = (404, "EntryNotFound")
        failed(pull(REPO), "is no longer there")

    @pytest.mark.parametrize("status", [401, 403])
    def test_gated(self, hub: HubServer, pull: Pulled, models: Path, status: int) -> None:
        hub.script.errors[f"/{REPO}/resolve/"] = (status, "GatedRepo")
        failed(pull(REPO), f"{REPO} is gated", f"the page of {REPO} at {hub.address}", "HF_TOKEN")
        assert find_models([models]) == []

    def test_a_token_goes_to_the_hub_and_not_to_where_its_files_are(
        self, hub: HubServer, pull: Pulled, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        storage = HubServer()
        storage.script.repos = hub.script.repos
        hub.script.storage = storage.address
        monkeypatch.setenv("HF_TOKEN", "hf_secret")
        try:
            pulled(pull(REPO, "--json"))
        finally:
            storage.close()
        assert set(hub.script.tokens.values()) == {"Bearer hf_secret"}
        assert list(storage.script.tokens.values()) == [""]

    @pytest.mark.parametrize(
        ("status", "words"), [(403, "HF_TOKEN"), (404, "Check the name"), (429, "wait"), (503, "later")]
    )
    def test_other_refusals(self, hub: HubServer, pull: Pulled, status: int, words: str) -> None:
        hub.script.errors["/api/"] = (status, "")
        failed(pull(REPO), f"with status {status}", words)

    def test_something_that_is_no_hub(self, hub: HubServer, pull: Pulled) -> None:
        for page in (b"<html>Please log in</html>", b"[]", b'{"siblings": [{}]}'):
            hub.script.page = page
            failed(pull(REPO), "no hub", "HF_ENDPOINT")

    def test_nobody_answers(self, hub: HubServer, pull: Pulled) -> None:
        hub.close()
        failed(pull(REPO), f"The connection to {hub.address} failed", "Check the network")

    def test_the_server_dies_during_a_download(self, hub: HubServer, program: Program, models: Path) -> None:
        hub.script.cuts = [CHUNK] + [0] * 20
        code = (
            "import huggingface_hub.constants as c, huggingface_hub.file_download as f, types\n"
            f"c.DOWNLOAD_CHUNK_SIZE = {CHUNK // 2}; f.time = types.SimpleNamespace(sleep=lambda _: None)\n"
            "from airochat.cli import main; main()"
        )
        command = [sys.executable, "-c", code, "models", "pull", REPO]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
        assert [len(line) > 0 for line in done.stderr.splitlines()] == [True] * 3
        (part,) = files(models).values()
        assert part == LARGE[:CHUNK]

    def test_offline_by_wish(self, hub: HubServer, program: Program) -> None:
        done = program("models", "pull", REPO, HF_HUB_OFFLINE="1")
        assert done.returncode == 1
        assert b"HF_HUB_OFFLINE" in done.stderr
        assert hub.script.log == []

    def test_without_the_library(self, pull: Pulled, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "huggingface_hub", None)
        failed(pull(REPO), "not installed", 'pip install "airochat[hub]"')

    def test_two_at_once(self, hub: HubServer, pull: Pulled, models: Path) -> None:
        hub.script.hold = CHUNK
        with subprocess.Popen([*START, "models", "pull", REPO], stderr=subprocess.PIPE) as first:
            assert first.stderr
            assert b"airoboros" in first.stderr.readline()
            failed(pull(REPO), "is just being downloaded")
            first.kill()
        hub.script.hold = None
        pulled(pull(REPO, "--json"))
        assert not (models / ".pull").exists()


class TestPlace:
    def test_no_room(
        self, hub: HubServer, pull: Pulled, models: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        usage = SimpleNamespace(free=40_000_000)
        monkeypatch.setattr("airochat.backends.llama.pull.shutil.disk_usage", lambda _: usage)
        failed(pull(REPO), f"takes {size_text(len(LARGE))} more", "room for 40.0 MB", "Make room")
        assert hub.script.downloads() == []

    def test_the_disk_fills_up(self, hub: HubServer, models: Path) -> None:
        hub.script.repos[REPO] = {"m.gguf": weights(21 << 20)}

        def limit() -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (8 << 20, 8 << 20))

        done = subprocess.run(
            [*START, "models", "pull", REPO], capture_output=True, text=True, check=False, preexec_fn=limit
        )
        assert done.returncode == 1
        assert "cannot be written: File too large." in done.stderr
        assert "Traceback" not in done.stderr
        assert find_models([models]) == []

    def test_a_folder_that_cannot_be_written(self, hub: HubServer, pull: Pulled, home: Path) -> None:
        home.mkdir(exist_ok=True)
        (home / "models").write_text("not a folder")
        failed(pull(REPO), "cannot be written")

    def test_another_file_of_that_name(self, hub: HubServer, pull: Pulled, models: Path) -> None:
        models.mkdir(parents=True)
        path = models / "airoboros-l2-13b.Q4_K_M.gguf"
        for other in (SMALL, LARGE[:-1] + b"x"):
            path.write_bytes(other)
            failed(pull(REPO), f"{path} is there", "--force")
            assert files(models) == {path.name: other}
            assert list(models.iterdir()) == [path]
        pulled(pull(REPO, "--force", "--json"))
        assert files(models) == {path.name: LARGE}

    def test_a_folder_of_that_name(self, hub: HubServer, pull: Pulled, models: Path) -> None:
        (models / "airoboros-l2-13b.Q4_K_M.gguf").mkdir(parents=True)
        failed(pull(REPO, "--force"), "is in the way")

    def test_parts_replace_their_like_and_nothing_else(
        self, hub: HubServer, pull: Pulled, models: Path
    ) -> None:
        names = [f"big-{number:05}-of-00002.gguf" for number in (1, 2)]
        hub.script.repos[REPO] = dict.fromkeys(names, LARGE)
        (models / "big").mkdir(parents=True)
        (models / "big" / names[1]).write_bytes(SMALL)
        (models / "big" / "mine.txt").write_bytes(b"mine")
        failed(pull(REPO), "--force")
        pulled(pull(REPO, "--force", "--json"))
        assert files(models) == {f"big/{names[0]}": LARGE, f"big/{names[1]}": LARGE, "big/mine.txt": b"mine"}


def test_the_page_quotes_what_is_printed(
    hub: HubServer, cli: Cli, home: Path, demo_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airochat.backends.llama.glance.may_have_gpu", lambda: False)
    monkeypatch.setattr("airochat.backends.llama.machine.ram", lambda: (24 * 10**9, 32 * 10**9))
    sizes = {"Q2_K": 5_429_348_224, "Q4_K_M": 7_865_956_224, "Q6_K": 10_679_140_224, "f16": 26_033_303_008}
    hub.script.sizes = {f"airoboros-l2-13b-2.2.1.{quant}.gguf": size for quant, size in sizes.items()}
    hub.script.repos["maker/airoboros-l2-13b-2.2.1-GGUF"] = dict.fromkeys(hub.script.sizes, SMALL)
    hub.script.repos["maker/SmolLM2-135M-Instruct-GGUF"] = {
        "SmolLM2-135M-Instruct.Q4_1.gguf": demo_model.read_bytes()
    }
    page = (Path(__file__).parents[2] / "docs" / "models.md").read_text(encoding="utf-8")
    quoted = re.findall(r"```console\n\$ airochat (.*)\n((?s:.*?))```\n", page)
    assert [line.split()[1] for line, _ in quoted] == ["pull", "pull", "use", "list"]
    for line, output in quoted:
        if line == "models list":
            (home / "models" / "voice.gguf").write_bytes(gguf({**MODEL, "general.type": "adapter"}))
        printed = cli(*shlex.split(line)).output.replace(str(home), "~/.local/share/airochat")
        assert printed == output


def test_no_other_command_goes_to_the_hub(hub: HubServer, cli: Cli, models: Path) -> None:
    models.mkdir(parents=True)
    (models / "m.gguf").write_bytes(SMALL)
    for arguments in (["list"], ["info", "m"], ["fit", "m"], ["use", "m"], ["pull", "--help"]):
        assert cli("models", *arguments).exit_code == 0
    assert hub.script.log == []


def test_the_library_is_loaded_late() -> None:
    code = (
        "import sys; import airochat.cli.models, airochat.backends.llama.hub, airochat.backends.llama.pull\n"
        "print({'huggingface_hub', 'httpx', 'httpx2', 'llama_cpp'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_a_name_that_two_folders_have_is_told_by_its_path(tmp_path: Path) -> None:
    paths = [tmp_path / folder / "m.gguf" for folder in ("a", "b")]
    for path in paths:
        path.parent.mkdir()
        path.write_bytes(SMALL)
    assert [library.name_of(path, [tmp_path]) for path in paths] == ["m", str(paths[1])]
    assert os.path.isabs(library.name_of(paths[1], [tmp_path]))
