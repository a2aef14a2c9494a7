"""How fast the page separates a song on the visitor's device, and how much memory that takes.

    python tests/bench/page.py                    # two minutes on two processors
    python tests/bench/page.py --minutes 10       # another length of the song for speed

The page's engine runs in headless Chromium, and in Firefox where there is one, from files that a
plain server sends: in workers, as many as there are processors. Starting the workers and loading
the weights count; reading and writing audio files doesn't. The song is noise in stereo; with loops,
it is a bar of drums, bass and chords that comes back all the time, so that every place has as many
copies as are used, and a voice. Memory is the peak of the process that has the page and its
workers, as the system counts it, with the song as floating-point numbers in it; and that of a page
that plays a song of the server, from opening it to saving its mix.
"""

import json
import os
import re
import shutil
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import soundfile
from figures import Figure, main
from process import RATE, WITH, noise

sys.path.append(str(Path(__file__).parents[1]))

from helpers.demo_page import ARGUMENTS, CHROMIUM, READY
from helpers.engine_site import engine_site
from helpers.firefox import FIREFOX, Firefox
from helpers.looped_song import BEAT, looped_song
from helpers.static_site import serving

from hiphopss import SOURCES
from hiphopss.demo.service import static_files

JOB = """
import { separateSong } from "./engine/client.js";
const songOf = async (name, rate) => {
  const read = new Int16Array(await (await fetch(name)).arrayBuffer());
  const channel = (c) => Float32Array.from({ length: read.length / 2 }, (_, n) =>
    read[2 * n + c] / 32768);
  return { channels: [0, 1].map(channel), sampleRate: rate };
};
self.onmessage = async ({ data: { seconds, rate, loops } }) => {
  const song = await songOf(`${seconds}-${loops}`, rate);
  const begin = performance.now();
  let written = 0;
  const write = async (stems) => { written += stems.vocals[0].length; };
  const { loop } = await separateSong(song, { weights: "weights.bin", loops, write });
  const taken = (performance.now() - begin) / 1000;
  self.postMessage({ taken, loop: loop ?? null, whole: written === rate * seconds });
};
"""
RUN = """async (task) => {
  const tasks = [0];
  const begin = performance.now();
  // Where a page can't observe long tasks, a clock that should tick tells of them.
  let last = begin;
  const clock = setInterval(() => {
    tasks.push(performance.now() - last - 10);
    last = performance.now();
  }, 10);
  const worker = new Worker("job.js", { type: "module" });
  const done = await new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => resolve(data);
    worker.onerror = ({ message }) => reject(new Error(message));
    worker.postMessage(task);
  });
  clearInterval(clock);
  worker.terminate();
  return { ...done, longest: Math.max(...tasks) };
}"""


def measure(minutes=4.0, longest=10.0):
    """The figures, as they come."""
    with tempfile.TemporaryDirectory() as folder, engine_site(Path(folder)) as url:
        (Path(folder) / "job.js").write_text(JOB)
        for loops in ("off", "auto"):
            write_song(Path(folder), minutes, loops)
            write_song(Path(folder), longest, loops)
        for loops in ("off", "auto"):
            with chromium() as (page, used):
                page.goto(url)
                found = page.evaluate(RUN, task(minutes, loops))
                yield speed("Chromium", found, minutes, loops, used()[0])
            with chromium() as (page, used):
                page.goto(url)
                page.evaluate(RUN, task(longest, loops))
                yield memory(used()[1], longest, WITH[loops])
        if FIREFOX is not None:
            with tempfile.TemporaryDirectory() as profile, Firefox(Path(profile)) as firefox:
                for loops in ("off", "auto"):
                    firefox.goto(url)
                    found = firefox.evaluate(RUN, task(minutes, loops))
                    yield speed("Firefox", found, minutes, loops)
    with tempfile.TemporaryDirectory() as folder:
        write_site(Path(folder), longest)
        with serving(folder) as url, chromium() as (page, used):
            play(page, url)
            yield memory(used()[1], longest, ", played and mixed")


def task(minutes, loops):
    """What the page's worker is told."""
    return {"seconds": round(60 * minutes), "rate": RATE, "loops": loops}


