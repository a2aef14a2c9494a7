// Errors that are meant for visitors.

/** An error whose message can be shown as it is worded; any other one is a fault of the page. */
export class PageError extends Error {}
