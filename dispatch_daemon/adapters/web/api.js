// The daemon of this machine, as the page may ask it: a link's code becomes a token that lives in this tab alone.

const KEY = "dispatch-page";

/** What the daemon said no with: its code, a sentence, and what to type next; status 0 is one that did not answer. */
export class Refusal extends Error {
  constructor(status, problem) {
    super(problem.detail ?? "The daemon did not answer as it should.");
    this.status = status;
    this.code = problem.code ?? "internal";
    this.hint = problem.hint ?? "";
    this.candidates = problem.candidates ?? [];
    this.applied = problem.applied ?? null;
  }
}

let token = sessionStorage.getItem(KEY);

/** Take the code of a link out of the address, before anything else, and open the page with it. */
export async function enter() {
  const match = /^#code=([A-Za-z0-9_-]+)$/.exec(location.hash);
  if (match === null) return;
  history.replaceState(null, "", "#/inbox");
  forget();
  const opened = await send("POST", "/v1/page/sessions", { body: { code: match[1] } });
  token = opened.token;
  sessionStorage.setItem(KEY, token);
}

export function isOpen() {
  return token !== null;
}

export function forget() {
  token = null;
  sessionStorage.removeItem(KEY);
}

/** Ask the daemon; raises Refusal for a no, and when nobody answers. */
export function ask(method, path, body = undefined, headers = {}) {
  return send(method, path, { body, headers });
}

/** Fetch, and say it in words when nobody answers. */
async function reach(path, options) {
  try {
    return await fetch(path, { credentials: "omit", redirect: "error", referrerPolicy: "no-referrer", ...options });
  } catch {
    throw new Refusal(0, { detail: "The daemon of this machine did not answer.", code: "unreachable", hint: "Try again when it is back." });
  }
}

async function send(method, path, { body, headers = {} }) {
  const chosen = { Accept: "application/json", ...headers };
  if (token !== null) chosen.Authorization = `Bearer ${token}`;
  if (body !== undefined) chosen["Content-Type"] = "application/json";
  const answer = await reach(path, { method, headers: chosen, body: body === undefined ? undefined : JSON.stringify(body) });
  const value = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Refusal(answer.status, value);
  return value;
}

/** Hand over one file; it is sealed while it is read. */
export async function upload(file) {
  const headers = { Authorization: `Bearer ${token}`, "Content-Type": "application/octet-stream" };
  const answer = await reach("/v1/files", { method: "POST", headers, body: file });
  const value = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Refusal(answer.status, value);
  return value.file_id;
}

/** Fetch the bytes behind an address that works once. */
export async function download(path) {
  const answer = await reach(path, {});
  if (!answer.ok) throw new Refusal(answer.status, await answer.json().catch(() => ({})));
  return answer.blob();
}

/** Follow what happens, for as long as the page is open: the whole present state first, then every change. */
export async function follow({ onUpdate, onState }) {
  let pause = 250;
  for (;;) {
    try {
      await listen(onUpdate, () => {
        pause = 250;
        onState("connected");
      });
      onState("lost");
    } catch (error) {
      if (error instanceof Refusal && error.status === 401) {
        onState("over");
        return;
      }
      onState("lost");
    }
    await new Promise((resolve) => setTimeout(resolve, pause));
    pause = Math.min(pause * 2, 5000);
  }
}

async function listen(onUpdate, onConnected) {
  const answer = await reach("/v1/events", { headers: { Accept: "text/event-stream", Authorization: `Bearer ${token}` } });
  if (!answer.ok) throw new Refusal(answer.status, await answer.json().catch(() => ({})));
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    rest += value;
    const pieces = rest.split("\n\n");
    rest = pieces.pop();
    for (const piece of pieces) {
      const event = parse(piece);
      if (event === null) continue;
      if (event.kind === "dropped") return;
      if (event.kind === "snapshot") onConnected();
      onUpdate(event.kind, event.data);
    }
  }
}

/** Read one server-sent event; comments and pauses are none. */
function parse(piece) {
  let kind = null;
  const data = [];
  for (const line of piece.split("\n")) {
    if (line.startsWith("event: ")) kind = line.slice(7);
    else if (line.startsWith("data: ")) data.push(line.slice(6));
  }
  return kind === null ? null : { kind, data: JSON.parse(data.join("\n") || "{}") };
}
