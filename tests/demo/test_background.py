"""A tab that nobody sees, in headless Chromium: what it plays and separates goes on."""

import base64
import itertools
import json
import time

import pytest
from helpers.demo_client import encoded
from helpers.demo_page import READY
from helpers.songs import noise

pytestmark = pytest.mark.browser

SONG = encoded(0.1 * noise(30_000, 1))
DROP = """const bytes = Uint8Array.from(atob(given), (letter) => letter.charCodeAt(0));
const files = new DataTransfer();
files.items.add(new File([bytes], "Mine.wav"));
const input = document.querySelector("#file");
input.files = files.files;
input.dispatchEvent(new Event("change"));"""
PLAYER = 'const { player } = (await import("/app.js")).studio;'
PLAYING = f"{PLAYER} return player.playing && player.context.currentTime"


class Tab:
    """A tab that is not Playwright's, whose tabs all believe that they are seen."""

    def __init__(self, browser, url):
        self._session = browser.new_browser_cdp_session()
        self._answers, self._numbers = {}, itertools.count()
        self._session.on("Target.receivedMessageFromTarget", self._take)
        self._target = self._session.send("Target.createTarget", {"url": url})["targetId"]
        attached = self._session.send("Target.attachToTarget", {"targetId": self._target})
        self._id = attached["sessionId"]

    def _take(self, event):
        message = json.loads(event["message"])
        self._answers[message.get("id")] = message

    def ask(self, method, **parameters):
        number = next(self._numbers)
        message = json.dumps({"id": number, "method": method, "params": parameters})
        asked = {"sessionId": self._id, "message": message}
        self._session.send("Target.sendMessageToTarget", asked)
        while number not in self._answers:
            self._session.send("Browser.getVersion")  # Playwright takes answers meanwhile
        return self._answers[number]["result"]

    def evaluate(self, script, given=None):
        """What the body of a script's function gives."""
        expression = f"(async (given) => {{ {script} }})({json.dumps(given)})"
        options = {"awaitPromise": True, "returnByValue": True, "userGesture": True}
        answer = self.ask("Runtime.evaluate", expression=expression, **options)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def wait_for(self, script):
        end = time.monotonic() + 60
        while not (value := self.evaluate(script)):
            assert time.monotonic() < end, script
            time.sleep(0.05)
        return value

    def hide(self):
        """Make its window small, as another tab in front of it would hide it."""
        window = self._session.send("Browser.getWindowForTarget", {"targetId": self._target})
        bounds = {"windowState": "minimized"}
        small = {"windowId": window["windowId"], "bounds": bounds}
        self._session.send("Browser.setWindowBounds", small)
        self.wait_for("return document.visibilityState === 'hidden'")

    def close(self):
        self._session.send("Target.closeTarget", {"targetId": self._target})


@pytest.fixture
def tab(browser, exported_url):
    tab = Tab(browser, exported_url)
    tab.wait_for(f"return document.querySelector({json.dumps(READY)}) !== null")
    yield tab
    tab.close()


def test_hidden_tab_plays_on_and_separates(tab):
    tab.evaluate(f"{PLAYER} player.setLoop({{ on: true }}); await player.play()")
    tab.hide()
    begun = tab.evaluate(PLAYING)
    tab.wait_for(f"{PLAYER} return player.playing && player.context.currentTime > {begun + 1}")
    tab.evaluate(DROP, base64.b64encode(SONG).decode())
    tab.ask("Page.setWebLifecycleState", state="frozen")  # as after minutes behind other tabs
    time.sleep(0.3)
    tab.ask("Page.setWebLifecycleState", state="active")
    tab.wait_for("return document.querySelector('#song-title').textContent === 'Mine'")
    tab.wait_for(f"return document.querySelector({json.dumps(READY)}) !== null")
    assert tab.evaluate("return document.querySelector('#problem').textContent") == ""
    tab.evaluate(f"{PLAYER} player.setLoop({{ on: true }}); await player.play()")
    tab.wait_for(f"{PLAYER} return player.playing && player.context.currentTime > 0.3")
    assert tab.evaluate("return document.visibilityState") == "hidden"
