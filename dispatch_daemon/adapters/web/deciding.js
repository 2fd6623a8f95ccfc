// What a human decides about a thread, before and after it runs: accept, decline, take up, complete, cancel.

import { ask, Refusal } from "./api.js";
import { button, complaint, el, field, oneLine, visible } from "./dom.js";
import { giving } from "./giving.js";
import { handOver } from "./handing.js";
import { edgeFrom } from "./store.js";
import { isElsewhere, refused } from "./words.js";

const RUNNING = new Set(["accepted", "running", "waiting_approval", "waiting_input"]);
const OVER = new Set(["completed", "failed", "refused", "declined", "expired", "cancelled", "conflict"]);

/** Do one act on a thread; a no is said in `said`, with its next step unless `next` says that one is shown, and returned. */
async function act(thread, what, body, said, { next = () => true } = {}) {
  try {
    said.textContent = "";
    await ask("POST", `/v1/dispatches/${thread.dispatch_id}/${what}`, body);
    return null;
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    said.textContent = refused(error, { next: next(error) });
    return error;
  }
}

/** Return the decision about what was sent here and nobody has decided. */
export function decisionForm(thread) {
  if (thread.box === "sent" || thread.status !== "delivered") return el("div");
  const granted = edgeFrom(thread.from)?.scopes?.paths ?? [];
  const places = el("datalist", { id: `places-${thread.short_id}` }, granted.map((each) => el("option", { value: each.path })));
  const cwd = el("input", {
    type: "text",
    list: places.id,
    placeholder: "found when you accept",
    autocomplete: "off",
    spellcheck: false,
    data: { focus: "cwd" },
  });
  const reason = el("input", { type: "text", maxLength: 2000, autocomplete: "off", data: { focus: "reason" } });
  const said = complaint();
  const choices = el("div", { class: "choices" });
  const doubt = doubted(thread);
  const elsewhere = isElsewhere(thread) || doubt !== null;
  const accept = async () => {
    const body = { cwd: cwd.value.trim() || null, here: elsewhere };
    const error = await act(thread, "accept", body, said, { next: ({ candidates }) => candidates.length === 0 });
    if (error === null || error.candidates.length === 0) return;
    if (error.code !== "cwd_needed") {
      choices.replaceChildren(
        el("p", {}, "It still waits for you. At a terminal one of these goes on; or press “I do it by hand” here."),
        el("ul", { class: "commands" }, error.candidates.map((command) => el("li", {}, el("code", {}, oneLine(command))))),
      );
      return;
    }
    choices.replaceChildren(
      el("p", {}, "Where shall it run? What is not listed here can be written into “Run in”."),
      ...error.candidates.map((path) => button(oneLine(path), async () => {
        cwd.value = path;
        await accept();
      }, { class: "plain" })),
    );
    choices.querySelector("button")?.focus();
  };
  return el(
    "section",
    { class: "decide", "aria-label": "Your decision" },
    el("h2", {}, "Your decision"),
    elsewhere ? el("p", { class: "warn" }, doubt ?? `${oneLine(thread.owner.name)} is to run this one: accept it there. Only if that one is silent, accept it here; if both accept, it runs twice.`) : null,
    field("Run in", cwd, "The directory that it works in, as a whole path; left empty, it is looked for in what the edge grants, and you are asked if it could be several."),
    places,
    said,
    choices,
    el(
      "div",
      { class: "answers" },
      button(elsewhere ? "Run it here all the same" : "Accept and run, confined", accept, { class: "yes", data: { focus: "accept" }, disabled: thread.files_arriving }),
      button("I do it by hand", () => act(thread, "accept", { by_hand: true, here: elsewhere }, said), { class: "plain" }),
      button("Decline", () => act(thread, "decline", { reason: reason.value.trim() || null }, said), { class: "deny", data: { focus: "decline" } }),
    ),
    elsewhere ? null : giving(thread),
    el("details", {}, el("summary", {}, "Decline with a reason"), field("Reason, which its sender reads", reason)),
  );
}

/** Say that another machine may have been given it by one that has left, which nobody here would know; null where none may. */
function doubted(thread) {
  const others = (thread.owner?.perhaps ?? []).map((each) => oneLine(each.name)).join(" or ");
  if (others === "") return null;
  return `The machine that was to run it has left, and may have given it to ${others} before: accept it there if you can. If both accept, it runs twice.`;
}

/** Return what may be done about a thread that goes on, or waits to. */
export function goingOn(thread) {
  const said = complaint();
  const mine = thread.box !== "sent";
  const parts = [];
  if (mine && thread.status === "waiting_input") {
    parts.push(
      el("p", {}, "Nobody answered twice, so this run was set aside. Nothing of it was applied."),
      el(
        "div",
        { class: "answers" },
        button("Take it up again", () => act(thread, "resume", {}, said), { class: "yes" }),
        button("Throw it away", () => act(thread, "discard", { by: "page" }, said), { class: "deny" }),
      ),
    );
  }
  if (mine && thread.decision?.asks_because) parts.push(el("p", { class: "note" }, visible(thread.decision.asks_because)));
  if (mine && thread.decision?.mode === "by_hand" && RUNNING.has(thread.status)) parts.push(...completing(thread, said));
  if (RUNNING.has(thread.status) || (thread.box === "sent" && !OVER.has(thread.status))) {
    const label = mine ? "Stop this run" : thread.cancel_requested ? "A cancel was asked for" : "Cancel";
    parts.push(el("div", { class: "answers" }, button(label, () => act(thread, "cancel", {}, said), { class: "plain", disabled: !mine && thread.cancel_requested })));
  }
  return parts.length === 0 ? el("div") : el("section", { class: "on" }, parts, said);
}

function completing(thread, said) {
  const words = el("textarea", { rows: 4, maxLength: 8000, data: { focus: "words" } });
  const files = el("input", { type: "file", multiple: true });
  const chosen = el("p", { class: "note", "aria-live": "polite" });
  const complete = async () => {
    try {
      const handed = await handOver([...files.files], chosen);
      await act(thread, "complete", { text: words.value, handed }, said);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      said.textContent = refused(error);
    }
  };
  return [
    field("What came of it, which its sender reads", words),
    field("Files that belong to it", files),
    chosen,
    el("div", { class: "answers" }, button("Say so, signed", complete, { class: "yes" })),
  ];
}
