"""Sounds in headless Chromium: what is read and played in pieces is as the whole, on the sample."""

import base64

import numpy as np
import pytest
from helpers.demo_client import encoded
from helpers.demo_page import PACK, unpack

pytestmark = pytest.mark.browser

# Makes noise of two channels, of `length` samples on 16-bit steps, or finer ones.
NOISE = """
const { Sound, soundOf } = await import("/sound.js");
const { Course } = await import("/course.js");
const noise = (length, steps) => Array.from({ length: 2 }, (_, channel) => {
  let state = 1 + channel;
  return Float32Array.from({ length }, () => {
    state = (state * 48271) % 2147483647;
    return Math.round(steps * (state / 2147483647 - 0.5)) / steps;
  });
});
const largest = (a, b) => a.reduce((most, x, n) => Math.max(most, Math.abs(x - b[n])), 0);
"""
# How much pieces of what is heard differ from all of it, and that from where it should come from.
PIECES = f"""async () => {{ {NOISE}
  const rate = 44100;
  const all = noise(6 * rate, 32768);
  const read = async (first, count) => all.map((one) => one.slice(first, first + count));
  const sound = new Sound({{ length: 6 * rate, channels: 2, sampleRate: rate }}, read);
  const ways = {{
    song: {{ first: 50, last: 6 * rate }},
    short: {{ first: 100, last: 6 * rate, loop: {{ start: 5000, end: 7205 }} }},
    long: {{ first: 30000, last: 6 * rate, loop: {{ start: 10000, end: 100000 }} }},
    slow: {{ first: 0, last: 6 * rate, tempo: 0.7 }},
    fast: {{ first: 9, last: 6 * rate, tempo: 1.37, loop: {{ start: 0, end: 2500 }} }},
  }};
  const found = {{}};
  for (const [name, way] of Object.entries(ways)) {{
    const course = new Course(way);
    const [, whole] = await course.read(sound, 0, 200000);
    let apart = 0;
    for (let at = 0; at < 200000; at += 12347) {{
      const [, piece] = await course.read(sound, at, Math.min(12347, 200000 - at));
      apart = Math.max(apart, largest(piece, whole.subarray(at)));
    }}
    const places = Float32Array.from({{ length: 200000 }}, (_, n) => all[1][course.at(n)]);
    found[name] = [apart, way.tempo ? 0 : largest(whole, places)];
  }}
  const wave = (n) => 0.5 * Math.sin((2 * Math.PI * 5000 * n) / rate);
  const format = {{ length: 9000, channels: 1, sampleRate: rate }};
  const tone = new Sound(format, async (first, count) => [
    Float32Array.from({{ length: count }}, (_, n) => wave(first + n)),
  ]);
  for (const tempo of [0.5, 0.93, 1.5]) {{
    const [heard] = await new Course({{ first: 0, last: 9000, tempo }}).read(tone, 100, 4000);
    const exact = heard.map((_, n) => wave(tempo * (100 + n)));
    found[tempo] = [largest(heard, exact), 0];
  }}
  return found;
}}"""
# How far what two voices play, one after the other, is from the samples themselves.
VOICES = f"""async () => {{ {NOISE}
  const {{ Voice }} = await import("/voice.js");
  const {{ buildMixer, neutralMix }} = await import("/graph.js");
  const rate = 44100;
  const all = noise(6 * rate, 32768);
  const read = async (first, count) => all.map((one) => one.slice(first, first + count));
  const sound = new Sound({{ length: 6 * rate, channels: 2, sampleRate: rate }}, read);
  const found = [];
  for (const way of [
    {{ first: 1000, last: 6 * rate }},
    {{ first: 1000, last: 6 * rate, loop: {{ start: 0, end: 2205 }} }},
    {{ first: 1000, last: 6 * rate, tempo: 0.8 }},
  ]) {{
    const context = new OfflineAudioContext(2, 7 * rate, rate);
    const mixer = buildMixer(context, ["bass"], 2);
    const course = new Course(way);
    const [begin, change] = [rate / 10, 3 * rate + 17];
    const length = Math.min(course.length, 6 * rate);
    // The second one begins where the first one is, in the same course.
    const passed = change - begin;
    const read = (sound, n, count) => course.read(sound, passed + n, count);
    const later = {{ length: course.length - passed, read }};
    const voices = [course, later].map(
      (one) => new Voice(context, mixer, {{ bass: sound }}, one, 0.015),
    );
    await Promise.all(voices.map((voice) => voice.prepare()));
    await voices[0].start(begin / rate);
    await voices[1].start(change / rate);
    voices[0].stop(change / rate);
    const rendered = await context.startRendering();
    const heard = rendered.getChannelData(1).subarray(begin, begin + length);
    const [, exact] = await course.read(sound, 0, length);
    const fade = Math.round(0.015 * rate);
    for (let n = 0; n < fade; n++) exact[n] *= n / fade;
    found.push(largest(heard, exact));
  }}
  return found;
}}"""
# What is read of a file, in two parts; and whether it is decoded as a whole.
READ = f"""async ([text, whole]) => {{ {PACK} {NOISE}
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  if (whole) bytes[8] >>= 1; // frames of several lengths
  let longest = 0;
  const decode = OfflineAudioContext.prototype.decodeAudioData;
  OfflineAudioContext.prototype.decodeAudioData = async function (data) {{
    const audio = await decode.call(this, data);
    longest = Math.max(longest, audio.length);
    return audio;
  }};
  const sound = await soundOf(new Blob([bytes]), 44100);
  const parts = [await sound.read(0, 150001), await sound.read(150001, sound.length - 150001)];
  OfflineAudioContext.prototype.decodeAudioData = decode;
  return [longest, ...[0, 1].flatMap((channel) => parts.map((part) => pack(part[channel])))];
}}"""


def test_pieces_are_as_the_whole(open_page, exported_url):
    page = open_page(exported_url)
    for way, (apart, wrong) in page.evaluate(PIECES).items():
        assert wrong == 0, way
        if way[0].isdigit():
            assert apart < 1e-3, way  # the filter's weights are on straight lines
        else:
            assert apart == 0, way
    # A sum of two parts of a sample is rounded, to 2^-24 of it.
    assert max(page.evaluate(VOICES)) < 1e-6
    for bits in (16, 24):
        step = 2.0 ** (1 - bits)
        samples = (
            np.round(np.random.default_rng(bits).uniform(-1, 0.99, (300_000, 2)) / step) * step
        )
        content = encoded(samples, subtype=f"PCM_{bits}", kind="FLAC")
        for whole in (False, True):
            longest, *read = page.evaluate(READ, [base64.b64encode(content).decode(), whole])
            assert (longest == len(samples)) == whole
            read = np.concatenate([unpack(text) for text in read]).reshape(2, -1).T
            # What is decoded as a whole is as browsers do that, with 32767 as full scale.
            assert np.abs(read - samples).max() <= (1 / 32767 if whole and bits == 16 else 0)
