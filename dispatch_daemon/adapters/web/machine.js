// This machine: who it acts for, whether it is well, what is always allowed, and its settings.

import { ask, forget, Refusal } from "./api.js";
import { button, complaint, el, oneLine, visible } from "./dom.js";
import { settingsView } from "./settings.js";
import { state } from "./store.js";
import { exactly, refused } from "./words.js";

/** Show this machine in `place`. */
export function machineView(place) {
  const who = el("div");
  const health = el("div", { "aria-live": "polite" });
  const rules = el("div");
  const agents = el("div");
  const settings = el("div");
  const said = complaint();
  const guarded = (action) => async () => {
    try {
      said.textContent = "";
      await action();
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      said.textContent = refused(error);
    }
  };
  const check = guarded(async () => health.replaceChildren(checks(await ask("GET", "/v1/doctor"))));
  const listRules = guarded(async () => rules.replaceChildren(ruleList(await ask("GET", "/v1/rules"), (rule) => guarded(async () => {
    await ask("DELETE", `/v1/rules/${rule.rule_id}`);
    await listRules();
  })())));
  place.replaceChildren(
    el("h1", {}, "This machine"),
    who,
    said,
    el("h2", {}, "Is it well?"),
    el("div", { class: "answers" }, button("Check", check, { class: "yes" })),
    health,
    el("h2", {}, "Always allowed"),
    rules,
    el("h2", {}, "Agents"),
    agents,
    el("h2", {}, "Settings"),
    settings,
    el("h2", {}, "Open pages"),
    el("div", { class: "answers" }, button("Close every page, this one too", guarded(async () => {
      await ask("DELETE", "/v1/page/sessions");
      forget();
      location.reload();
    }), { class: "plain" })),
  );
  void listRules();
  void guarded(async () => agents.replaceChildren(...agentList(await ask("GET", "/v1/agents"))))();
  void guarded(async () => settingsView(settings, await ask("GET", "/v1/settings")))();
  const draw = () => who.replaceChildren(identity());
  draw();
  return { draw, tick: () => {} };
}

function identity() {
  const who = state.whoami;
  if (who === null) return el("p", { class: "note" }, "Reading…");
  const rows = [
    ["Acts for", who.user ?? "nobody yet: dispatch login --broker URL --email YOU"],
    ["Identity", who.identity.slice(0, 16)],
    ["Device", `${who.device.name} (${who.device.id.slice(0, 8)})`],
    ["Broker", who.broker ?? "none"],
    ["Runs tasks", who.daemon.can_run ? "yes, confined" : "no: there is no wall here"],
    ["Paused", who.daemon.paused_at ? `since ${exactly(who.daemon.paused_at)}: nothing new starts here. Take it back with dispatch pause --off` : "no"],
    ["Version", who.daemon.version],
  ];
  return el("dl", { class: "facts" }, rows.map(([name, value]) => [el("dt", {}, name), el("dd", {}, oneLine(value))]));
}

function checks(report) {
  return el("ul", { class: "checks" }, report.checks.map((each) => el("li", { class: each.ok ? "good" : "bad" }, `${each.ok ? "✓" : "✗"} ${oneLine(each.name)}: ${visible(each.detail)}`, each.remedy && !each.ok ? el("code", {}, visible(each.remedy)) : null)));
}

function ruleList({ rules }, remove) {
  if (rules.length === 0) return el("p", { class: "empty" }, "Nothing: every call that needs a yes asks for it.");
  return el("ul", { class: "cards" }, rules.map((each) => el("li", { class: "card" }, visible(each.meaning ?? each.rule_id), el("div", { class: "answers" }, button("Ask again", () => remove(each), { class: "small" })))));
}

function agentList({ agents }) {
  const own = agents.filter((each) => each.name !== "steps"); // that one follows signed steps, and nobody has to choose it
  const stands = (each) => (each.name === "steps" ? " · always there" : each.chosen ? ` · chosen, ${standing(each)}` : "");
  const standing = ({ ready, answers }) => (answers === null ? (ready ? "not tried" : "not ready") : answers ? "answers" : "silent");
  return [
    own.some((each) => each.chosen) ? null : el("p", { class: "note" }, "No agent is chosen: a task without steps waits until one is, or you do it by hand.", own.length ? null : [" Choose one with ", el("code", {}, "dispatch agent use openai:MODEL --url URL")]),
    el("ul", {}, agents.map((each) => el("li", {}, el("span", { class: "strong" }, oneLine(each.name)), stands(each), ` · ${visible(each.detail)}`, each.remedy ? [" ", el("code", {}, visible(each.remedy))] : null))),
  ].filter(Boolean);
}
