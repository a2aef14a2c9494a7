"""The demo's page in headless Chromium: a visit, with what is said, where the focus is, and axe."""

import io

import pytest
import soundfile
from helpers.demo_page import READY, choose
from helpers.songs import RATE, noise

pytestmark = pytest.mark.browser

PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 900}
RUNNING = {
    "state": "running",
    "position": 0,
    "stage": "separating",
    "progress": 0.4,
    "error": None,
    "result": None,
}
MESSAGE = "#notice:not(.empty) #problem"


def focused(page):
    return page.evaluate("document.activeElement.id")


def hold_job(page):
    """Keep jobs running until the route is taken away."""
    page.route("**/api/jobs/*", lambda route: route.fulfill(json=RUNNING))


def upload(page, name, waveform, *, cut=0):
    """Upload a WAV file, without its last bytes; wait until it is open."""
    file = io.BytesIO()
    soundfile.write(file, waveform, RATE, subtype="PCM_16", format="WAV")
    content = file.getvalue()
    buffer = content[: len(content) - cut]
    page.set_input_files("#file", {"name": name, "mimeType": "audio/wav", "buffer": buffer})
    page.wait_for_selector(f"#song-title:has-text('{name.removesuffix('.wav')}')")
    page.wait_for_selector(READY)


def test_first_song_opens_and_the_choice_shrinks_to_its_name(open_page, server):
    page = open_page(server, first=True, **PHONE)
    page.set_default_timeout(60_000)  # the server separates for the first time
    page.wait_for_selector(READY)
    assert page.inner_text("#chosen h2") == "mono"  # own songs come before generated ones
    assert page.locator("#choices").is_hidden()
    fader = page.locator("input[aria-label='Vocals level']").bounding_box()
    transport = page.locator(".transport").bounding_box()
    assert fader["y"] + fader["height"] < transport["y"]  # seen without scrolling
    page.focus("#change")
    page.keyboard.press("Enter")
    assert (focused(page), page.get_attribute("#change", "aria-expanded")) == ("choose", "true")
    page.keyboard.press("Escape")
    assert (focused(page), page.get_attribute("#change", "aria-expanded")) == ("change", "false")
    assert page.locator("#choices").is_hidden()
    page.keyboard.press("Enter")
    page.focus("#songs button:has-text('stereo')")
    page.keyboard.press("Enter")
    page.wait_for_selector("#song-title:has-text('stereo')")
    page.wait_for_selector(READY)
    assert focused(page) == "change"  # the button that was pressed is hidden now


def test_first_song_disturbs_nobody(open_page, server):
    page = open_page(server, first=True)
    page.wait_for_selector(READY)
    hold_job(page)
    page.goto(server)
    page.wait_for_selector("#job-unasked:visible")
    page.focus("#choose")
    page.unroute("**/api/jobs/*")
    page.wait_for_selector(READY)
    assert focused(page) == "choose"  # who is about to choose goes on
    page.route("**/api/jobs?*", lambda route: route.fulfill(status=503, json={"error": "busy"}))
    with page.expect_response("**/api/jobs?*"):
        page.goto(server)
    page.wait_for_selector("#job", state="hidden")
    assert page.locator("#choices").is_visible()
    assert page.inner_text("#problem") == ""


@pytest.fixture
def axe():
    module = pytest.importorskip("axe_playwright_python.sync_playwright", reason="no axe-core")
    return module.Axe()


@pytest.mark.slow
def test_axe_finds_nothing(open_page, server, axe):
    page = open_page(server)

    def check(*views):
        for size, scheme in views:
            page.set_viewport_size(size)
            page.emulate_media(color_scheme=scheme)
            found = axe.run(page).response["violations"]
            assert not [(v["id"], [n["target"] for n in v["nodes"]]) for v in found]

    phone, desk = (PHONE, "dark"), (DESK, "light")
    check(phone, desk)  # the first visit
    page.set_input_files("#file", {"name": "a.wav", "mimeType": "audio/wav", "buffer": b"text"})
    page.wait_for_selector(f"{MESSAGE}.wrong")
    check(phone, desk)
    hold_job(page)
    choose(page, "mono")
    page.wait_for_selector("#job-text:has-text('Separating: mono')")
    check(phone, desk)
    page.unroute("**/api/jobs/*")
    page.wait_for_selector(READY)
    check(phone, desk, (PHONE, "light"), (DESK, "dark"))
    page.keyboard.press("?")
    check(phone, desk)


