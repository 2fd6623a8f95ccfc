// Writing a task: for whom, what, and what goes along. It is signed by this device and sent as it is written.

import { ask, Refusal } from "./api.js";
import { button, complaint, count, el, field, oneLine, size } from "./dom.js";
import { handOver } from "./handing.js";
import { person, state } from "./store.js";
import { refused } from "./words.js";

const MILLION = 1_000_000;
const LIVES = [["3600", "an hour"], ["14400", "4 hours"], ["86400", "a day"], ["600", "10 minutes"]];

/** Return the form; `sent` is called with the id of what was sent. With `parent` it goes on in the thread of that one. */
export function composeView(place, sent, parent = null) {
  const names = el("datalist", { id: "recipients" });
  const to = el("input", { type: "text", list: "recipients", required: true, autocomplete: "off", spellcheck: false, value: "me" });
  const task = el("textarea", { rows: 6, required: true, maxLength: 100_000 });
  const background = el("textarea", { rows: 3, maxLength: 20_000 });
  const deliverable = el("input", { type: "text", maxLength: 2000 });
  const project = el("input", { type: "text", maxLength: 200 });
  const links = el("textarea", { rows: 2, spellcheck: false });
  const bounds = {
    turns: el("input", { type: "number", min: 1, placeholder: "no bound" }),
    tokens: el("input", { type: "number", min: 1, placeholder: "no bound" }),
    cost_microusd: el("input", { type: "number", min: 0, step: "any", placeholder: "no bound" }),
  };
  const lives = el("select", {}, LIVES.map(([value, words]) => el("option", { value }, words)));
  const files = el("input", { type: "file", multiple: true });
  const folder = el("input", { type: "file", webkitdirectory: true, multiple: true });
  const chosen = el("p", { class: "note", "aria-live": "polite" });
  const followed = el("p", { class: "note" });
  const said = complaint();
  const picked = () => [...files.files, ...folder.files];
  const show = () => {
    const all = picked();
    chosen.textContent = all.length ? `${count(all.length, "file")}, ${size(all.reduce((sum, file) => sum + file.size, 0))}` : "";
  };
  files.addEventListener("change", show);
  folder.addEventListener("change", show);
  const addressed = () => (parent === null ? { recipient: to.value.trim() } : { parent });
  const toMyself = () => (parent === null ? to.value.trim() === "me" : state.threads.get(parent)?.box === "own");
  // The same words sent again after a broken connection are the same dispatch, whatever became of the first try.
  let key = crypto.randomUUID();
  const send = async () => {
    said.textContent = "";
    if (!task.value.trim()) {
      said.textContent = "The task is empty.";
      task.focus();
      return;
    }
    try {
      const body = { by: "page", ...addressed(), task: task.value, files: await handOver(picked(), chosen) };
      for (const [name, control] of [["background", background], ["deliverable", deliverable], ["project", project]]) {
        if (control.value.trim()) body[name] = control.value;
      }
      const given = links.value.split("\n").map((each) => each.trim()).filter(Boolean);
      if (given.length) body.link = given;
      const bound = Object.entries(bounds).filter(([, box]) => box.value).map(([name, box]) => [name, Math.round(Number(box.value) * (name === "cost_microusd" ? MILLION : 1))]);
      if (bound.length) body.budget = Object.fromEntries(bound);
      if (!toMyself()) body.expires = Number(lives.value);
      const answer = await ask("POST", "/v1/dispatches", body, { "Idempotency-Key": key });
      key = crypto.randomUUID();
      sent(answer.dispatch_id);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      if (error.status === 0) {
        said.textContent = `${error.message} Press again: nothing is sent twice.`;
        return;
      }
      key = crypto.randomUUID(); // it was answered: a changed task is another one
      said.textContent = refused(error);
    }
  };
  place.replaceChildren(
    el(
      "form",
      { class: "compose", onsubmit: (event) => event.preventDefault() },
      el("h1", {}, parent === null ? "New task" : "A further task in this thread"),
      parent === null ? [field("To", to, "An address, a name, or me."), names] : followed,
      field("Task", task, "It is sent exactly as you write it, signed by this device."),
      el(
        "details",
        {},
        el("summary", {}, "More to go along"),
        field("Background, for somebody who knows nothing of it", background),
        field("What should come back", deliverable),
        field("Project: how you call it; where it runs is for them to say", project),
        field("Links, one a line", links),
        field("Open for", lives),
        el("div", { class: "columns" }, field("Turns of a model, at most", bounds.turns), field("Tokens, at most", bounds.tokens), field("US dollars, at most", bounds.cost_microusd)),
      ),
      el("fieldset", { class: "attached" }, el("legend", {}, "Files"), el("div", { class: "columns" }, field("Choose files", files), field("or a folder", folder)), chosen),
      el("div", { class: "answers" }, button("Send", send, { class: "yes" })),
      said,
    ),
  );
  const draw = () => {
    const outgoing = state.edges.filter((each) => each.direction === "outgoing" && each.status === "active");
    followed.replaceChildren(...following(parent));
    names.replaceChildren(el("option", { value: "me" }), ...outgoing.map((each) => el("option", { value: each.alias ?? each.peer })));
  };
  draw();
  (parent === null ? to : task).focus();
  to.select();
  return { draw, tick: () => {} };
}

/** Return to whom a further task goes, and what it follows. */
function following(parent) {
  const before = state.threads.get(parent);
  if (before === undefined) return ["It goes to the other side of the task that it follows."];
  const other = person(before.box === "sent" ? before.to : before.from);
  const link = el("a", { href: `#/d/${parent}` }, oneLine(before.task.slice(0, 120)));
  return [`To ${oneLine(other.name)}, who has to accept it like any other. It follows: `, link];
}
