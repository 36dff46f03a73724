"""A real JupyterLab in a real Chromium, for tests."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
from playwright.sync_api import Page, sync_playwright

TOKEN = "t"
CURRENT = "window.jupyterapp?.shell?.currentWidget"
_NO_NEWS = {"fetchNews": "false", "checkForUpdates": False}


class Lab:
    """A notebook that is open in JupyterLab."""

    def __init__(self, page: Page, url: str, path: Path) -> None:
        self.page = page
        self.path = path
        self._url = f"{url}/lab/tree/{path.name}?token={TOKEN}"
        self.errors: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("dialog", lambda dialog: dialog.accept())
        self.open()

    def open(self) -> None:
        """Open or reload the page, and wait until the kernel takes cells."""
        self.page.goto(self._url)
        self.page.wait_for_function(f"{CURRENT}?.context?.isReady", timeout=60_000)
        idle = f"{CURRENT}?.sessionContext?.kernelDisplayStatus === 'idle'"
        self.page.wait_for_function(idle, timeout=60_000)

    def run(self, number: int) -> None:
        """Run a code cell and wait for its end."""
        self.start(number)
        model = f"{CURRENT}.content.widgets[{number}].model"
        self.page.wait_for_function(f"{model}.executionCount > 0 && {model}.executionState !== 'running'")

    def start(self, number: int) -> None:
        """Begin to run a code cell."""
        self.page.locator(".jp-Notebook .jp-Cell").nth(number).locator(".jp-InputArea .cm-content").click()
        self.page.keyboard.press("Control+Enter")

    def save(self) -> dict[str, Any]:
        """Save the notebook and return what stands in the file."""
        with self.page.expect_response(lambda r: r.request.method == "PUT" and "/api/contents/" in r.url):
            self.page.evaluate("window.jupyterapp.commands.execute('docmanager:save')")
        found: dict[str, Any] = json.loads(self.path.read_text())
        return found

    def evaluate(self, code: str) -> str:
        """Run code in the kernel behind the notebook's back and return what it printed."""
        found: str = self.page.evaluate(
            f"""async (code) => {{
                let printed = '';
                const future = {CURRENT}.sessionContext.session.kernel.requestExecute({{ code, store_history: false }});
                future.onIOPub = (m) => {{
                    if (m.header.msg_type === 'stream') printed += m.content.text;
                    if (m.header.msg_type === 'error') printed += m.content.traceback.join('\\n');
                }};
                await future.done;
                return printed;
            }}""",
            code,
        )
        return found


def write_notebook(path: Path, *cells: str) -> None:
    """Write a notebook of code cells."""
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(cell) for cell in cells], metadata={"kernelspec": kernel}
    )
    nbformat.write(notebook, path)


@contextmanager
def running_server(root: Path, home: Path) -> Iterator[str]:
    """Start a Jupyter server on a free port with its own home folder; yield its address; stop it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = (home / "server.log").open("w")
    process = subprocess.Popen(_command(port, root), env=_environment(home), stdout=log, stderr=log, cwd=root)
    try:
        _wait_for(f"http://127.0.0.1:{port}/api", process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
        log.close()


@contextmanager
def chromium_page() -> Iterator[Page]:
    """Yield an empty page of the system's Chromium."""
    with sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-dev-shm-usage"]
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=flags)
        page = browser.new_page(viewport={"width": 1100, "height": 900})
        page.set_default_timeout(60_000)
        yield page
        browser.close()


def _command(port: int, root: Path) -> list[str]:
    return [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--expose-app-in-browser"),
        *("--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}", "--ServerApp.port_retries=0"),
        *(f"--IdentityProvider.token={TOKEN}", f"--ServerApp.root_dir={root}"),
        "--LabApp.extension_manager=readonly",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]


def _environment(home: Path) -> dict[str, str]:
    settings = home / "settings"
    news = settings / "@jupyterlab" / "apputils-extension" / "notification.jupyterlab-settings"
    news.parent.mkdir(parents=True)
    news.write_text(json.dumps(_NO_NEWS))
    names = (
        "JUPYTER_CONFIG_DIR",
        "JUPYTER_DATA_DIR",
        "JUPYTER_RUNTIME_DIR",
        "IPYTHONDIR",
        "JUPYTERLAB_WORKSPACES_DIR",
    )
    folders = {name: str(home / name.lower()) for name in names}
    own = {
        "HOME": str(home),
        "AIROCHAT_HOME": str(home / "airochat"),
        "JUPYTERLAB_SETTINGS_DIR": str(settings),
    }
    return {**os.environ, **folders, **own}


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    while True:
        try:
            urllib.request.urlopen(url, timeout=60).close()
            return
        except urllib.error.HTTPError:
            return
        except urllib.error.URLError:
            # Nobody listens yet; a server that has given up never will.
            assert process.poll() is None, "The Jupyter server ended; see server.log."
            if process_ended(process, 0.2):
                raise AssertionError("The Jupyter server ended; see server.log.") from None


def process_ended(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Wait for a process; return whether it has ended."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True
