// The page: it opens with a link's code, keeps up with the daemon, and shows one column of threads beside one thread.

import { enter, follow, forget, isOpen, Refusal } from "./api.js";
import { composeView } from "./compose.js";
import { contactsView } from "./contacts.js";
import { el } from "./dom.js";
import { help } from "./help.js";
import { drawList } from "./lists.js";
import { machineView } from "./machine.js";
import { connected, state, subscribe, take, threads, waits } from "./store.js";
import { threadView } from "./thread.js";
import { exactly } from "./words.js";

const list = document.getElementById("list");
const view = document.getElementById("view");
const status = document.getElementById("state");
const STATES = {
  connecting: "",
  connected: "",
  lost: "Not connected to the daemon of this machine. What you see may be old; nothing can be decided until it is back. If it was started anew, type dispatch ui.",
  over: "This page is over: it was closed, its day is, or a panic was called. Type dispatch ui for a new one.",
};

let shown = null; // {name, id, box, draw, tick}
let box = "inbox";

function place() {
  const [, name = "inbox", id = null] = location.hash.split("/");
  return { name, id };
}

function show() {
  const { name, id } = place();
  if (name === "inbox" || name === "sent") box = name;
  if (shown !== null && shown.name === name && shown.id === id) return;
  view.replaceChildren();
  const views = {
    d: () => threadView(view, id),
    new: () => composeView(view, (sent) => { location.hash = `#/d/${sent}`; }, id),
    contacts: () => contactsView(view),
    machine: () => machineView(view),
  };
  const opened = Object.hasOwn(views, name) ? views[name]() : greeting();
  shown = { name, id, ...opened };
  document.body.dataset.view = name;
  for (const link of document.querySelectorAll("header [data-view]")) {
    const here = link.dataset.view === name || (name === "d" && link.dataset.view === box);
    if (here) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  view.scrollTop = view.parentElement.scrollTop = 0; // on a phone the whole of both scrolls
  if (name === "d") view.focus({ preventScroll: true });
  drawThreads();
}

function greeting() {
  view.replaceChildren(el("div", { class: "empty" }, el("p", {}, "Choose a thread, or press n to write a task."), el("p", { class: "note" }, "? shows every key.")));
  return { draw: () => {}, tick: () => {} };
}

function drawThreads() {
  const id = shown?.name === "d" ? shown.id : null;
  drawList(list, box, id);
  for (const each of ["inbox", "sent"]) {
    const found = threads(each).filter((thread) => waits(thread) && (each === "inbox" || thread.box === each)).length;
    document.getElementById(`waiting-${each}`).textContent = found ? ` ${found}` : "";
  }
  const waiting = [...state.threads.values()].filter(waits).length;
  document.title = waiting ? `(${waiting}) Dispatch` : "Dispatch";
}

function draw(what, id) {
  if (what !== "threads") sayState();
  if (what === "connection") {
    document.body.dataset.connection = state.connection;
    for (const part of [list, view]) part.inert = state.connection === "over";
    // What happened to an open thread meanwhile was told to nobody: it is read again.
    if (state.connection === "connected" && shown?.name === "d") shown.again();
    return;
  }
  drawThreads();
  if (shown !== null && (what === "people" || shown.name !== "d" || id === null || id === shown.id)) {
    if (what === "people" || shown.name === "d" || shown.name === "new") shown.draw();
  }
}

/** Say above everything what holds for all of it: that the daemon is away, or that nothing new starts here. */
function sayState() {
  const since = state.connection === "connected" ? state.whoami?.daemon.paused_at : null;
  const words = since ? `This machine is paused since ${exactly(since)}: nothing new starts here, and what runs goes on. Take it back with dispatch pause --off` : STATES[state.connection];
  if (status.textContent !== words) status.textContent = words;
}

const KEYS = {
  i: () => { location.hash = "#/inbox"; },
  s: () => { location.hash = "#/sent"; },
  c: () => { location.hash = "#/contacts"; },
  m: () => { location.hash = "#/machine"; },
  n: () => { location.hash = "#/new"; },
  j: () => step(1),
  k: () => step(-1),
  "?": () => help(),
  Escape: () => { location.hash = `#/${box}`; },
};

/** Move through the threads, and open the one that is reached. */
function step(by) {
  const rows = [...list.querySelectorAll("a.row")];
  if (rows.length === 0) return;
  const at = rows.findIndex((row) => row.getAttribute("aria-current") === "true");
  const next = rows[Math.min(rows.length - 1, Math.max(0, at < 0 ? 0 : at + by))];
  location.hash = next.getAttribute("href");
  next.scrollIntoView({ block: "nearest" });
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (event.target.matches("input, textarea, select") && event.key !== "Escape") return;
  const action = KEYS[event.key];
  if (action === undefined) return;
  event.preventDefault();
  if (event.key === "Escape") event.target.blur();
  action();
});

async function main() {
  try {
    await enter();
  } catch (error) {
    forget();
    if (!(error instanceof Refusal)) throw error;
    closed(`${error.message} Type dispatch ui for a new one.`);
    return;
  }
  if (!isOpen()) {
    closed("This page opens by a link that works once. Type dispatch ui.");
    return;
  }
  subscribe(draw);
  addEventListener("hashchange", show);
  show();
  setInterval(() => shown?.tick(), 1000);
  await follow({ onUpdate: take, onState: connected });
  forget();
}

function closed(words) {
  document.body.dataset.connection = "over";
  status.textContent = words;
  view.replaceChildren(el("div", { class: "empty" }, el("p", {}, words), el("pre", {}, "dispatch ui")));
}

void main();
