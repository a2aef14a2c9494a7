"""The demo's page in headless Chromium: choosing songs, and an exported site."""

import shutil

import numpy as np
import pytest
from helpers.demo_page import (
    READY,
    STEP,
    choose,
    painted,
    record,
    recorded,
    rendered,
    truth,
)

from hiphopss import SOURCES

pytestmark = pytest.mark.browser


def test_upload_is_separated_and_drawn(open_page, server, songs):
    page = open_page(server)
    formats = f"MP3,{' M4A,' if shutil.which('ffmpeg') else ''} OGG, FLAC, WAV"
    assert page.inner_text("#limits") == f"{formats}; up to 10 minutes and 2.9 MB."
    page.set_input_files("#file", songs / "Mixtures/Test/stereo/mixture.wav")
    page.wait_for_selector(READY)
    page.wait_for_selector("#job", state="hidden")
    assert page.inner_text("#song-title") == "mixture"
    for name in ("original", *SOURCES):
        assert painted(page, name) > 1000
    page.click("[data-view=spectra]")
    for name in ("original", *SOURCES):
        image = page.locator(f"[data-name={name}] img")
        image.scroll_into_view_if_needed()
        assert image.is_visible()
        assert image.evaluate("async i => { await i.decode(); return i.naturalWidth }") > 100
    page.reload()
    page.wait_for_selector(READY)  # the address names the song
    page.click("#remove")
    page.wait_for_selector("#studio", state="hidden")
    assert "removed" in page.inner_text("#problem")


def test_what_can_not_be_separated_is_told(open_page, server):
    page = open_page(server)
    page.evaluate(
        """() => { const data = new DataTransfer();
        data.items.add(new File(["no music"], "song.wav"));
        for (const type of ["dragover", "drop"])
          window.dispatchEvent(new DragEvent(type, { dataTransfer: data, cancelable: true })); }"""
    )
    page.wait_for_selector("#problem:has-text('song.wav is no song that this server can read')")
    assert page.locator("#job").is_hidden()
    page.set_input_files(
        "#file", {"name": "long.wav", "mimeType": "audio/wav", "buffer": bytes(5 * 2**20)}
    )
    page.wait_for_selector("#problem:has-text('long.wav has more than 2.9 MB: make it shorter')")


@pytest.mark.parametrize(("seconds", "told"), [(60, "1 minute"), (90, "90 seconds")])
def test_longest_upload_is_told(open_page, server, seconds, told):
    def limited(route):
        site = route.fetch().json()
        route.fulfill(json=site | {"limits": site["limits"] | {"max_seconds": seconds}})

    page = open_page(server)
    page.route("**/site.json", limited)
    page.reload()
    page.wait_for_selector(f"#limits:has-text('; up to {told} and')")


def test_song_that_is_gone_is_told_at_once(open_page, server):
    page = open_page(f"{server}#results/abcdefgh/result.json")
    page.wait_for_selector("#problem:has-text('There is no such song here, or not any more')")
    assert page.evaluate("location.hash") == ""
    page.evaluate("location.hash = 'rubbish'")
    page.wait_for_selector("#problem:has-text('This address names no song')")
    assert page.evaluate("location.hash") == ""
    page.click("#songs button:has-text('mono')")
    page.wait_for_selector(READY)
    assert page.inner_text("#problem") == ""
    page.route("**/site.json", lambda route: route.fulfill(status=500, body="no JSON"))
    page.reload()
    page.wait_for_selector("#problem:has-text('The server answered with the error 500')")


def test_busy_server_is_asked_again(open_page, server):
    page = open_page(server)
    answers = []

    def busy(route):
        answers.append(route.request.url)
        if len(answers) > 2:
            return route.continue_()
        return route.fulfill(status=503, headers={"retry-after": "0"}, json={"error": "busy"})

    page.route("**/api/jobs/*", busy)
    page.click("#songs button:has-text('mono')")
    page.wait_for_selector(READY)
    assert len(answers) > 2
    assert page.inner_text("#problem") == ""


def test_upload_that_is_refused_early_reads_why(open_page, server):
    page = open_page(server)
    told = page.evaluate(
        """async () => { const answer = await fetch("api/jobs?model=generated&name=a.wav",
        { method: "POST", body: new Uint8Array(5500000) });
        return [answer.status, (await answer.json()).error]; }"""
    )
    assert (told[0], "a.wav has more than" in told[1]) == (413, True)


