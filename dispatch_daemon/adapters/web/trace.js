// A run as it happens, folded by step: each call with its result, and what was decided about it.

import { clock, el, oneLine, visible } from "./dom.js";
import { verbatim } from "./question.js";
import { answered, by, title } from "./words.js";

/** Return everything that happened to a thread, in order. */
export function trace(thread) {
  const results = new Map();
  for (const event of thread.events) if (event.type === "tool_result") results.set(`${event.run_id} ${event.data.call_id}`, event.data);
  const shown = thread.events.map((event) => entry(event, results)).filter((node) => node !== null);
  if (shown.length === 0) return el("div");
  return el("section", { class: "trace", "aria-label": "What happened" }, el("h2", {}, "What happened"), el("ol", {}, shown));
}

function entry(event, results) {
  const data = event.data;
  switch (event.type) {
    case "tool_call":
      return call(event, results.get(`${event.run_id} ${data.call_id}`));
    case "message":
      return spoken("said", data.text);
    case "reasoning":
      return el("li", { class: "spoken" }, el("details", {}, el("summary", {}, "thought"), el("blockquote", {}, visible(data.text))));
    case "warning":
      return plain(event, `Warning: ${visible(data.warning ?? "")}`, "warn");
    case "approval_decided":
      return plain(event, `${answered(data.decision, data.grant)}${by(data)}`);
    case "dispatch.decision.made":
      return plain(event, `${oneLine(data.decision)}${data.cwd ? ` in ${oneLine(data.cwd)}` : ""}${data.reason ? `: ${visible(data.reason)}` : ""}`);
    case "run_started":
      return plain(event, data.resumed ? "went on" : "began");
    case "gate":
      return plain(event, `${data.allowed ? "asked outside the wall" : "was not let outside the wall"}: ${visible(data.what ?? "")}`, "warn");
    case "cancel_requested":
      if (data.by === "edge") return plain(event, "was stopped, because the edge that it came over was revoked or narrowed", "warn");
      if (data.by === "device") return plain(event, "was stopped, because the device that it came from was revoked", "warn");
      return plain(event, `a cancel was asked for by the ${oneLine(data.by)}${data.reason ? `: ${visible(data.reason)}` : ""}`);
    case "files":
      return plain(event, data.state === "here" ? "its files are here" : `a file is ${oneLine(data.state)}: ${visible(data.name ?? "")}`, data.state === "here" ? "" : "warn");
    case "applied":
      return plain(event, "its changes were applied");
    case "undone":
      return plain(event, "its changes were undone");
    case "discarded":
      return plain(event, "what it wrote was thrown away");
    case "run_ended":
      return plain(event, `ended: ${oneLine(data.outcome)}${data.code ? ` (${oneLine(data.code)})` : ""}`);
    default:
      return null; // moves of states are told by the thread's own status
  }
}

function plain(event, text, tone = "") {
  return el("li", { class: tone }, el("time", { dateTime: event.at }, clock(event.at)), ` ${text}`);
}

function spoken(how, text) {
  return el("li", { class: "spoken" }, el("span", { class: "name" }, how), el("blockquote", {}, visible(text ?? "")));
}

function call(event, result) {
  const { tool, input } = event.data;
  const ended = result === undefined ? "…" : result.ok ? "done" : "failed";
  return el(
    "li",
    { class: result?.ok === false ? "warn" : "" },
    el(
      "details",
      {},
      el("summary", {}, el("time", { dateTime: event.at }, clock(event.at)), ` ${title(tool, input)} `, el("span", { class: "note" }, ended)),
      verbatim(tool, input),
      result === undefined ? null : el("div", { class: "part" }, el("span", { class: "name" }, result.ok ? "output" : "failed"), el("pre", { tabIndex: 0, "aria-label": "output" }, visible([result.error, result.output].filter(Boolean).join("\n")) || "(nothing)"), result.truncated ? el("p", { class: "warn" }, "cut: not all of it is shown") : null),
    ),
  );
}
