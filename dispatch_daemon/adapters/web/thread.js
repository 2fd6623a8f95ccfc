// One thread, read downwards: the task as written, who signed it, what it may do, what happened, what is to be decided.

import { ask, Refusal } from "./api.js";
import { decisionForm, goingOn } from "./deciding.js";
import { artifact } from "./artifact.js";
import { diffs } from "./diff.js";
import { button, clock, count, el, oneLine, reconcile, size, visible, when } from "./dom.js";
import { focusOnDeny, question, standing as asked, verbatim } from "./question.js";
import { answering, conversation, isOpen, noteRead, others } from "./said.js";
import { edgeFrom, load, person, questions, state } from "./store.js";
import { trace } from "./trace.js";
import { undoing } from "./undoing.js";
import { budget, change, flag, refused, sentence, standing, used } from "./words.js";

/** Show a thread in `place`, and keep it as it is now; returns what to do on a change. */
export function threadView(place, id) {
  let known = new Set();
  const draw = () => {
    const thread = state.threads.get(id);
    if (thread === undefined || thread.events === undefined) {
      if (place.childElementCount === 0) place.append(el("p", { class: "note", data: { key: "wait" } }, "Reading…"));
      return;
    }
    reconcile(place, parts(thread));
    void noteRead(thread);
    const open = questions(id);
    const fresh = open.find((each) => !known.has(each.request_id));
    known = new Set(open.map((each) => each.request_id));
    if (fresh !== undefined) {
      const frame = place.querySelector(`[data-request="${CSS.escape(fresh.request_id)}"]`);
      if (frame !== null) focusOnDeny(frame);
    }
  };
  const read = () => load(id).catch((error) => {
    if (!(error instanceof Refusal)) throw error;
    if (error.status === 0) return; // the page says so, and reads it again when the daemon is back
    place.replaceChildren(el("p", { class: "complaint", role: "alert", data: { key: "gone" } }, refused(error)));
  });
  draw();
  read();
  return { draw, tick: () => tick(place, id), again: read };
}

/** Move only the seconds: nothing that somebody reads or presses is drawn anew for them. */
function tick(place, id) {
  const thread = state.threads.get(id);
  if (thread?.messages !== undefined) void noteRead(thread); // it may have come while nobody looked
  for (const each of questions(id)) {
    const node = place.querySelector(`[data-request="${CSS.escape(each.request_id)}"] .left`);
    if (node !== null) node.textContent = asked(each, state.threads.get(id));
  }
}

function parts(thread) {
  const open = questions(thread.dispatch_id);
  const settled = thread.result !== null && thread.result !== undefined;
  const wanted = [
    part("head", [thread.status, thread.outcome, thread.from, thread.to, thread.cancel_requested, thread.trust, thread.presumed, thread.elsewhere, thread.accepted_on, thread.declined_on, person(thread.from), person(thread.to)], () => head(thread)),
    part("task", [thread.digest], () => task(thread)),
    thread.steps?.length ? part("steps", [], () => steps(thread)) : null,
    thread.attachments.length ? part("files", [thread.files_arriving], () => attachments(thread)) : null,
    part("may", [thread.runs.length, thread.runs.at(-1)?.usage, state.edges, thread.status === "delivered"], () => may(thread)),
    part("decide", [thread.status, thread.owner, thread.files_arriving, edgeFrom(thread.from)?.scopes?.paths], () => decisionForm(thread)),
    part("trace", [thread.events.length], () => trace(thread)),
    ...open.map((each) => part(`q-${each.request_id}`, [thread.questions?.answered, person(each.from)], () => question(each, thread))),
    part("on", [thread.status, thread.error?.code, thread.decision?.mode, open.length], () => goingOn(thread)),
    settled || thread.error || reason(thread) ? part("end", [thread.result, thread.error, reason(thread)], () => end(thread)) : null,
    thread.changeset.length && open.length === 0 ? part("changes", [thread.changeset, thread.status, thread.runs.at(-1)?.undo_until, thread.runs.at(-1)?.undone_at], () => changed(thread)) : null,
    thread.artifacts.length && open.length === 0 ? part("artifacts", [thread.artifacts.map((each) => [each.sha256, each.download_url !== null])], () => artifacts(thread)) : null,
    thread.thread?.length > 1 ? part("others", [thread.thread.length], () => others(thread)) : null,
    thread.messages?.length ? part("said", [thread.messages.map((each) => [each.message_id, each.state, each.unread]), person(thread.from), person(thread.to)], () => conversation(thread)) : null,
    isOpen(thread) ? part("answer", [person(thread.from).name, person(thread.to).name], () => answering(thread)) : null,
    thread.receipts.length ? part("receipts", [thread.receipts.length], () => receipts(thread)) : null,
  ];
  return wanted.filter((each) => each !== null);
}

function part(key, sig, build) {
  return { key, sig: JSON.stringify(sig), build };
}

function head(thread) {
  const [words, tone] = standing(thread);
  const other = person(thread.box === "sent" ? thread.to : thread.from);
  const said = thread.box === "sent" ? `To ${oneLine(other.name)}` : other.mine ? "From me" : `${oneLine(other.name)} asks`;
  return el(
    "header",
    { class: "head" },
    el("h1", {}, said, other.trust ? el("span", { class: "trust" }, ` ${other.trust}`) : null),
    el(
      "p",
      { class: "facts" },
      el("span", { class: `status ${tone}` }, words),
      ` · ${when(thread.created_at)}`,
      thread.author?.device ? ` · signed by the device ${thread.author.device.slice(0, 8)}` : "",
      thread.expires_at && !thread.result ? ` · open until ${new Date(thread.expires_at).toLocaleString([], { dateStyle: "short", timeStyle: "short" })}` : "",
      ` · ${thread.short_id}`,
      thread.cancel_requested ? " · a cancel was asked for" : "",
    ),
    thread.status === "conflict"
      ? el("p", { class: "warn" }, `${conflict(thread)} Cancel it where it shall not run.`)
      : null,
  );
}

