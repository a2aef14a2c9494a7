// The line that says what went wrong, or what has been done. It stays until it is closed or the
// next one comes, and at the top of the window however far the page is scrolled.

import { byId, focusFirst, icon } from "./dom.js";

/** @param {string} message  One line that says what is wrong. */
export function complain(message) {
  say(message, true);
}

/** @param {string} message  One line that says what has been done, or what to know of a song. */
export function inform(message) {
  say(message, false);
}

/** Take the message away. */
export function clearNotice() {
  say("", false);
}

function say(message, isWrong) {
  const line = byId("problem");
  line.setAttribute("role", isWrong ? "alert" : "status");
  line.classList.toggle("wrong", isWrong);
  line.textContent = message;
  byId("notice").classList.toggle("empty", !message);
}

byId("problem-close").append(icon("close"));
byId("problem-close").addEventListener("click", ({ detail }) => {
  clearNotice();
  if (detail === 0) focusFirst("choose", "change"); // by keyboard: the focus was on this button
});
