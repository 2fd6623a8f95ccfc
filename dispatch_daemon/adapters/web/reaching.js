// What of a grant leads out of the wall: hosts, by name, and the tool servers of this machine.

import { ask } from "./api.js";
import { el, field, oneLine } from "./dom.js";

/** Return the fields for hosts and servers, and what stands in them; `now` is what is granted already. */
export function reaching(now, update) {
  const granted = now?.mcp_servers ?? [];
  const hosts = el("textarea", { rows: 2, spellcheck: false, placeholder: "api.example.org", value: (now?.network ?? []).join("\n") });
  const list = el("div");
  const boxes = (names, here) => names.map((name) => el("label", { class: "check" }, el("input", { type: "checkbox", value: name, checked: granted.includes(name) }), ` ${oneLine(name)}${here.has(name) ? "" : " (not on this machine any more)"}`));
  const shown = el("fieldset", { hidden: granted.length === 0 }, el("legend", {}, "MCP servers that it may ask, each call named"), list);
  list.replaceChildren(...boxes(granted, new Set(granted)));
  const fill = async () => {
    const { servers } = await ask("GET", "/v1/agents/servers").catch(() => ({ servers: null }));
    if (servers === null) return; // what is granted stays as it is shown
    const here = new Set(servers.map((each) => each.name));
    const names = [...new Set([...here, ...granted])].sort();
    list.replaceChildren(...boxes(names, here));
    shown.hidden = names.length === 0;
    update();
  };
  void fill();
  const kept = (values, before) => (JSON.stringify([...values].sort()) === JSON.stringify([...before].sort()) ? before : values);
  return {
    view: [
      field("Hosts that a run may reach, one a line", hosts, "None: it has no network. Each by its whole name, with :PORT where it is not 443."),
      shown,
    ],
    network: () => kept(hosts.value.split("\n").map((each) => each.trim()).filter(Boolean), now?.network ?? []),
    servers: () => kept([...list.querySelectorAll("input:checked")].map((box) => box.value), granted),
  };
}
