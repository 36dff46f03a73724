"""The hub that models are downloaded from, through the library `huggingface_hub`, which is an extra.

That library is imported when a `Hub` is made, and nothing here goes to the network before that. Its own download
throws away what it has when it is interrupted, so its loop (`http_get`) is given a file that is kept.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airochat.backends.llama.offers import HubFile
from airochat.errors import AirochatError, ModelError, UsageError

_REPO = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)
_HTTP_CLIENTS = ("requests", "httpx", "httpx2")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_PATIENCE_S = 20.0
_LOCK_S = 0.2
_LOGIN = "Log in with `hf auth login`, or set HF_TOKEN."
_AGAIN = "The same command goes on from where it stopped."


@dataclass(frozen=True, slots=True)
class Listing:
    """The files of a repository at one commit."""

    repo: str
    revision: str
    """The commit, so that all parts of a model come from the same one."""
    files: tuple[HubFile, ...]


class Hub:
    """The hub at ``HF_ENDPOINT``, or the one that the library knows; `AirochatError` if the library is not there."""

    def __init__(self) -> None:
        try:
            import huggingface_hub
        except ImportError:
            message = "Downloading models needs the package huggingface_hub, which is not installed."
            raise AirochatError(message, 'Install it with `pip install "airochat[hub]"`.') from None
        # The library looks at HF_ENDPOINT once, when it is imported; a notebook may set it later.
        endpoint = os.environ.get("HF_ENDPOINT", "").rstrip("/") or None
        self._api = huggingface_hub.HfApi(endpoint, library_name="airochat")
        self.address: str = self._api.endpoint
        """Where it is."""

    def listing(self, repo: str) -> Listing:
        """Return the files of ``OWNER/NAME``, with their sizes and checksums."""
        if not _REPO.fullmatch(repo):
            hint = "For example: airochat models pull OWNER/NAME-GGUF:Q4_K_M"
            raise UsageError(f"{repo!r} is not of the form OWNER/NAME.", hint)
        from huggingface_hub.utils import validate_repo_id

        with self._told(repo):
            validate_repo_id(repo)
            info = _parsed(self._api.model_info, repo, files_metadata=True, timeout=_PATIENCE_S)
            files = [_file(sibling) for sibling in info.siblings or ()]
        return Listing(repo, str(info.sha or "main"), tuple(files))

    def checked(self, listing: Listing, file: HubFile) -> HubFile:
        """Return a file with size and checksum, which some mirrors tell only when asked for the file itself."""
        if file.size and (file.sha256 or file.git_id):
            return file
        from huggingface_hub import get_hf_file_metadata

        with self._told(listing.repo, file):
            found = get_hf_file_metadata(self._url(listing, file), timeout=_PATIENCE_S)
        etag = found.etag or ""
        sha256 = file.sha256 or (etag if _SHA256.fullmatch(etag) else "")
        return HubFile(file.path, file.size or found.size or 0, sha256, file.git_id)

    def fetch(self, listing: Listing, file: HubFile, into: Path, moved: Callable[[int], None]) -> None:
        """Download a file, going on with what ``into`` holds of it, which stays when the download is cut short.

        ``moved`` gets the number of bytes that came; it is negative if the server begins again.
        """
        from huggingface_hub import constants
        from huggingface_hub.file_download import http_get
        from huggingface_hub.utils import build_hf_headers

        if file.size > constants.MAX_HTTP_DOWNLOAD_SIZE:
            message = f"{file.name} is larger than the hub sends in one piece that can be resumed."
            raise ModelError(message, "Take a split one, or download it with `hf download`.")
        headers = build_hf_headers(library_name="airochat")
        with self._told(listing.repo, file), into.open("ab") as out:
            meter: Any = _Meter(file, out.tell(), moved)
            http_get(
                self._url(listing, file),
                out,
                resume_size=out.tell(),
                headers=headers,
                expected_size=file.size,
                displayed_filename=file.name,
                tqdm_class=meter,
            )
            out.flush()
            os.fsync(out.fileno())

    @contextmanager
    def lock(self, path: Path, name: str) -> Iterator[None]:
        """Hold a lock on the download of ``name``; an `AirochatError` if another process does."""
        from huggingface_hub.utils import WeakFileLock

        with ExitStack() as stack:
            try:
                stack.enter_context(WeakFileLock(path, timeout=_LOCK_S))
            except TimeoutError:
                message = f"{name} is just being downloaded by another airochat."
                raise AirochatError(message, "Wait for it to finish.") from None
            yield

    def _url(self, listing: Listing, file: HubFile) -> str:
        from huggingface_hub import hf_hub_url

        return hf_hub_url(listing.repo, file.path, revision=listing.revision, endpoint=self.address)

    @contextmanager
    def _told(self, repo: str, file: HubFile | None = None) -> Iterator[None]:
        """Turn the library's errors into those of this program, and keep its log from the terminal."""
        log = logging.getLogger("huggingface_hub")
        level = log.level
        log.setLevel(logging.CRITICAL)
        try:
            yield
        except AirochatError:
            raise
        except Exception as error:
            told = self._explained(error, repo, file)
            if told is None:
                raise
            raise told from None
        finally:
            log.setLevel(level)

    def _explained(self, error: Exception, repo: str, file: HubFile | None) -> AirochatError | None:
        from huggingface_hub import errors

        what = f"{file.name} in {repo}" if file else repo
        match error:
            case errors.HFValidationError():
                return UsageError(f"{repo} cannot be the name of a repository.", "Check the name.")
            case errors.OfflineModeIsEnabled():
                return AirochatError("HF_HUB_OFFLINE forbids downloads.", "Unset it, and try again.")
            case errors.GatedRepoError():
                hint = f"Ask for access on the page of {repo} at {self.address}. {_LOGIN}"
                return AirochatError(f"{repo} is gated: its owner decides who may download it.", hint)
            case errors.RepositoryNotFoundError():
                message = f"There is no repository {repo} at {self.address}, or it is private."
                return AirochatError(message, f"Check the name. {_LOGIN}")
            case errors.EntryNotFoundError() | errors.RevisionNotFoundError():
                message = f"{what} is no longer there."
                return AirochatError(message, f"See what is: airochat models pull {repo}")
            case errors.HfHubHTTPError():
                return self._refused(error.response.status_code, what)
        return self._broken(error, what)

    def _refused(self, status: int, what: str) -> AirochatError:
        message = f"{self.address} refuses {what} with status {status}."
        if status in (401, 403):
            return AirochatError(message, f"It may be private, or the token wrong. {_LOGIN}")
        if status == 404:
            return AirochatError(message, "Check the name.")
        if status == 429:
            return AirochatError(message, "That were too many requests: wait some minutes.")
        return AirochatError(message, f"Try again later. {_AGAIN}")

    def _broken(self, error: Exception, what: str) -> AirochatError | None:
        # Which HTTP client the library uses has changed before, and its errors come through.
        if type(error).__module__.partition(".")[0] in _HTTP_CLIENTS:
            reason = " ".join(str(error).split()) or type(error).__name__
            message = f"The connection to {self.address} failed: {reason.rstrip('.')}."
            return AirochatError(message, f"Check the network. {_AGAIN}")
        if isinstance(error, OSError):
            if error.errno is None:  # the library's words for a length that is wrong
                return AirochatError(f"The connection to {self.address} broke off.", _AGAIN)
            message = f"{what} cannot be written: {error.strerror}."
            return AirochatError(message, f"Look for room on the disk and for write access. {_AGAIN}")
        return None