def write_song(folder, minutes, loops):
    """A song in stereo of 16 bit: noise, or loops under a voice if ``loops`` is "auto"."""
    n = RATE * round(60 * minutes)
    if loops == "off":
        song = noise(n, seed=1)
    else:
        mixture = looped_song(n // (4 * BEAT) + 1)[0][:n]
        song = np.int16(32000 * np.stack([mixture, 0.8 * mixture], axis=1)) + noise(n) // 50
    (folder / f"{round(60 * minutes)}-{loops}").write_bytes(song.tobytes())


@contextmanager
def chromium():
    """A page in a new Chromium, and what tells how much its process has used."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = browser.new_page()
        page.set_default_timeout(600_000)

        def used():
            session = browser.new_browser_cdp_session()
            processes = session.send("SystemInfo.getProcessInfo")["processInfo"]
            pages = [one["id"] for one in processes if one["type"] == "renderer"]
            return max(used_by(page) for page in pages)

        yield page, used
        browser.close()


def write_site(folder, minutes):
    """The demo's page with one song in stereo of 16 bit, of noise, in two versions."""
    for name, path in static_files().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, folder / name)
    n = RATE * round(60 * minutes)
    peaks = {"samples_per_peak": n // 2 + 1, "min": [-0.5] * 2, "max": [0.5] * 2}
    (folder / "peaks.json").write_text(json.dumps(peaks))

    def track(name, song):
        soundfile.write(folder / f"{name}.flac", song, RATE, subtype="PCM_16")
        return {"audio": f"{name}.flac", "peaks": "peaks.json", "spectrogram": "icon.svg"}

    versions = []
    for number, (id, name) in enumerate([("model", "Stems"), ("true", "True stems")]):
        stems = {
            source: track(f"{id}.{source}", noise(n, seed=4 * number + k) // 8)
            for k, source in enumerate(SOURCES)
        }
        versions.append({"id": id, "name": name, "kind": id, "zip": "", "stems": stems})
    song = {"id": "song", "title": "Song", "seconds": n / RATE, "style": "", "true_stems": True}
    result = {"sample_rate": RATE, "channels": 2, "n_samples": n, "versions": versions}
    result |= {"original": track("original", noise(n, seed=9) // 2)}
    (folder / "result.json").write_text(json.dumps(song | result))
    site = {"static": True, "models": [], "songs": [song | {"result": "result.json"}]}
    site |= {"limits": {"formats": []}, "bends": False, "device": {"models": []}}
    (folder / "site.json").write_text(json.dumps(site | {"sources": SOURCES}))


def play(page, url):
    """Open a song, play it, change its versions, and save the mix meanwhile."""
    page.goto(url)
    page.wait_for_selector(READY)
    page.click("#play")
    page.wait_for_selector("button[aria-label=Pause]")
    for name in ("Original", "True stems", "Stems"):
        page.wait_for_timeout(3000)
        button = f"#listen button:has-text('{name}')"
        page.click(button)
        page.wait_for_selector(f"{button}[aria-pressed=true]")
    with page.expect_download() as download:
        page.click("#save-mix")
    download.value.path()


def used_by(process):
    """Processor seconds, and peak memory in GB, of a process."""
    folder = Path(f"/proc/{process}")
    times = (folder / "stat").read_text("utf-8").rpartition(")")[2].split()[11:13]
    (peak,) = re.findall(r"^VmHWM:\s*(\d+) kB$", (folder / "status").read_text("utf-8"), re.M)
    return sum(map(int, times)) / os.sysconf("SC_CLK_TCK"), int(peak) * 1024 / 1e9


def speed(browser, found, minutes, loops, processor=None):
    """How many times as fast as real time."""
    if not found["whole"] or (found["loop"] is None) != (loops == "off"):
        raise SystemExit(f"loops {loops}: {found}")
    return Figure(
        f"page in {browser}, {minutes:g} minutes{WITH[loops]}",
        f"separation in the page, {minutes:g} minutes of stereo{WITH[loops]}",
        "real time",
        wall=60 * minutes / found["taken"],
        processor=processor and 60 * minutes / processor,
        unit="x real time",
        to_reach=10,
        note=f"{found['taken']:.1f} s; meanwhile the page waited {found['longest']:.0f} ms at most",
    )


def memory(peak, minutes, what):
    """How much memory the page and its workers take."""
    return Figure(
        f"page in Chromium, memory, {minutes:g} minutes{what}",
        f"peak memory of the page, {minutes:g} minutes of stereo{what}",
        by="",
        measured=peak,
        unit="GB",
        to_reach=1.0,
        at_most=True,
    )


if __name__ == "__main__":
    main(
        measure,
        __doc__,
        minutes=(4.0, "length of the song for speed"),
        longest=(10.0, "length of the song for memory"),
    )
