// Every key of the page.

import { button, el } from "./dom.js";

const KEYS = [
  ["i", "Inbox"],
  ["s", "Sent"],
  ["c", "Contacts"],
  ["m", "This machine"],
  ["n", "New task"],
  ["j, k", "The next thread, the one before"],
  ["Esc", "Back to the threads"],
  ["Enter", "In a question: Deny, which has the focus"],
  ["o, a, s", "In a question: allow once, always, in this run"],
  ["r", "In a question: ask no more in this run, and review its changes"],
  ["d, x", "In a question: deny, deny and stop the run"],
  ["y, n", "Under changes: apply, discard"],
];

/** Show the keys until they are closed. */
export function help() {
  const dialog = el(
    "dialog",
    { "aria-label": "Keys", onclose: () => dialog.remove() },
    el("h2", {}, "Keys"),
    el("dl", { class: "facts" }, KEYS.map(([key, words]) => [el("dt", {}, el("kbd", {}, key)), el("dd", {}, words)])),
    el("div", { class: "answers" }, button("Close", () => dialog.close(), { class: "yes" })),
  );
  document.body.append(dialog);
  dialog.showModal();
}
