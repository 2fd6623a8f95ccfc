// Building the page: every text becomes a text node and nothing else, so no word of anybody's can become markup.

const HIDDEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\u{e0100}-\u{e01ef}]|(?! )\p{Zs}/gu;

/** Return a text in which nothing is hidden: what cannot be seen stands as ⟨U+202E⟩; line breaks and tabs stay. */
export function visible(text) {
  return String(text).replace(HIDDEN, (char) =>
    char === "\n" || char === "\t" ? char : `⟨U+${char.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`,
  );
}

/** Return a text on one line, with nothing hidden in it. */
export function oneLine(text) {
  return visible(String(text).replace(/\s+/gu, " ").trim());
}

/** Make an element: `props` are properties and listeners (`onclick`), `data` and `aria` what stands in attributes. */
export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "class") node.className = value;
    else if (name === "data") Object.assign(node.dataset, value);
    else if (name.includes("-") || name === "role" || name === "for" || name === "list") node.setAttribute(name, value);
    else node[name] = value;
  }
  node.append(...children.flat(4).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** Make a button that does one thing; while it does, it cannot be pressed again. */
export function button(label, action, props = {}) {
  const node = el("button", { type: "button", ...props, onclick: () => once(node, action) }, label);
  return node;
}

async function once(node, action) {
  if (node.disabled) return;
  node.disabled = true;
  try {
    await action();
  } finally {
    node.disabled = false;
  }
}

/** Make the children of `parent` those of `entries` ({key, sig, build}); what has not changed is left alone. */
export function reconcile(parent, entries) {
  const old = new Map([...parent.children].map((node) => [node.dataset.key, node]));
  entries.forEach((entry, place) => {
    let node = old.get(entry.key);
    old.delete(entry.key);
    if (node === undefined || node.sig !== entry.sig) {
      const fresh = entry.build();
      fresh.dataset.key = entry.key;
      fresh.sig = entry.sig;
      if (node !== undefined) {
        carryOver(node, fresh);
        node.replaceWith(fresh);
      }
      node = fresh;
    }
    if (parent.children[place] !== node) parent.insertBefore(node, parent.children[place] ?? null);
  });
  for (const node of old.values()) node.remove();
}

/** Keep open what was open, what was typed, and the focus where it was, when a part of the page is drawn anew. */
function carryOver(before, after) {
  const opened = before.matches("details") ? [before] : [...before.querySelectorAll("details")];
  const later = after.matches("details") ? [after] : [...after.querySelectorAll("details")];
  opened.forEach((node, place) => {
    if (later[place] !== undefined && node.open) later[place].open = true;
  });
  for (const typed of before.querySelectorAll("input[data-focus], textarea[data-focus]")) {
    const again = after.querySelector(`[data-focus="${CSS.escape(typed.dataset.focus)}"]`);
    if (again !== null && typed.value !== typed.defaultValue) again.value = typed.value;
  }
  if (!before.contains(document.activeElement)) return;
  const label = document.activeElement.dataset.focus;
  if (label === undefined) return;
  queueMicrotask(() => after.querySelector(`[data-focus="${CSS.escape(label)}"]`)?.focus());
}

/** Return the name of a field with the control that it names. */
export function field(label, control, note = null) {
  control.id ||= `f${(fieldNumber += 1)}`;
  return el(
    "div",
    { class: "field" },
    el("label", { for: control.id }, label),
    control,
    note === null ? null : el("p", { class: "note" }, note),
  );
}
let fieldNumber = 0;

/** Return a place where a form says what is wrong, so that it is read aloud. */
export function complaint() {
  return el("p", { class: "complaint", role: "alert" });
}

/** Return how long ago, or at what time, something was. */
export function when(text) {
  if (!text) return "";
  const then = new Date(text);
  const seconds = Math.round((Date.now() - then.getTime()) / 1000);
  if (seconds < 0) return then.toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
  if (seconds < 60) return "now";
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h`;
  return then.toLocaleDateString([], { dateStyle: "medium" });
}

/** Return an exact time of day. */
export function clock(text) {
  return text ? new Date(text).toLocaleTimeString() : "";
}

/** Return how long there is still time, in the largest unit that says it. */
export function left(text) {
  const seconds = Math.max(0, Math.ceil((new Date(text).getTime() - Date.now()) / 1000));
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86400)} days`;
}

/** Return a size as people say it. */
export function size(bytes) {
  if (bytes < 1024) return `${bytes} bytes`;
  if (bytes < 1024 * 1024) return `${(bytes / 1024).toFixed(1)} KiB`;
  return `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}

/** Return a count with its noun. */
export function count(number, noun) {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}
