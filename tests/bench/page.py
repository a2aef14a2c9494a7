"""How fast the page separates a song on the visitor's device, and how much memory that takes.

    python tests/bench/page.py                    # two minutes on two processors
    python tests/bench/page.py --minutes 10       # another length of the song for speed

The page's engine runs in headless Chromium, and in Firefox where there is one, from files that a
plain server sends: in workers, as many as there are processors. Starting the workers and loading
the weights count; reading and writing audio files doesn't. The song is noise in stereo; with loops,
it is a bar of drums, bass and chords that comes back all the time, so that every place has as many
copies as are used, and a voice. Memory is the peak of the process that has the page and its
workers, as the system counts it, with the song as floating-point numbers in it.
"""

import os
import re
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from figures import Figure, main
from process import RATE, WITH, noise

sys.path.append(str(Path(__file__).parents[1]))

from helpers.demo_page import ARGUMENTS, CHROMIUM
from helpers.engine_site import engine_site
from helpers.firefox import FIREFOX, Firefox
from helpers.looped_song import BEAT, looped_song

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
            with chromium() as (run, used):
                found = run(url, task(minutes, loops))
                yield speed("Chromium", found, minutes, loops, used()[0])
            with chromium() as (run, used):
                run(url, task(longest, loops))
                yield memory(used()[1], longest, loops)
        if FIREFOX is not None:
            with tempfile.TemporaryDirectory() as profile, Firefox(Path(profile)) as firefox:
                for loops in ("off", "auto"):
                    firefox.goto(url)
                    found = firefox.evaluate(RUN, task(minutes, loops))
                    yield speed("Firefox", found, minutes, loops)


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
    """What runs a separation in a new Chromium, and tells what the page's process has used."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = browser.new_page()
        page.set_default_timeout(600_000)

        def run(url, told):
            page.goto(url)
            return page.evaluate(RUN, told)

        def used():
            session = browser.new_browser_cdp_session()
            processes = session.send("SystemInfo.getProcessInfo")["processInfo"]
            pages = [one["id"] for one in processes if one["type"] == "renderer"]
            return max(used_by(page) for page in pages)

        yield run, used
        browser.close()


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


def memory(peak, minutes, loops):
    """How much memory the page and its workers take."""
    return Figure(
        f"page in Chromium, memory, {minutes:g} minutes{WITH[loops]}",
        f"peak memory of the page, {minutes:g} minutes of stereo{WITH[loops]}",
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
