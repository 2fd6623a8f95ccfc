// The column of threads: one line for who, one for what was asked, and the word for where it stands.

import { ask, Refusal } from "./api.js";
import { button, count, el, oneLine, reconcile, when } from "./dom.js";
import { person, state, take, threads } from "./store.js";
import { standing } from "./words.js";

const more = new Map(); // the cursor of the next page of each box; undefined before the first look

/** Draw the threads of a box; `chosen` is the one that is open. */
export function drawList(place, box, chosen) {
  const rows = threads(box);
  const entries = rows.map((thread) => {
    const shown = row(thread, box);
    return { key: thread.dispatch_id, sig: JSON.stringify([shown, thread.dispatch_id === chosen]), build: () => build(thread, shown, thread.dispatch_id === chosen) };
  });
  if (rows.length === 0) entries.push({ key: "empty", sig: `${box} ${state.edges.length}`, build: () => empty(box) });
  if (rows.length >= 50 && more.get(box) !== null) entries.push({ key: "more", sig: box, build: () => el("p", {}, button("Older", () => older(box), { class: "plain" })) });
  reconcile(place, entries);
}

function row(thread, box) {
  const other = person(box === "sent" && thread.box !== "own" ? thread.to : thread.from);
  const [words, tone] = standing(thread);
  return { name: oneLine(other.name), trust: other.trust, task: oneLine(thread.task.slice(0, 300)), words, tone, unread: thread.unread, when: when(thread.created_at) };
}

function build(thread, shown, isChosen) {
  return el(
    "a",
    { class: "row", href: `#/d/${thread.dispatch_id}`, "aria-current": isChosen ? "true" : null, data: { focus: thread.dispatch_id } },
    el("span", { class: "from" }, shown.name, shown.trust ? el("span", { class: "trust" }, ` ${shown.trust}`) : null),
    el("span", { class: "when" }, shown.when),
    el("span", { class: "what" }, shown.task),
    el("span", { class: `status ${shown.tone}` }, shown.words, shown.unread ? el("span", { class: "waiting" }, ` · ${count(shown.unread, "new message")}`) : null),
  );
}

async function older(box) {
  try {
    const cursor = more.get(box);
    const page = await ask("GET", `/v1/dispatches?box=${box}&limit=50${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`);
    more.set(box, page.next);
    take("snapshot", { inbox: page.dispatches, sent: [], approvals: [...state.approvals.values()] });
    if (!cursor && page.next) await older(box); // the first page was told with the present state
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
  }
}

function empty(box) {
  const known = state.edges.length > 0;
  if (box === "sent") {
    return el("div", { class: "empty" }, el("p", {}, "You have sent nothing yet."), el("p", {}, known ? el("a", { href: "#/new" }, "Write a task") : el("a", { href: "#/contacts" }, "Invite somebody"), known ? " for somebody, or for yourself." : ", or write a task for yourself first."));
  }
  return el(
    "div",
    { class: "empty" },
    el("p", {}, "Nothing waits for you."),
    el("p", {}, "Tasks that others send you stand here until you decide. Nobody can send you any before you ", el("a", { href: "#/contacts" }, "accept an invitation"), "."),
    el("p", {}, "Try it with a task ", el("a", { href: "#/new" }, "to yourself"), "."),
  );
}
