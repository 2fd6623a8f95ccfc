// The settings of this machine: what counts now, what will, and a form for each that may be changed on a page.

import { ask, Refusal } from "./api.js";
import { button, complaint, el, field, visible } from "./dom.js";
import { refused } from "./words.js";

const ABOUT = {
  approval_ui: "how the session of an agent asks",
  notify: "who calls me when something waits",
  device_name: "what this machine is called",
  file_bytes: "the largest file that is sent or taken here, in bytes",
  local_port: "the port of this page; 0 takes any free one",
  project_roots: "where projects are looked for, with : in between",
  agent_prices: "what models cost, as MODEL=IN/OUT in US dollars for a million tokens",
};

/** Show the settings in `place`, as the daemon has told them. */
export function settingsView(place, { settings }) {
  const chosen = settings.filter((each) => each.can_edit);
  const typed = settings.filter((each) => !each.can_edit);
  place.replaceChildren(
    el("ul", { class: "settings" }, chosen.map((each) => editable(each))),
    el("h3", {}, "Changed at a terminal"),
    el("p", { class: "note" }, "These start programs, hold keys, open this network or lead elsewhere: ", el("code", {}, "dispatch config set NAME VALUE"), ", and the daemon reads it when it starts again."),
    el("ul", { class: "settings" }, typed.map((each) => el("li", {}, shown(each)))),
  );
}

function spelled(value) {
  return value === null ? "not set" : visible(String(value));
}

function shown(each, ...more) {
  return el("div", { class: "setting" }, el("span", { class: "strong" }, each.name), el("code", {}, spelled(each.value)), el("span", { class: "note" }, each.origin), ...more);
}

/** Say what will count from the next start on, where that is something else than now. */
function later(each) {
  if (each.held_by !== null) return `${each.held_by} is set and wins over what is stored.`;
  if (each.origin === "flag") return "It was given when the daemon was started, which wins over what is stored.";
  if (each.stored === each.value || (each.stored === null && each.origin === "default")) return "";
  const next = each.stored === null ? "it is forgotten" : `it is ${visible(String(each.stored))}`;
  return `Stored: ${next} once the daemon has started again (dispatch daemon stop, then any command).`;
}

function editable(first) {
  const place = el("li", {});
  const draw = (each, focus) => {
    const open = button("Change", () => change(place, each, draw), { class: "small", "aria-label": `Change ${each.name}` });
    place.replaceChildren(shown(each, open), el("p", { class: "note" }, ABOUT[each.name] ?? ""), el("p", { class: "note", role: focus ? "status" : null }, later(each)));
    if (focus) open.focus();
  };
  draw(first, false);
  return place;
}

function change(place, each, draw) {
  const now = String(each.stored ?? each.value ?? "");
  const words = each.choices.length > 0 && !each.choices.includes(now) ? [now, ...each.choices] : each.choices;
  const control = words.length > 0
    ? el("select", {}, words.map((word) => el("option", { value: word, selected: word === now }, word)))
    : el("input", { type: "text", value: now, spellcheck: false, autocomplete: "off" });
  const said = complaint();
  const keep = async () => {
    said.textContent = "";
    try {
      draw(await ask("POST", "/v1/settings", { name: each.name, value: control.value.trim() || null }), true);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      said.textContent = refused(error);
      control.focus();
    }
  };
  const form = el(
    "form",
    { onsubmit: (event) => { event.preventDefault(); void keep(); } },
    field(each.name, control, `${ABOUT[each.name] ?? ""}${words.length > 0 ? "" : "; empty forgets it"}`),
    el("div", { class: "answers" }, button("Leave it", () => draw(each, true), { class: "deny" }), el("button", { type: "submit", class: "yes" }, "Keep this")),
    said,
  );
  place.replaceChildren(form);
  control.focus();
}
