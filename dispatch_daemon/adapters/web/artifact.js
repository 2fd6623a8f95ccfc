// A file that came of a run: looked at as what it can only be, text or a picture of four kinds, or kept.

import { ask, download, Refusal } from "./api.js";
import { button, el, oneLine, size, visible } from "./dom.js";
import { refused } from "./words.js";

const TEXT_BYTES = 256 * 1024;
const PICTURES = new Set(["image/png", "image/jpeg", "image/gif", "image/webp"]);

/** Return one file of a run's, with what there is to look at and to keep of it. */
export function artifact(each, thread) {
  const shown = el("div", { class: "preview" });
  const said = el("p", { class: "complaint", role: "alert" });
  const bytes = async () => {
    // Its address works once: the one that is known now may have been used by another tab.
    const fresh = (await ask("GET", `/v1/dispatches/${thread.dispatch_id}`)).artifacts.find((one) => one.name === each.name && one.sha256 === each.sha256);
    if (!fresh?.download_url) throw new Refusal(404, { detail: "This file is not here." });
    return download(fresh.download_url);
  };
  const guarded = (action) => async () => {
    try {
      said.textContent = "";
      await action(await bytes());
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      said.textContent = refused(error);
    }
  };
  const previewable = PICTURES.has(each.mime_type) || (each.size_bytes <= TEXT_BYTES && !each.mime_type.startsWith("image/"));
  return el(
    "li",
    {},
    `${oneLine(each.name)}, ${size(each.size_bytes)} `,
    each.download_url !== null || thread.files_arriving === false ? [
      previewable ? button("Look", guarded(async (blob) => shown.replaceChildren(await preview(each, blob))), { class: "small" }) : null,
      button("Save", guarded(async (blob) => save(each, blob)), { class: "small" }),
    ] : el("span", { class: "note" }, "still arriving"),
    said,
    shown,
  );
}

/** Show a file as what it can only be: a picture of four kinds, or text. */
async function preview(each, blob) {
  if (PICTURES.has(each.mime_type)) {
    const url = URL.createObjectURL(new Blob([blob], { type: each.mime_type }));
    return el("img", { src: url, alt: oneLine(each.name), onload: () => URL.revokeObjectURL(url) });
  }
  const text = await blob.text();
  return el("pre", { tabIndex: 0, "aria-label": oneLine(each.name) }, text.includes("\0") ? "This is no text." : visible(text));
}

function save(each, blob) {
  const url = URL.createObjectURL(new Blob([blob], { type: "application/octet-stream" }));
  el("a", { href: url, download: each.name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
