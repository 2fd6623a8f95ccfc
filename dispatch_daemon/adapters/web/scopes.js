// The scope menu: what somebody's tasks may do here. The first choice is the safest, and none is made for anybody.

import { button, complaint, el, field, oneLine } from "./dom.js";
import { reaching } from "./reaching.js";
import { sentence } from "./words.js";

const READ = ["Glob", "Grep", "Read"];
const EDIT = ["Edit", "Glob", "Grep", "Read", "Write"];
const FULL = ["Bash", "Edit", "Glob", "Grep", "Read", "Write"];
const MILLION = 1_000_000;
const CHOICES = [
  { key: "1", words: "Read-only: Read, Glob, Grep. They can look and change nothing.", tools: READ },
  { key: "2", words: "Read and write: also create and change files, no shell.", tools: EDIT },
  { key: "3", words: "Everything: also Bash, a full shell inside the wall.", tools: FULL },
  { key: "4", words: "Custom: you name the tools.", tools: null },
];

/** Return the menu for `name`; `grant` is given the scopes as the door takes them, `decline` is the fifth choice. */
export function scopeMenu(name, { grant, decline, declineWords, now = null }) {
  const group = `scope-${(menus += 1)}`;
  const custom = el("fieldset", { hidden: true }, el("legend", {}, "Tools"), FULL.map((tool) => el("label", { class: "check" }, el("input", { type: "checkbox", value: tool, checked: now?.tools.includes(tool) ?? false }), ` ${tool}`)));
  const radios = CHOICES.map((choice) => el("input", { type: "radio", name: group, value: choice.key }));
  const approval = select(["manual", "I approve each call"], ["review", "I approve the changes at the end"], ["auto", "nothing asks"]);
  const returns = select(["result", "the result"], ["trace", "the result and every call"], ["status", "only how it ended"]);
  const paths = el("textarea", { rows: 2, spellcheck: false, placeholder: "/home/me/src/api:ro" });
  const daily = el("input", { type: "number", min: 1, max: 10_000, value: 50 });
  const runtime = el("input", { type: "number", min: 1, max: 604_800, value: now?.max_runtime_s ?? "", placeholder: "3600" });
  const waits = el("input", { type: "number", min: 1, max: 86_400, value: now?.approval_timeout_s ?? "", placeholder: "120" });
  const bounds = {
    turns: el("input", { type: "number", min: 1, value: now?.budget.turns ?? "", placeholder: "no bound" }),
    tokens: el("input", { type: "number", min: 1, value: now?.budget.tokens ?? "", placeholder: "no bound" }),
    cost_microusd: el("input", { type: "number", min: 0, step: "any", value: now?.budget.cost_microusd ? now.budget.cost_microusd / MILLION : "", placeholder: "no bound" }),
  };
  const until = el("input", { type: "date", value: now?.expires_at?.slice(0, 10) ?? "" });
  const ended = until.value;
  if (now !== null) {
    approval.value = now.approval;
    returns.value = now.returns;
    paths.value = now.paths.map((each) => `${each.path}:${each.mode}`).join("\n");
    daily.value = now.max_per_day ?? "";
  }
  const out = reaching(now, () => update());
  const meaning = el("p", { class: "meaning", "aria-live": "polite" }, "Choose one.");
  const said = complaint();
  const chosen = () => radios.find((radio) => radio.checked)?.value ?? null;
  const tools = () => {
    const choice = CHOICES.find((each) => each.key === chosen());
    if (choice === undefined) return null;
    return choice.tools ?? [...custom.querySelectorAll("input:checked")].map((box) => box.value);
  };
  const listed = () => paths.value.split("\n").map((each) => each.trim()).filter(Boolean).map((each) => {
    const match = /^(.*):(ro|rw)$/.exec(each);
    return match === null ? { path: each, mode: "ro" } : { path: match[1], mode: match[2] };
  });
  const update = () => {
    custom.hidden = chosen() !== "4";
    const named = tools();
    meaning.textContent = named === null ? "Choose one." : sentence(
      { tools: named, paths: listed(), network: out.network(), mcp_servers: out.servers(), approval: approval.value, returns: returns.value, max_per_day: Number(daily.value) || null, budget: budget(), max_runtime_s: Number(runtime.value) || null, approval_timeout_s: Number(waits.value) || null, expires_at: until.value ? `${until.value}T23:59:59Z` : null },
      oneLine(name),
    );
  };
  const numbers = () => Object.fromEntries(Object.entries({ max_per_day: daily, max_runtime: runtime, approval_timeout: waits }).filter(([, box]) => box.value).map(([key, box]) => [key, Number(box.value)]));
  const budget = () => Object.fromEntries(Object.entries(bounds).map(([key, box]) => [key, box.value ? Math.round(Number(box.value) * (key === "cost_microusd" ? MILLION : 1)) : null]));
  const spent = JSON.stringify(budget());
  const submit = async () => {
    said.textContent = "";
    const named = tools();
    if (named === null) {
      said.textContent = "Choose what they may do: there is no default for trust.";
      radios[0].focus();
      return;
    }
    const scopes = { tools: [...named].sort(), paths: listed(), network: out.network(), mcp_servers: out.servers(), approval: approval.value, returns: returns.value, ...numbers() };
    if (JSON.stringify(budget()) !== spent) scopes.budget = budget();
    if (until.value !== ended) scopes.expires_at = until.value ? `${until.value}T23:59:59Z` : "never";
    // What was not changed is not said again: a path that has gone since must not keep anybody from narrowing the rest.
    const changed = Object.entries(scopes).filter(([key, value]) => now === null || JSON.stringify(value) !== JSON.stringify(now[key] ?? now[`${key}_s`]));
    const problem = await grant(Object.fromEntries(changed));
    if (problem) said.textContent = problem;
  };
  const menu = el(
    "form",
    { class: "scopes", onsubmit: (event) => event.preventDefault(), oninput: update },
    el("p", { class: "strong" }, `What may ${oneLine(name)}'s tasks do on this machine?`),
    el("ol", {}, CHOICES.map((choice, place) => el("li", {}, el("label", {}, radios[place], ` ${choice.words}`))), decline ? el("li", {}, button(declineWords, decline, { class: "plain" })) : null),
    custom,
    el("div", { class: "columns" }, field("Approval", approval), field("What goes back", returns), field("Tasks a day", daily), field("A run may take, in seconds", runtime), field("A question waits, in seconds", waits), field("Turns of a model a run", bounds.turns), field("Tokens a run", bounds.tokens), field("US dollars a run", bounds.cost_microusd), field("Until (empty: no end)", until)),
    field("Paths, one a line, with :ro or :rw at the end", paths, "None: each task runs in the one directory that you accept it in."),
    out.view,
    meaning,
    el("div", { class: "answers" }, button(now === null ? "Grant this" : "Change to this", submit, { class: "yes" })),
    said,
  );
  if (now !== null) {
    const same = CHOICES.findIndex((each) => each.tools !== null && each.tools.join() === [...now.tools].sort().join());
    radios[same < 0 ? 3 : same].checked = true;
    update();
  }
  return menu;
}
let menus = 0;

function select(...options) {
  return el("select", {}, options.map(([value, words]) => el("option", { value }, words)));
}
