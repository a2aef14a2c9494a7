// The samples of tracks, block by block.

import { readBytes } from "../api.js";
import { fileAt } from "../device/library.js";
import { readSamples, readWav } from "../device/wav-file.js";

const BLOCK = 1 << 16; // samples

/**
 * The samples of a track, as they are stored.
 * @param {import("../api.js").Track} track
 * @param {number} rate  Of the song, in Hz.
 * @yields {Float32Array[]}  By channel; no one else uses them.
 */
export async function* trackBlocks({ audio }, rate) {
  const file = fileAt(audio);
  if (file) {
    const wav = await readWav(file);
    for (let at = 0; at < wav.nSamples; at += BLOCK) yield readSamples(file, wav, at, BLOCK);
    return;
  }
  // A context of the song's own rate decodes without resampling.
  const decoder = new OfflineAudioContext(1, 1, rate);
  yield* pieces(await decoder.decodeAudioData(await readBytes(audio)));
}

function* pieces(audio) {
  for (let at = 0; at < audio.length; at += BLOCK) {
    yield Array.from({ length: audio.numberOfChannels }, (_, channel) =>
      audio.getChannelData(channel).slice(at, at + BLOCK),
    );
  }
}
