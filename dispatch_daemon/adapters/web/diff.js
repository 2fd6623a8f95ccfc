// Diffs as a reviewer reads them: one file after another, the signs kept, so that colour is never the only carrier.

import { el, oneLine, visible } from "./dom.js";

/** Return every diff, each under its path. */
export function diffs(all) {
  return all.map((each) => {
    const notes = [each.binary ? "binary" : null, each.truncated ? "cut: not all of it is shown" : null];
    const said = notes.filter((note) => note !== null).join(", ");
    return el(
      "section",
      { class: "diff" },
      el("h4", {}, oneLine(each.path), said ? el("span", { class: "warn" }, ` ${said}`) : null),
      el("pre", { tabIndex: 0, "aria-label": `Diff of ${oneLine(each.path)}` }, ...lines(each.text)),
    );
  });
}

function lines(text) {
  let begun = false; // the head ends with the first hunk: after it, `+++` is an added line that begins with `++`
  return text.split("\n").filter((line, place, all) => line !== "" || place < all.length - 1).map((line) => {
    begun ||= line.startsWith("@@");
    const kind = !begun ? "head"
      : line.startsWith("@@") ? "hunk"
      : line.startsWith("+") ? "added"
      : line.startsWith("-") ? "removed"
      : "same";
    return el("span", { class: kind }, `${visible(line)}\n`);
  });
}
