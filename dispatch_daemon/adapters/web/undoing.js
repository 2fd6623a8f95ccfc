// Taking back what a run changed here: shown first under its digest, then undone exactly so, or not at all.

import { ask, Refusal } from "./api.js";
import { diffs } from "./diff.js";
import { button, complaint, count, el, oneLine, when } from "./dom.js";
import { change, refused } from "./words.js";

/** Return what can be done about changes that were applied here, or that they were taken back. */
export function undoing(thread) {
  const run = thread.runs.at(-1);
  if (thread.box === "sent" || run === undefined) return [];
  if (run.undone_at) return [el("p", { class: "note" }, `Undone ${when(run.undone_at)}: the files are as they were before the run.`)];
  if (!run.undo_until) return [];
  const said = complaint();
  const shown = el("div", { class: "undo" });
  const leave = () => {
    shown.replaceChildren();
    said.textContent = "";
    look.focus();
  };
  const look = button("See what an undo would do", () => guarded(said, async () => {
    const seen = await ask("GET", path(thread));
    shown.replaceChildren(...preview(thread, seen, said, leave));
    shown.querySelector("button.plain")?.focus();
  }), { class: "plain", data: { focus: "undo" } });
  return [el("div", { class: "answers" }, look, el("span", { class: "note" }, `It can be undone until ${new Date(run.undo_until).toLocaleDateString()}.`)), shown, said];
}

function preview(thread, seen, said, leave) {
  if (seen.drift.length > 0) {
    return [
      el("p", { class: "warn" }, "Nothing can be undone: these changed since the run."),
      el("ul", { class: "changes" }, seen.drift.map((each) => el("li", {}, oneLine(each)))),
      el("div", { class: "answers" }, button("Leave it as it is", leave, { class: "plain" })),
    ];
  }
  const undo = () => guarded(said, () => ask("POST", path(thread), { digest: seen.digest, by: "page" }));
  return [
    el("p", {}, `${count(seen.changeset.length, "path")} would be as before the run. The sender is not told.`),
    el("ul", { class: "changes" }, seen.changeset.map((each) => el("li", {}, change(each)))),
    ...diffs(seen.diffs),
    el("div", { class: "answers" }, button("Undo exactly this", undo, { class: "deny" }), button("Leave it as it is", leave, { class: "plain" })),
  ];
}

function path(thread) {
  return `/v1/dispatches/${thread.dispatch_id}/undo`;
}

async function guarded(said, act) {
  try {
    said.textContent = "";
    await act();
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    said.textContent = refused(error);
  }
}