class _Meter:
    """Stands in for tqdm in the library's loop: tells how many bytes came, and stops a server that sends too many."""

    def __init__(self, file: HubFile, done: int, moved: Callable[[int], None]) -> None:
        self._file = file
        self._done = done
        self._moved = moved

    def __call__(self, *, initial: int = 0, **_: Any) -> _Meter:
        self.update(initial - self._done)
        return self

    def __enter__(self) -> _Meter:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def update(self, count: int) -> None:
        self._done += count
        if self._done > self._file.size:
            message = f"The hub sends more than the {self._file.size:,} bytes of {self._file.name}."
            raise ModelError(message, "Try again later; the repository may just be changing.")
        self._moved(count)


def _parsed(ask: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    """Ask the hub; an answer that the library cannot read is no hub's."""
    try:
        return ask(*arguments, **named)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        if isinstance(error, OSError):
            raise
        message = "What answers there is no hub: its answer makes no sense."
        raise AirochatError(message, "Check HF_ENDPOINT, and whether the network asks for a login.") from None


def _file(sibling: Any) -> HubFile:
    lfs = sibling.lfs
    size, sha256 = (lfs.size, lfs.sha256) if lfs else (sibling.size, "")
    sha256 = str(sha256 or "").lower()
    git_id = "" if lfs else str(sibling.blob_id or "")
    valid = size if isinstance(size, int) and size > 0 else 0
    return HubFile(str(sibling.rfilename), valid, sha256 if _SHA256.fullmatch(sha256) else "", git_id)
