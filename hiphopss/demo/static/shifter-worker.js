// A worker that shifts the pitch of blocks, one after the other; `shifted` of shifter.js asks it.
//
// The library's processor is made for an audio graph, which would render a song as a whole. Here it
// finds what it expects of one: a base class with a port, where to register, the rate and a clock.

const QUANTUM = 128; // samples that a graph hands on at a time
const CHANNELS = 2;

let Processor = null; // the library's
let processor = null;
let rest = silence(0); // what came in, and does not fill a quantum yet

self.AudioWorkletProcessor = class {
  port = { postMessage: ([id, value]) => this.answered?.(id, value) };
};
self.registerProcessor = (_, registered) => (Processor = registered);
self.currentTime = 0; // it stands still, as nothing is planned for later

self.addEventListener("message", async ({ data }) => {
  try {
    if (!processor) {
      self.postMessage({ latency: await begin(data) });
      return;
    }
    const shifted = shift(data);
    self.postMessage(
      { shifted },
      shifted.map(({ buffer }) => buffer),
    );
  } catch {
    self.postMessage({ failed: true });
  }
});

// Gives by how many seconds the library holds back what it is given.
async function begin({ library, sampleRate, semitones }) {
  self.sampleRate = sampleRate;
  await import(library);
  processor = new Processor({ numberOfOutputs: 1, outputChannelCount: [CHANNELS] });
  await answer("ready");
  const ask = (...message) => {
    const answered = answer(0);
    processor.port.onmessage({ data: [0, ...message] });
    return answered;
  };
  await ask("schedule", { active: true, semitones });
  return ask("latency");
}

// What the library tells under a name or a number.
function answer(wanted) {
  return new Promise((resolve) => {
    processor.answered = (id, value) => {
      if (id === wanted) resolve(value);
    };
  });
}

function shift(block) {
  const given = block.map((samples, channel) => joined(rest[channel], samples));
  const count = given[0].length - (given[0].length % QUANTUM);
  const shifted = silence(count);
  for (let at = 0; at < count; at += QUANTUM) {
    const part = (channels) => channels.map((samples) => samples.subarray(at, at + QUANTUM));
    processor.process([part(given)], [part(shifted)], {});
  }
  rest = given.map((samples) => samples.slice(count));
  return shifted;
}

function joined(first, second) {
  const all = new Float32Array(first.length + second.length);
  all.set(first);
  all.set(second, first.length);
  return all;
}

function silence(count) {
  return Array.from({ length: CHANNELS }, () => new Float32Array(count));
}
