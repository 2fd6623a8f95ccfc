// A question, alone in its frame: the whole call, what each answer would mean from now on, and Deny in focus.
//
// A yes is given only to what was there to be read: it cannot be pressed in the first moment after a question has
// appeared, nor before the end of a long call was reached.

import { ask, Refusal } from "./api.js";
import { artifact } from "./artifact.js";
import { diffs } from "./diff.js";
import { button, clock, count, el, left, oneLine, size, visible } from "./dom.js";
import { person, state } from "./store.js";
import { answered, by, change, flag, refused, reviewed, title } from "./words.js";

const ARMED_MS = 700;
const ASKED = "pre:not(.preview pre)"; // what is asked about, not what somebody has chosen to look at besides
const OFFER_AFTER = 3;
const ORDER = ["file_path", "command", "old_string", "new_string"]; // read in this order, whatever else there is

/** Return one open question of a thread, ready to be answered. */
export function question(approval, thread) {
  const isCall = approval.kind === "tool";
  const said = el("p", { class: "complaint", role: "alert" });
  const choices = isCall ? callChoices(approval, thread) : closingChoices(approval);
  const buttons = choices.map((choice) => choiceButton(choice, approval, thread, said));
  const isHidden = approval.on !== null && approval.payload === null;
  const shown = isHidden
    ? el("p", { class: "flag" }, `It shows more than is told to this device: look at it on ${oneLine(approval.on)}.`)
    : isCall ? call(approval) : changes(approval);
  const asker = person(approval.from);
  const frame = el(
    "section",
    { class: "question", "aria-label": `Question: ${oneLine(approval.title)}`, data: { request: approval.request_id } },
    el(
      "header",
      {},
      el("h3", {}, isCall ? title(approval.tool, approval.input) : oneLine(approval.title)),
      el("p", { class: "note" }, `${oneLine(asker.name)}${asker.trust ? ` (${asker.trust})` : ""} asks. ${approval.description ? `It ${visible(approval.description)}.` : ""}`),
    ),
    approval.flags.map((word) => el("p", { class: "flag" }, `! ${flag(word)}`)),
    shown,
    isCall ? meanings(approval) : null,
    el("div", { class: "answers" }, buttons, el("span", { class: "left" }, standing(approval, thread))),
    said,
  );
  frame.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, textarea")) return;
    const wanted = buttons.find((node) => node.dataset.key === event.key.toLowerCase());
    if (wanted === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    wanted.click();
  });
  arm(frame, buttons);
  return frame;
}

/** Keep every yes back until it can mean something: a moment has passed, and each long part was seen to its end. */
function arm(frame, buttons) {
  const yes = buttons.filter((node) => node.dataset.yes === "1");
  const note = el("p", { class: "note", hidden: true }, "There is more to read above before this can be allowed.");
  frame.querySelector(".answers").before(note);
  let early = true;
  const update = () => {
    const unread = [...frame.querySelectorAll(ASKED)].some(
      (pre) => pre.dataset.seen !== "1" && pre.scrollHeight > pre.clientHeight + 4,
    );
    note.hidden = !unread;
    for (const node of yes) node.disabled = early || unread;
  };
  for (const pre of frame.querySelectorAll(ASKED)) {
    pre.addEventListener("scroll", () => {
      if (pre.scrollTop + pre.clientHeight >= pre.scrollHeight - 4) pre.dataset.seen = "1";
      update();
    });
  }
  for (const node of yes) node.disabled = true;
  setTimeout(() => {
    early = false;
    update();
  }, ARMED_MS);
}

function callChoices(approval, thread) {
  const given = new Set(approval.grants);
  const detail = (grant) => approval.grant_details.find((each) => each.grant === grant);
  const bound = detail("always")?.path ? `${approval.tool} in ${oneLine(detail("always").path)}` : approval.tool === "Bash" ? "this command" : approval.tool;
  const every = [
    { key: "o", label: "Allow once", decision: "approve", grant: "once" },
    { key: "a", label: `Always, for ${bound}`, decision: "approve", grant: "always" },
    { key: "s", label: "In this run", decision: "approve", grant: "session" },
  ].filter((choice) => given.has(choice.grant));
  const many = (thread?.questions?.answered ?? 0) >= OFFER_AFTER;
  const label = thread?.runs?.at(-1)?.scopes?.mcp_servers?.length ? "Ask no more inside the wall: I review the changes" : "Ask no more: I review the changes";
  if (approval.can_review && many) every.push({ key: "r", label, review: true });
  return [...every, { key: "x", label: "Deny and stop", decision: "deny", stop: true }, { key: "d", label: "Deny", decision: "deny", safe: true }];
}

function closingChoices(approval) {
  const apply = approval.input?.length ? "Apply" : "Return it";
  return [
    { key: "y", label: apply, decision: "approve", grant: "once" },
    { key: "n", label: "Discard", decision: "deny", safe: true },
  ];
}

function choiceButton(choice, approval, thread, said) {
  const node = button([choice.label, el("kbd", {}, choice.key)], () => answer(choice, approval, said, thread), {
    class: choice.safe ? "deny" : choice.decision === "deny" ? "plain" : "yes",
    data: { key: choice.key, yes: choice.decision === "approve" || choice.review ? "1" : "0", focus: choice.safe ? "deny" : choice.key },
  });
  return node;
}

