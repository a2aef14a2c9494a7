// STAND-IN until the engine is there: splits a song into four by equal shares.
export async function separateSong(song, { told, write }) {
  const n = song.channels[0].length;
  for (let at = 0; at < n; at += 44100) {
    const block = song.channels.map((x) => x.subarray(at, at + 44100));
    const share = () => block.map((x) => x.map((v) => v / 4));
    await write({ vocals: share(), bass: share(), drums: share(), other: share() });
    told("separating", at / n);
  }
  return { loop: null };
}
