// What two people say about a task: everybody's words quoted, and a box to answer in. Words start nothing.

import { ask, Refusal } from "./api.js";
import { button, complaint, count, el, field, oneLine, visible, when } from "./dom.js";
import { person } from "./store.js";
import { refused } from "./words.js";

const STATES = { owed: "on its way", held: "arrived", lost: "not taken in within its time" };
const NOBODY_THERE = new Set(["queued", "sent", "refused"]);
const noted = new Map(); // the last message of each thread that was noted as read

/** Return what was said, oldest first. */
export function conversation(thread) {
  return el("section", { class: "said", "aria-label": "What was said" }, el("h2", {}, "Said about it"), el("ol", {}, thread.messages.map(one)));
}

function one(message) {
  const name = message.mine ? "me" : oneLine(person(message.from).name);
  const state = message.unread ? "new" : STATES[message.state] ?? "";
  const to = message.audience === "thread" ? "" : ` · to ${oneLine(message.audience)}`;
  const missing = message.missing_before;
  return el(
    "li",
    { class: message.mine ? "mine" : null },
    missing ? el("p", { class: "complaint" }, `${count(missing, "message")} before this one did not arrive`) : null,
    el("p", { class: "note" }, el("span", { class: "strong" }, name), ` · ${when(message.at)}${to}`, state ? ` · ${state}` : ""),
    el("blockquote", { class: "small" }, visible(message.text)),
  );
}

/** Return the other tasks of the same thread, each a way to it. */
export function others(thread) {
  const rest = thread.thread.filter((each) => each.dispatch_id !== thread.dispatch_id);
  return el(
    "section",
    { class: "files" },
    el("h2", {}, "In the same thread"),
    el("ul", {}, rest.map((each) => el("li", {}, el("a", { href: `#/d/${each.dispatch_id}` }, oneLine(each.task.slice(0, 120)))))),
  );
}

/** Say whether the other side has the task, so that words about it mean something there. */
export function isOpen(thread) {
  if (thread.box === "sent" && thread.presumed) return false;
  return !NOBODY_THERE.has(thread.status);
}

/** Return the box to answer in, and the way to ask for more. */
export function answering(thread) {
  const words = el("textarea", { rows: 3, maxLength: 8000, data: { focus: "reply" } });
  const said = complaint();
  // The same words sent again after a broken connection are the same message.
  let key = crypto.randomUUID();
  const write = async () => {
    said.textContent = "";
    if (!words.value.trim()) {
      words.focus();
      return;
    }
    try {
      await ask("POST", `/v1/dispatches/${thread.dispatch_id}/messages`, { text: words.value, by: "page" }, { "Idempotency-Key": key });
      words.value = "";
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      said.textContent = error.status === 0 ? `${error.message} Press again: nothing is said twice.` : refused(error);
      if (error.status === 0) return;
    }
    key = crypto.randomUUID();
  };
  const other = oneLine(person(thread.box === "sent" ? thread.to : thread.from).name);
  return el(
    "section",
    { class: "answer" },
    field(thread.box === "own" ? "A note on it" : `Write to ${other}`, words, thread.box === "own" ? null : "It starts nothing there: it is read, and they decide."),
    el("div", { class: "answers" }, button("Send these words", write, { class: "plain" }), el("a", { class: "button", href: `#/new/${thread.dispatch_id}` }, "Ask for more in this thread")),
    said,
  );
}

/** Note that what stands on the screen was read; once for each last message. */
export async function noteRead(thread) {
  const last = thread.messages?.at(-1);
  if (!thread.unread || last === undefined || document.visibilityState !== "visible") return;
  if (noted.get(thread.dispatch_id) === last.message_id) return;
  noted.set(thread.dispatch_id, last.message_id);
  try {
    await ask("POST", `/v1/dispatches/${thread.dispatch_id}/read`, { last: last.message_id });
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    noted.delete(thread.dispatch_id); // it is noted when the daemon is back
  }
}
