// What can be separated live: a file as it plays, the microphone, another tab.

import { LiveError, refusal } from "./errors.js";

/**
 * Something that sounds.
 * @typedef {object} LiveInput
 * @property {string} name
 * @property {?HTMLAudioElement} element  What plays it, for the visitor to start and stop.
 * @property {(context: AudioContext) => AudioNode} connect
 * @property {() => void} close
 * @property {Promise<string>} ended  Settled with a sentence when it ends without being closed.
 */

const AS_IT_IS = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
const OTHER_RATE =
  "This browser can't bring this sound to the 44,100 samples a second that the model needs: " +
  "use Chrome or Edge, or set the sound card to 44,100 Hz.";
const NO_TABS =
  "This browser can't share the sound of another tab: Chrome and Edge on a computer can.";
const SILENT_TAB =
  "No sound was shared: choose a tab, and switch on “Also share tab audio” there.";

/** A file, as it plays. @param {File} file @returns {Promise<LiveInput>} */
export async function fileInput(file) {
  const url = URL.createObjectURL(file);
  const element = new Audio(url);
  element.controls = true;
  const close = () => {
    element.pause();
    element.removeAttribute("src");
    element.load(); // so that the browser forgets the file
    URL.revokeObjectURL(url);
  };
  try {
    await new Promise((resolve, reject) => {
      element.addEventListener("canplay", resolve, { once: true });
      element.addEventListener("error", reject, { once: true });
    });
  } catch {
    close();
    throw new LiveError(`${file.name} can't be played: choose a song as MP3, M4A, OGG, FLAC, WAV.`);
  }
  const ended = new Promise((resolve) => {
    element.addEventListener("error", () => {
      if (element.hasAttribute("src")) resolve(`${file.name} can't be played to its end.`);
    });
  });
  const connect = (context) => new MediaElementAudioSourceNode(context, { mediaElement: element });
  return { name: file.name, element, connect, close, ended };
}

/** The microphone. @returns {Promise<LiveInput>} */
export async function microphoneInput() {
  const audio = { ...AS_IT_IS, channelCount: { ideal: 2 } };
  try {
    const stream = await navigator.mediaDevices.getUserMedia({ audio });
    return streamInput("the microphone", stream, "The microphone was taken away.");
  } catch (error) {
    throw refusal(error, "the microphone");
  }
}

/** Another tab, which the visitor chooses; it is heard here only. @returns {Promise<LiveInput>} */
export async function tabInput() {
  const { mediaDevices } = navigator;
  // Browsers that know this can share a tab's sound, and the others share its picture only.
  if (!mediaDevices.getSupportedConstraints().suppressLocalAudioPlayback)
    throw new LiveError(NO_TABS);
  const audio = { ...AS_IT_IS, suppressLocalAudioPlayback: true };
  let stream;
  try {
    // Without a picture, no browser shares anything.
    const wish = { audio, video: true, selfBrowserSurface: "exclude" };
    stream = await mediaDevices.getDisplayMedia(wish);
  } catch (error) {
    throw refusal(error, "another tab");
  }
  for (const track of stream.getVideoTracks()) track.stop();
  if (stream.getAudioTracks().length === 0) throw new LiveError(SILENT_TAB);
  return streamInput("another tab", stream, "The tab is not shared any more.");
}

function streamInput(name, stream, gone) {
  const tracks = stream.getTracks();
  const ended = new Promise((resolve) => {
    for (const track of stream.getAudioTracks())
      track.addEventListener("ended", () => resolve(gone));
  });
  const connect = (context) => {
    try {
      return new MediaStreamAudioSourceNode(context, { mediaStream: stream });
    } catch (error) {
      throw error.name === "NotSupportedError" ? new LiveError(OTHER_RATE) : error;
    }
  };
  const close = () => tracks.forEach((track) => track.stop());
  return { name, element: null, connect, close, ended };
}