def test_the_last_choice_wins_though_an_earlier_one_answers_later(open_page, server):
    page = open_page(server)
    held = []
    page.route("**/result.json", lambda route: route.continue_() if held else held.append(route))
    with page.expect_request("**/result.json"):
        page.click("#songs button:has-text('mono')")
    page.click("#songs button:has-text('stereo')")
    page.wait_for_selector("#song-title:has-text('stereo')")
    page.wait_for_selector(READY)
    address = page.evaluate("location.hash")
    with page.expect_response("**/result.json"):
        held[0].continue_()
    page.wait_for_timeout(300)
    assert page.inner_text("#song-title") == "stereo"
    assert page.evaluate("location.hash") == address


def test_what_is_shown_sounds_though_it_was_chosen_after_play(open_page, server):
    page = open_page(server, bypass_csp=True)
    held = []
    page.route("**/true.*.flac", lambda route: held.append(route))
    page.click("#songs button:has-text('stereo')")
    page.wait_for_selector(READY)
    assert "stereo" in page.text_content("#songs [aria-current=true]")
    for digit in range(1, 5):  # all stems muted: only the original can be heard
        page.keyboard.press(f"Digit{digit}")
    page.click("#listen button:has-text('True stems')")
    page.click("#play")
    page.click("#listen button:has-text('Original')")
    page.wait_for_selector("#listen button:has-text('Original')[aria-pressed=true]")
    for route in held:
        route.continue_()
    page.wait_for_selector("button[aria-label=Pause]")
    record(page)
    page.wait_for_timeout(300)
    assert page.get_attribute("#listen button:has-text('Original')", "aria-pressed") == "true"
    assert len(held) == len(SOURCES)
    assert np.abs(recorded(page)).max() > 0.05


def test_cancel_stops_the_job(open_page, server):
    page = open_page(f"{server}#rubbish")
    page.wait_for_selector("#problem:has-text('This address names no song')")
    deleted = []
    page.on("request", lambda r: deleted.append(r.url) if r.method == "DELETE" else None)
    # It stays in the queue until it is cancelled.
    waiting = {"state": "queued", "position": 2, "stage": None, "progress": 0, "result": None}
    page.route("**/api/jobs/*", lambda r: r.fulfill(json=waiting))
    page.click("#songs button:has-text('mono')")
    page.wait_for_selector("#job-text:has-text('Waiting (2 songs ahead): mono')")
    page.click("#job-cancel")
    assert page.locator("#job").is_hidden()
    assert len(deleted) == 1
    assert page.inner_text("#problem") == ""


def test_song_stays_on_the_device_though_there_is_a_server(open_page, server, songs):
    page = open_page(server)
    sent = []
    page.on("request", lambda request: sent.append(request.method))
    page.get_by_role("radio", name="On this device").check()
    assert "sends it nowhere" in page.inner_text("#promise")
    page.set_input_files("#file", songs / "Mixtures/Test/mono/mixture.wav")
    page.wait_for_selector(READY)
    assert page.inner_text("#remove") == "Remove this song from this device"
    page.click("#more-go")  # the other model
    page.wait_for_selector("#listen button:has-text('model_hh_fft_1024')[aria-pressed=true]")
    assert page.locator("#more-models").is_hidden()
    assert set(sent) == {"GET"}
    page.reload()
    page.wait_for_selector(READY)
    assert page.locator("#listen button").count() == 3


def test_exported_site_opened_as_a_file_says_what_to_do(browser, exported):
    with browser.new_context() as context:
        page = context.new_page()
        page.goto((exported / "index.html").as_uri())
        assert "Run python -m http.server in its folder" in page.inner_text("main")
        assert page.locator("#intake, #studio, #help-open").locator("visible=true").count() == 0


def test_exported_site(open_page, songs, exported_url):
    page = open_page(exported_url, first=True, service_workers="block")
    page.wait_for_selector(READY)  # the first song is open
    for id in ("opened-as-file", "remove", "more-models"):
        assert page.locator(f"#{id}").is_hidden()
    first = page.locator("#songs [aria-current=true]").text_content()
    page.route("**/stereo/result.json", lambda r: r.fulfill(status=404), times=1)
    choose(page, "stereo")
    page.wait_for_selector("#problem:has-text('There is no such song here')")
    assert page.locator("#songs [aria-current=true]").text_content() == first
    choose(page, "stereo")
    page.wait_for_selector("#song-title:has-text('stereo')")
    page.wait_for_selector(READY)
    page.click("#listen button:has-text('True stems')")
    page.keyboard.press("Space")
    page.wait_for_function("() => document.querySelector('#now').textContent > '0:00.1'")
    assert np.abs(rendered(page) - truth(songs, "stereo")).max() <= 2.6 * STEP