function conflict(thread) {
  const devices = (list) => list.map((each) => oneLine(each.name ?? each.device.slice(0, 8))).join(" and ");
  const yes = devices(thread.accepted_on);
  return thread.declined_on.length
    ? `${yes} said yes to it, and ${devices(thread.declined_on)} no: two devices of one person disagree.`
    : `${yes} have each accepted it, so it may run more than once.`;
}

function task(thread) {
  const more = [
    ["Background", thread.background],
    ["What should come back", thread.deliverable],
    ["Project, as its sender calls it", thread.project],
    ["Links", thread.links?.join("\n")],
    ["Budget", budget(thread.budget)],
    ["More", Object.entries(thread.meta ?? {}).map(([key, value]) => `${key}: ${value}`).join("\n")],
  ].filter(([, text]) => text);
  return el(
    "section",
    { class: "task", "aria-label": "The task as written" },
    el("blockquote", {}, visible(thread.task)),
    more.map(([name, text]) => el("div", { class: "part" }, el("span", { class: "name" }, name), el("blockquote", { class: "small" }, visible(text)))),
  );
}

function steps(thread) {
  return el(
    "details",
    { class: "steps", open: thread.status === "delivered" },
    el("summary", {}, `Does exactly ${count(thread.steps.length, "step")}, signed with the task`),
    el("ol", {}, thread.steps.map((step) => el("li", {}, el("span", { class: "strong" }, oneLine(step.tool)), verbatim(step.tool, step.input)))),
  );
}

function attachments(thread) {
  const state = thread.files_arriving ? "Files, still arriving" : "Files";
  return el("section", { class: "files" }, el("h2", {}, state), el("ul", {}, thread.attachments.map((each) => el("li", {}, `${oneLine(each.name)}, ${size(each.size_bytes)}`))));
}

function may(thread) {
  const run = thread.runs.at(-1);
  if (thread.box === "sent") return el("div");
  const scopes = run?.scopes ?? edgeFrom(thread.from)?.scopes;
  const place = run?.cwd ? `Runs in ${oneLine(run.cwd)}, by ${run.agent === "steps" ? "the signed steps" : oneLine(run.model ?? run.agent ?? "nobody")}. ` : "";
  const spent = used(run?.usage) ? ` It used ${used(run.usage)}.` : "";
  const walls = run?.confinement ? `Confined: ${run.confinement.layers.map(oneLine).join(", ")}.` : "";
  if (thread.decision?.mode === "by_hand") return el("p", { class: "note" }, "Done by hand: nothing confines it.");
  if (scopes === undefined || scopes === null) {
    return el("p", { class: "note" }, thread.status === "delivered" ? "Your own task: it may use every tool in the directory you choose, without network, and asks you for each call." : place + walls + spent);
  }
  return el("p", { class: "note" }, `${place}${sentence(scopes, "It", "you", run?.agent)} ${walls}${spent}`);
}

/** Return why somebody said no to what was sent to them, if they said. */
function reason(thread) {
  return thread.box === "sent" && thread.status === "declined" ? thread.decision?.reason : null;
}

function end(thread) {
  const error = thread.error;
  const summary = thread.result?.summary?.replace(error?.detail ?? "", "").trim(); // why it failed is said once
  return el(
    "section",
    { class: "end" },
    el("h2", {}, thread.box === "sent" ? "What came back" : "The end"),
    error ? el("p", { class: "complaint" }, `${oneLine(error.detail ?? error.code)} (${oneLine(error.code)})`) : null,
    error?.hint && thread.status === "failed" ? el("p", { class: "note" }, "Go on with ", el("code", {}, oneLine(error.hint))) : null,
    [summary, reason(thread)].filter(Boolean).map((words) => el("blockquote", {}, visible(words))),
  );
}

function changed(thread) {
  const applied = thread.status === "completed";
  return el(
    "section",
    { class: "closing" },
    el("h2", {}, applied ? `Changed ${count(thread.changeset.length, "path")}` : `${count(thread.changeset.length, "path")} would have changed`),
    el("ul", { class: "changes" }, thread.changeset.map((each) => el("li", {}, change(each), each.flags.map((word) => el("span", { class: "flag" }, ` ! ${flag(word)}`))))),
    diffs(thread.diffs ?? []),
    applied ? undoing(thread) : [],
  );
}

function artifacts(thread) {
  return el("section", { class: "files" }, el("h2", {}, "Files that came of it"), el("ul", {}, thread.artifacts.map((each) => artifact(each, thread))));
}

function receipts(thread) {
  const signed = (each) => el("li", {}, `${oneLine(each.type)} · ${clock(each.at)} · device ${each.device.slice(0, 8)} · ${each.digest.slice(0, 12)}`);
  return el("details", { class: "receipts" }, el("summary", {}, `${count(thread.receipts.length, "signed receipt")}`), el("ul", {}, thread.receipts.map(signed)));
}
