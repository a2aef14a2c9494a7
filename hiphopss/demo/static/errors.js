// Errors that are meant for visitors.

/** An error whose message can be shown as it is worded; any other one is a fault of the page. */
export class PageError extends Error {}

/** Told where a part of the page, which is loaded when it is needed, does not arrive. */
export const PART_LOST =
  "A part of this page can't be loaded: check the connection, and try again.";
