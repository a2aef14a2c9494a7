"""Firefox without a window, driven by WebDriver BiDi, which it speaks by itself."""

from __future__ import annotations

import base64
import itertools
import json
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any, Self

FIREFOX = shutil.which("firefox-esr") or shutil.which("firefox")
_SECONDS = 60.0
_PREFERENCES = {
    "media.autoplay.default": 0,
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "app.update.disabledForTesting": True,
    "app.normandy.enabled": False,
}


class FirefoxError(Exception):
    """What Firefox answered instead of a result."""


class Firefox:
    """A running Firefox with one tab; leaving the context ends it.

    Parameters
    ----------
    folder : Path
        An empty folder for its profile.
    service_workers : bool
        Whether pages may have them. They fetch a page's files while a test may have left it
        already, which is logged as an error.

    Attributes
    ----------
    faults : list of str
        Errors that its pages met or logged.
    """

    def __init__(self, folder: Path, *, service_workers: bool = False):
        from websockets.sync.client import connect

        preferences = {**_PREFERENCES, "dom.serviceWorkers.enabled": service_workers}
        lines = [f"user_pref({json.dumps(k)}, {json.dumps(v)});" for k, v in preferences.items()]
        (folder / "user.js").write_text("\n".join(lines))
        self.faults: list[str] = []
        self._numbers = itertools.count(1)
        options = ["--headless", "--no-remote", "--remote-debugging-port", "0"]
        self._process = subprocess.Popen(
            [str(FIREFOX), *options, "--profile", str(folder)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            self._socket = connect(self._address(folder), max_size=None, proxy=None)
            self._ask("session.new", capabilities={})
            self._ask("session.subscribe", events=["log.entryAdded"])
            self._tab = self._ask("browsingContext.getTree")["contexts"][0]["context"]
        except BaseException:
            self._process.kill()
            self._process.wait()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._socket.close()
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def goto(self, url: str) -> None:
        """Open a page, and wait until it is loaded."""
        self._ask("browsingContext.navigate", context=self._tab, url=url, wait="complete")

    def evaluate(self, script: str, *arguments: Any) -> Any:
        """Await a script's function of the arguments, as Playwright's ``page.evaluate`` does."""
        answer = self._ask(
            "script.callFunction",
            functionDeclaration=f"""async (given) =>
                JSON.stringify((await ({script})(...JSON.parse(given))) ?? null)""",
            arguments=[{"type": "string", "value": json.dumps(arguments)}],
            awaitPromise=True,
            userActivation=True,  # as if a visitor had done it
            target={"context": self._tab},
        )
        if answer["type"] == "exception":
            raise FirefoxError(answer["exceptionDetails"]["text"])
        return json.loads(answer["result"]["value"])

    def wait_for(self, script: str, *arguments: Any, seconds: float = 30.0) -> None:
        """Wait until a script's function gives something true."""
        end = time.monotonic() + seconds
        while not self.evaluate(script, *arguments):
            if time.monotonic() > end:
                raise FirefoxError(f"not true in {seconds:g} s: {script} of {arguments}")
            time.sleep(0.05)

    def click(self, selector: str) -> None:
        """Click an element."""
        self.evaluate("(selector) => document.querySelector(selector).click()", selector)

    def set_input_files(self, selector: str, *paths: Path) -> None:
        """Choose files."""
        found = self._ask(
            "browsingContext.locateNodes",
            context=self._tab,
            locator={"type": "css", "value": selector},
        )
        element = {"sharedId": found["nodes"][0]["sharedId"]}
        files = [str(path) for path in paths]
        self._ask("input.setFiles", context=self._tab, element=element, files=files)

    def set_size(self, width: int, height: int) -> None:
        """Set the size of the page's window."""
        viewport = {"width": width, "height": height}
        self._ask("browsingContext.setViewport", context=self._tab, viewport=viewport)

    def screenshot(self) -> bytes:
        """What is seen, as PNG."""
        answer = self._ask("browsingContext.captureScreenshot", context=self._tab)
        return base64.b64decode(answer["data"])

    def _address(self, folder: Path) -> str:
        """Where it listens, once it has started."""
        path, end = folder / "WebDriverBiDiServer.json", time.monotonic() + _SECONDS
        while time.monotonic() < end:
            if self._process.poll() is not None:
                raise FirefoxError(f"Firefox ended with status {self._process.returncode}")
            if path.exists() and (text := path.read_text()).strip().endswith("}"):
                told = json.loads(text)
                return f"ws://{told['ws_host']}:{told['ws_port']}/session"
            time.sleep(0.05)
        raise FirefoxError(f"Firefox did not start in {_SECONDS:g} s")

    def _ask(self, method: str, **parameters: Any) -> Any:
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._socket.recv(timeout=_SECONDS))
            if message.get("method") == "log.entryAdded":
                if message["params"]["level"] == "error":
                    self.faults.append(message["params"]["text"])
            elif message.get("id") == number:
                break
        if message["type"] == "error":
            raise FirefoxError(f"{message['error']}: {message['message']}")
        return message["result"]