def test_a_song_that_is_gone_leads_back_to_the_choice(open_page, server):
    page = open_page(server)
    upload(page, "half.wav", noise(60_000, 4), cut=60_000)
    assert page.inner_text(MESSAGE) == "This file is cut off: 0.7 of 1.4 s are there."
    other = page.context.new_page()
    other.goto(page.url)
    other.wait_for_selector(READY)
    other.focus("#remove")
    other.keyboard.press("Enter")
    other.wait_for_selector("#problem:has-text('half is removed from the server.')")
    assert focused(other) == "choose"
    told = "half is not there any more: choose it again, or another song."
    page.wait_for_selector(f"#problem:has-text('{told}')")
    assert page.locator("#studio").is_hidden()
    assert page.inner_text("#status") == ""  # it said that the song is ready
    assert page.locator("#choices").is_visible()
    assert focused(page) == "choose"
    assert page.evaluate("location.hash") == ""
    # or by someone else, or for its age: it is found out when something of it is needed
    upload(page, "late.wav", noise(9000, 4))
    result = page.evaluate("location.hash").split("/")[1]
    page.evaluate("id => fetch(`api/results/${id}`, { method: 'DELETE' })", result)
    page.click("#listen button:has-text('Original')")
    page.wait_for_selector("#problem:has-text('late is not there any more')")


def test_leaving_while_a_song_is_separated_is_asked_about(open_page, server):
    page = open_page(server)
    asked = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.dismiss()))
    hold_job(page)
    page.focus("#songs button:has-text('mono')")
    page.keyboard.press("Enter")
    page.wait_for_selector("#job-text:has-text('Separating: mono')")
    page.evaluate("location.reload()")
    page.wait_for_function("() => document.querySelector('#job-progress').value === 0.4")
    page.focus("#job-cancel")
    page.keyboard.press("Enter")
    assert asked == ["beforeunload"]
    assert focused(page) == "choose"
    page.reload()
    assert asked == ["beforeunload"]


def test_sound_that_does_not_begin_is_told(studio):
    page = studio()
    page.evaluate(
        """() => { AudioContext.prototype.resume = () => new Promise(() => {});
        const later = setTimeout; window.setTimeout = (act) => later(act, 0); }"""
    )
    page.keyboard.press("Space")
    page.wait_for_selector("#problem:has-text('The browser does not begin to play.')")
    assert page.get_attribute("#play", "aria-label") == "Play"
    page.focus("#problem-close")
    page.keyboard.press("Enter")
    assert page.locator("#notice").is_hidden()
    assert focused(page) == "change"


def test_small_windows_and_large_text(studio):
    """Focus and messages are seen, as in a window of 1280 x 900 that is zoomed to 200 %."""
    page = studio(width=640, height=450)
    page.focus(".skip")
    seen = set()
    for _ in range(80):
        page.keyboard.press("Tab")
        at = page.evaluate(
            """() => { const e = document.activeElement, r = e.getBoundingClientRect();
            const [x, y] = [r.left + r.width / 2, r.top + Math.min(r.height / 2, 40)];
            const top = document.elementFromPoint(x, y);
            return [e.id || e.ariaLabel || e.textContent, e === document.body,
                    e.contains(top) || !!top?.contains(e)]; }"""
        )
        name, is_body, is_seen = at
        if is_body:
            break
        assert is_seen, name
        seen.add(name)
    assert {"change", "play", "Other pan", "reset"} <= seen
    page.keyboard.press("Digit2")
    told = page.locator("#status").bounding_box()  # though the page is scrolled
    assert page.inner_text("#status") == "Bass muted"
    page.keyboard.press("o")
    page.wait_for_selector("#listen button:has-text('Original')[aria-pressed=true]")
    page.keyboard.press("Digit2")
    told_now = "Bass not muted. You hear the stems now, and not the original."
    assert page.inner_text("#status") == told_now
    page.wait_for_selector("#listen button:has-text('True stems')[aria-pressed=true]")
    assert 0 < told["y"] < page.locator(".transport").bounding_box()["y"] - told["height"]
    # and with text twice as large, on a phone
    sizes = page.evaluate(
        """() => [...document.styleSheets].flatMap((sheet) => [...sheet.cssRules])
        .flatMap((rule) => [...(rule.cssRules ?? []), rule])
        .map((rule) => rule.style?.fontSize ?? "").filter((size) => size.endsWith("px"))"""
    )
    assert sizes == []
    page.set_viewport_size(PHONE)
    page.evaluate("document.documentElement.style.fontSize = '187.5%'")
    page.click("#change")
    wide = page.evaluate(
        """() => [...document.querySelectorAll("header, header *, main, main *")]
        .filter((e) => !e.closest("#scores, .lane, .ruler, .unseen")) // cut, or scrolled
        .filter((e) => e.getBoundingClientRect().right > 390).map((e) => e.id || e.outerHTML)"""
    )
    assert wide == []


def test_without_scripts_a_sentence_is_there(browser, server):
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(server)
        assert "This page needs JavaScript" in page.inner_text("main")
        assert page.locator("#intake, #studio, #help-open").locator("visible=true").count() == 0
