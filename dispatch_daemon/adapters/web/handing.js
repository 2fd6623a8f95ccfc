// Handing files over to the daemon: each is sealed while it is read, and stands for itself by an id from then on.

import { upload } from "./api.js";
import { count, oneLine } from "./dom.js";

/** Hand over files one after the other, and say in `chosen` how far it is; returns what a request names them by. */
export async function handOver(all, chosen) {
  const kept = [];
  for (const file of all) {
    chosen.textContent = `Sealing ${kept.length + 1} of ${all.length}: ${oneLine(file.name)}`;
    kept.push({ file_id: await upload(file), name: file.name });
  }
  chosen.textContent = all.length ? `${count(all.length, "file")} sealed` : "";
  return kept;
}