async function answer(choice, approval, said, thread) {
  try {
    if (choice.review) {
      await ask("POST", `/v1/dispatches/${approval.dispatch_id}/review`, { by: "page" });
      said.textContent = reviewed(thread?.runs?.at(-1)?.scopes?.mcp_servers ?? []);
      return;
    }
    const applied = await ask("POST", `/v1/approvals/${approval.request_id}`, {
      decision: choice.decision,
      grant: choice.decision === "approve" ? choice.grant : null,
      stop: choice.stop === true,
      by: "page",
    });
    said.textContent = applied.status === "told"
      ? `Signed, and told to ${oneLine(applied.on)}: it counts once it is applied there.`
      : `Applied: ${outcome(applied)}`;
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    said.textContent = error.applied ? `Not taken: ${outcome(error.applied)}` : refused(error);
  }
}

/** Return what is applied to a question, through which face or on which other device, and when. */
export function outcome(applied) {
  return `${answered(applied.status, applied.grant)}${by(applied)}${applied.decided_at ? ` at ${clock(applied.decided_at)}` : ""}.`;
}

/** Return what becomes of a question that nobody answers: no call is made, and none is thrown away at once. */
function silence(approval) {
  return approval.kind === "tool" ? "unanswered, it is asked once more, and then the run is parked" : "unanswered, it counts as a no";
}

/** Return how the questions of a run stand, and how long there is time. */
export function standing(approval, thread) {
  const asked = thread?.questions ?? { answered: 0, unanswered: 0, open: 1 };
  const parts = [];
  if (asked.answered) parts.push(`${asked.answered} answered`);
  if (asked.unanswered) parts.push(`${asked.unanswered} unanswered`);
  if (parts.length || asked.open > 1) parts.push(`${asked.open} open`);
  if (approval.expires_at) parts.push(`${left(approval.expires_at)} left; ${silence(approval)}`);
  return parts.join(", ");
}

/** Return the whole input of a call: every field, every character, nothing cut. */
export function verbatim(tool, input) {
  const place = (name) => ORDER.indexOf(name) + 1 || ORDER.length + 1;
  return Object.entries(input ?? {}).sort(([one], [other]) => place(one) - place(other)).map(([name, value]) => {
    const text = typeof value === "string" ? value : JSON.stringify(value, null, 1);
    const tone = (tool === "Write" && name === "content") || (tool === "Edit" && name === "new_string") ? "added"
      : tool === "Edit" && name === "old_string" ? "removed" : "";
    return el("div", { class: "part" }, el("span", { class: "name" }, visible(name)), el("pre", { class: tone, tabIndex: 0, "aria-label": visible(name) }, visible(text)));
  });
}

function call(approval) {
  return el("div", { class: "verbatim" }, verbatim(approval.tool, approval.input));
}

function meanings(approval) {
  const lasting = approval.grant_details.filter((each) => each.grant !== "once");
  return el("dl", { class: "meanings" }, lasting.map((each) => [
    el("dt", {}, each.grant === "always" ? "Always" : "In this run"),
    el("dd", {}, visible(each.meaning)),
  ]));
}

function changes(approval) {
  const payload = approval.payload ?? {};
  const all = approval.input ?? [];
  const leaves = payload.returns === undefined || payload.returns === "result" || payload.returns === "trace";
  const where = leaves ? "that would leave this machine" : "that would stay on this machine";
  return el(
    "div",
    { class: "closing" },
    el("p", { class: "strong" }, all.length ? `${count(all.length, "path")} would change:` : "No file would change."),
    el("ul", { class: "changes" }, all.map((each) => el("li", {}, change(each), each.flags.map((word) => el("span", { class: "flag" }, ` ! ${flag(word)}`))))),
    payload.left_behind?.length
      ? el("details", {}, el("summary", {}, `${count(payload.left_behind.length, "path")} would stay behind`), el("ul", {}, payload.left_behind.map((each) => el("li", {}, `${oneLine(each.path)}: ${visible(each.detail ?? each.reason)}`))))
      : null,
    payload.result ? [el("p", { class: "strong" }, `The answer ${where}:`), el("blockquote", {}, visible(payload.result))] : null,
    payload.artifacts?.length ? [el("p", { class: "strong" }, `Files ${where}:`), el("ul", {}, payload.artifacts.map((each) => file(each, approval)))] : null,
    payload.returns === "trace" ? el("p", {}, "Every call, and what came of it, would leave too.") : null,
    diffs(payload.diffs ?? []),
  );
}

/** Return a file of a closing question, to be looked at where it lies. */
function file(each, approval) {
  if (approval.on !== null) return el("li", {}, `${oneLine(each.name)}, ${size(each.size_bytes)}`);
  return artifact({ ...each, download_url: null }, { dispatch_id: approval.dispatch_id, files_arriving: false });
}

/** Put the focus on Deny, unless this person is in the middle of something. */
export function focusOnDeny(frame) {
  const active = document.activeElement;
  const busy = active !== null && active !== document.body && !active.closest(".question") && active.matches("input, textarea, select, button, summary");
  if (!busy && state.connection === "connected") {
    // What is asked comes before the answers: the frame is brought to sight from its first line on.
    frame.scrollIntoView({ block: "nearest" });
    if (frame.getBoundingClientRect().top < 0) frame.scrollIntoView({ block: "start" });
    frame.querySelector('[data-focus="deny"]')?.focus({ preventScroll: true });
  }
}
