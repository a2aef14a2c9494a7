"""Firefox without a window, driven by its own protocol (Marionette), which needs no driver."""

from __future__ import annotations

import base64
import itertools
import json
import shutil
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

FIREFOX = shutil.which("firefox-esr") or shutil.which("firefox")
_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # how WebDriver marks elements in JSON
_SECONDS = 60.0
_PREFERENCES = {
    "marionette.port": 0,  # any that is free; Firefox writes it into the profile
    "media.autoplay.default": 0,
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "toolkit.telemetry.reportingpolicy.firstRun": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "app.update.disabledForTesting": True,
    "dom.disable_open_during_load": False,
}


class FirefoxError(Exception):
    """What Firefox answered instead of a result."""


class Firefox:
    """A running Firefox with one tab; leaving the context ends it.

    Parameters
    ----------
    folder : Path
        An empty folder for its profile.
    """

    def __init__(self, folder: Path):
        lines = [f"user_pref({json.dumps(k)}, {json.dumps(v)});" for k, v in _PREFERENCES.items()]
        (folder / "user.js").write_text("\n".join(lines))
        self._process = subprocess.Popen(
            [str(FIREFOX), "--headless", "--no-remote", "--profile", str(folder), "--marionette"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._numbers = itertools.count(1)
        try:
            self._socket = socket.create_connection(("127.0.0.1", self._port(folder)))
            self._socket.settimeout(_SECONDS)
            self._file = self._socket.makefile("rb")
            self._receive()  # its greeting
            self._ask("WebDriver:NewSession", {"capabilities": {"alwaysMatch": {}}})
            self._ask("WebDriver:SetTimeouts", {"script": int(1000 * _SECONDS)})
        except BaseException:
            self._process.kill()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()
        self._socket.close()
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def goto(self, url: str) -> None:
        """Open a page, and wait until it is loaded."""
        self._ask("WebDriver:Navigate", {"url": url})

    def evaluate(self, script: str, *arguments: Any) -> Any:
        """Await a script's function of the arguments, as Playwright's ``page.evaluate`` does."""
        body = """const done = arguments[arguments.length - 1];
            Promise.resolve().then(() => (SCRIPT)(...Array.from(arguments).slice(0, -1))).then(
                (value) => done({ value }), (error) => done({ error: `${error}` }));"""
        answer = self._ask(
            "WebDriver:ExecuteAsyncScript",
            {"script": body.replace("SCRIPT", script), "args": list(arguments), "sandbox": None},
        )["value"]
        if "error" in answer:
            raise FirefoxError(answer["error"])
        return answer.get("value")

    def wait_for(self, script: str, *arguments: Any, seconds: float = 30.0) -> None:
        """Wait until a script's function gives something true."""
        end = time.monotonic() + seconds
        while not self.evaluate(script, *arguments):
            if time.monotonic() > end:
                raise FirefoxError(f"not true in {seconds:g} s: {script}")
            time.sleep(0.05)

    def click(self, selector: str) -> None:
        """Click an element, as a visitor does."""
        self._ask("WebDriver:ElementClick", {"id": self._find(selector)})

    def set_input_files(self, selector: str, path: Path) -> None:
        """Choose a file."""
        self._ask("WebDriver:ElementSendKeys", {"id": self._find(selector), "text": str(path)})

    def set_size(self, width: int, height: int) -> None:
        """Set the size of the window, its frame included."""
        self._ask("WebDriver:SetWindowRect", {"width": width, "height": height})

    def screenshot(self) -> bytes:
        """What is seen, as PNG."""
        return base64.b64decode(self._ask("WebDriver:TakeScreenshot", {"full": False})["value"])

    def _find(self, selector: str) -> str:
        found = self._ask("WebDriver:FindElement", {"using": "css selector", "value": selector})
        return found["value"][_ELEMENT]

    def _port(self, folder: Path) -> int:
        """The port of its protocol, once it has started."""
        path, end = folder / "MarionetteActivePort", time.monotonic() + _SECONDS
        while time.monotonic() < end:
            if self._process.poll() is not None:
                raise FirefoxError(f"Firefox ended with status {self._process.returncode}")
            if path.exists() and (text := path.read_text().strip()):
                return int(text)
            time.sleep(0.05)
        raise FirefoxError(f"Firefox did not start in {_SECONDS:g} s")

    def _ask(self, command: str, parameters: dict[str, Any]) -> Any:
        message = json.dumps([0, next(self._numbers), command, parameters]).encode()
        self._socket.sendall(b"%d:%s" % (len(message), message))
        _, _, error, result = self._receive()
        if error:
            raise FirefoxError(f"{error['error']}: {error['message']}")
        return result

    def _receive(self) -> Any:
        """Read one message: its length, a colon, and JSON."""
        length = b""
        while (byte := self._file.read(1)) != b":":
            if not byte:
                raise FirefoxError("Firefox closed the connection")
            length += byte
        return json.loads(self._file.read(int(length)))
