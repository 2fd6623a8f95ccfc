// What the page knows: the present state as the daemon told it, kept up with every change. Whoever shows it is told.

import { ask } from "./api.js";

const listeners = new Set();

export const state = {
  connection: "connecting",
  whoami: null,
  edges: [],
  threads: new Map(), // every dispatch that was told of, by its id; whole once it was opened or changed
  approvals: new Map(), // open questions by their ids
  next: { inbox: null, sent: null },
};

/** Be told of every change: of `what` changed ("threads", "people", "connection") and of which dispatch. */
export function subscribe(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function tell(what, id = null) {
  for (const listener of [...listeners]) listener(what, id);
}

/** Take in one update of the stream. */
export function take(kind, data) {
  if (kind === "snapshot") {
    for (const each of [...data.inbox, ...data.sent]) merge(each);
    state.approvals = new Map(data.approvals.map((each) => [each.request_id, each]));
    void people();
    tell("threads");
  } else if (data.type === "dispatch") {
    merge(data.dispatch);
    for (const [id, each] of state.approvals) {
      if (each.dispatch_id === data.dispatch.dispatch_id) state.approvals.delete(id);
    }
    for (const each of data.dispatch.approvals) state.approvals.set(each.request_id, each);
    tell("threads", data.dispatch.dispatch_id);
  } else {
    void people();
  }
}

function merge(given) {
  const known = state.threads.get(given.dispatch_id);
  // A list tells less than what was told whole before; what it tells is newer.
  state.threads.set(given.dispatch_id, { ...known, ...given });
}

export function connected(word) {
  if (state.connection === word) return;
  state.connection = word;
  tell("connection");
}

/** Ask who everybody is: names and trust stand beside everything that somebody sent. */
export async function people() {
  try {
    const [whoami, contacts] = await Promise.all([ask("GET", "/v1/whoami"), ask("GET", "/v1/contacts")]);
    state.whoami = whoami;
    state.edges = contacts.edges;
    tell("people");
  } catch {
    // The stream says whether the daemon is there; names stay as they were.
  }
}

/** Read one thread whole. */
export async function load(id) {
  const whole = await ask("GET", `/v1/dispatches/${encodeURIComponent(id)}`);
  merge(whole);
  tell("threads", whole.dispatch_id);
  return whole;
}

/** Return the threads of a box, newest first; one's own jobs stand in both. */
export function threads(box) {
  return [...state.threads.values()]
    .filter((each) => each.box === box || each.box === "own")
    .sort((one, other) => (one.created_at < other.created_at ? 1 : -1));
}

/** Return the questions of one thread, in the order they were asked. */
export function questions(id) {
  return [...state.approvals.values()]
    .filter((each) => each.dispatch_id === id)
    .sort((one, other) => (one.asked_at < other.asked_at ? -1 : 1));
}

/** Say whether something waits for this person: a decision, an answer, or words that nobody has read. */
export function waits(thread) {
  if (thread.unread > 0) return true;
  if (thread.box === "sent") return false;
  return thread.status === "delivered" || thread.status === "waiting_approval" || thread.status === "waiting_input";
}

const TRUST = { compared: "compared", token: "token", unverified: "came by mail" };

/** Return how somebody is called here, and how well they are known. */
export function person(address) {
  const own = state.whoami?.user;
  if (address === "me" || (own && address === own)) return { name: "me", trust: "", mine: true };
  const edge = state.edges.find((each) => each.peer === address && each.alias) ??
    state.edges.find((each) => each.peer === address);
  return { name: edge?.alias ?? address, trust: TRUST[edge?.trust] ?? "", mine: false };
}

/** Return the edge over which somebody may send to this machine, if there is one. */
export function edgeFrom(address) {
  const found = state.edges.filter((each) => each.direction === "incoming" && each.peer === address);
  return found.find((each) => each.status === "active") ?? found.at(-1) ?? null;
}
