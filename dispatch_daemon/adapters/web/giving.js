// Giving a task to another device of the same person, before anybody has decided: that one decides it then, and not this one.

import { ask, Refusal } from "./api.js";
import { button, complaint, el, oneLine } from "./dom.js";
import { load } from "./store.js";
import { refused } from "./words.js";

/** Return the choice of one's other devices that run tasks; nothing where there is none. */
export function giving(thread) {
  const place = el("div");
  const said = complaint();
  const give = (device) => async () => {
    try {
      said.textContent = "";
      await ask("POST", `/v1/dispatches/${thread.dispatch_id}/handover`, { device: device.id });
      await load(thread.dispatch_id);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      said.textContent = refused(error);
    }
  };
  const fill = async () => {
    const { devices } = await ask("GET", "/v1/devices").catch(() => ({ devices: [] })); // without it, a terminal can still hand over
    const others = devices.filter((each) => !each.this && each.roles.includes("runner"));
    if (others.length === 0) return;
    place.append(
      el(
        "details",
        {},
        el("summary", {}, "Let another of my devices run it"),
        el("p", { class: "note" }, "It waits for you there from then on, and cannot be accepted here any more."),
        el("div", { class: "answers" }, others.map((each) => button(`Hand over to ${oneLine(each.name)}`, give(each), { class: "plain", data: { focus: `give-${each.id}` } }))),
        said,
      ),
    );
  };
  void fill();
  return place;
}
