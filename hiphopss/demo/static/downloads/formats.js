// What downloads can be saved as. What was chosen last is remembered in the browser.

const KEY = "hiphopss-download-as";

/** Formats by the ending of a file's name. */
export const FORMATS = {
  wav: { name: "WAV", hint: "WAV is exact, and opens everywhere; its files are large." },
  mp3: { name: "MP3", hint: "MP3 files are small, and can hardly be told from the WAV by ear." },
  flac: {
    name: "FLAC",
    hint: "FLAC is exact, and half as large as WAV. The mix is saved as WAV.",
  },
};

// MP3 has more, down to 8 kHz, but not all players read those.
const MP3_RATES = [16_000, 22_050, 24_000, 32_000, 44_100, 48_000];

/** What can be made where nothing is stored as FLAC. */
const USUAL = "wav";

/**
 * Which formats there are for a song.
 * @param {string} stored  The ending of its files.
 * @param {boolean} hasMp3  Whether the page has what MP3 needs.
 * @returns {string[]}
 */
export function offeredFormats(stored, hasMp3) {
  return ["wav", ...(hasMp3 ? ["mp3"] : []), ...(stored === "flac" ? ["flac"] : [])];
}

/** The format of this choice that was chosen last. @param {string[]} offered @returns {string} */
export function chosenFormat(offered) {
  let last = null;
  try {
    last = localStorage.getItem(KEY);
  } catch {
    // some browsers refuse it
  }
  return offered.includes(last) ? last : USUAL;
}

/** Remember a choice. @param {string} format */
export function rememberFormat(format) {
  try {
    localStorage.setItem(KEY, format);
  } catch {
    // then it is for this visit only
  }
}

/**
 * The sampling rate of an MP3 file: the song's own, or one that holds all of it, as far as there is
 * one.
 * @param {number} rate  In Hz.
 * @returns {number}
 */
export function mp3Rate(rate) {
  if (rate > 48_000) return rate % 44_100 ? 48_000 : 44_100;
  const multiple = MP3_RATES.find((known) => known % rate === 0);
  return multiple ?? MP3_RATES.find((known) => known > rate);
}

/**
 * What to know of a format.
 * @param {string} format
 * @param {number} rate  Of the song, in Hz.
 * @returns {string}
 */
export function formatHint(format, rate) {
  const { hint } = FORMATS[format];
  const made = mp3Rate(rate);
  if (format !== "mp3" || made === rate) return hint;
  const kHz = `${rate / 1000} kHz`;
  const why = made < rate ? `MP3 has no ${kHz}` : `not all players read MP3 of ${kHz}`;
  return `${hint} They have ${made / 1000} kHz, as ${why}.`;
}

/**
 * The name of a file of a song, with nothing in it that some system refuses; the server makes those
 * in its archives by the same rule (`_file_name` of hiphopss/demo/results.py).
 * @param {string} title
 * @param {string} what  Of the song.
 * @param {string} ending
 */
export function fileName(title, what, ending) {
  return `${title} - ${what}`.replace(/[\\/:*?"<>|\p{Cc}]|^\./gu, "_") + `.${ending}`;
}
