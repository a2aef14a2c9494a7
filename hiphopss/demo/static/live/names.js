// What the page and the audio's thread must call alike.

/** The processor's name. */
export const LIVE_PROCESSOR = "hiphopss-live";

/** Number of samples that browsers process together. */
export const QUANTUM = 128;
