// The page's words for what the daemon says in codes: statuses, scopes, flags, ends.

import { count, left, oneLine, visible } from "./dom.js";

/** Return a moment with its day, as this machine's clock shows it. */
export function exactly(text) {
  return new Date(text).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
}

/** Return a no of the daemon in sentences: what happened, and what to do or to type next. */
export function refused(error, { next = true } = {}) {
  const what = visible(error.message).replace(/^[a-z]+(?=[ ,])/, (word) => word.charAt(0).toUpperCase() + word.slice(1));
  const sentence = /[.!?]$/.test(what) ? what : `${what}.`;
  const step = !next ? "" : error.candidates.length > 0 ? error.candidates.map(oneLine).join(", ") : visible(error.hint);
  if (step === "") return sentence;
  return `${sentence} ${/^dispatch\b/.test(step) ? "Type " : ""}${step}`;
}

const STATUS = {
  waiting: "waits for another task",
  held: "held",
  queued: "on its way",
  sent: "at the broker",
  delivered: "delivered",
  accepted: "accepted",
  running: "running",
  waiting_approval: "waits for an answer",
  waiting_input: "parked",
  completed: "done",
  failed: "failed",
  refused: "refused",
  declined: "declined",
  expired: "expired",
  cancelled: "cancelled",
  conflict: "conflict",
};

/** Say whether another device of mine is to run what was sent to me. */
export function isElsewhere(thread) {
  return Boolean(thread.owner) && !thread.owner.this;
}

/** Return where a thread stands, in the words of whoever looks, and the tone of it. */
export function standing(thread) {
  const mine = thread.box !== "sent";
  if (thread.elsewhere) return [`${STATUS[thread.status] ?? thread.status} on ${oneLine(thread.elsewhere.name)}`, "quiet"];
  if (mine && thread.status === "delivered") return [`waits for you${isElsewhere(thread) ? ` on ${oneLine(thread.owner.name)}` : ""}`, "waiting"];
  if (mine && thread.status === "waiting_approval") return ["asks you", "waiting"];
  if (mine && thread.status === "waiting_input") return ["parked, waits for you", "waiting"];
  const words = STATUS[thread.status] ?? thread.status;
  const presumed = thread.presumed ? ", as far as is known here" : "";
  if (thread.status === "completed") return [words, "good"];
  if (["failed", "refused", "declined", "expired", "conflict"].includes(thread.status)) return [words + presumed, "bad"];
  return [words + presumed, "quiet"];
}

const APPROVAL = {
  manual: "approve each call",
  review: "approve the changes at the end",
  auto: "are asked nothing, only about flagged changes",
};
const RETURNS = { status: "how it ended", result: "the result", trace: "the result and every call" };

/**
 * Return what scopes allow, in one sentence about the tasks of `name`, which `whom` ("you", "they") decide about.
 * A program that speaks ACP (`agent`) decides itself which of its calls it asks for; the wall holds for all of them.
 */
export function sentence(scopes, name, whom = "you", agent = null) {
  const asks = agent === "acp" && scopes.approval === "manual" ? "approve each call that its agent asks for" : APPROVAL[scopes.approval];
  const tools = scopes.tools.length === 0 ? "use no tool" : `use ${scopes.tools.join(", ")}`;
  const one = `in the one directory that ${whom} accept each task in`;
  const listed = `in ${scopes.paths.map((each) => `${oneLine(each.path)} (${each.mode === "rw" ? "may change" : "only read"})`).join(", ")}`;
  const only = scopes.run_directory_only === true;
  const places = scopes.paths.length === 0 ? (only ? "in no directory" : one) : only ? `${listed}, and there only ${one}` : listed;
  const network = scopes.network.length === 0 ? "without network" : `reaching ${scopes.network.map(oneLine).join(", ")}`;
  const servers = scopes.mcp_servers.length === 0 ? "" : `, and asking the MCP servers ${scopes.mcp_servers.map(oneLine).join(", ")}${scopes.approval === "review" ? " (each call asks)" : ""}`;
  const ends = scopes.expires_at ? `, for ${left(scopes.expires_at)} from now` : "";
  const daily = scopes.max_per_day ? `; at most ${count(scopes.max_per_day, "task")} a day` : "";
  const bounds = [budget(scopes.budget), times(scopes)].filter(Boolean).join("; ");
  return `${name} may ${tools} ${places}, ${network}${servers}; ${whom} ${asks}; back goes ${RETURNS[scopes.returns]}${daily}${ends}${bounds ? `; ${bounds}` : ""}.`;
}

/** Return how long a run may take and a question waits, where they are not what goes without saying: an hour, two minutes. */
function times(scopes) {
  const parts = [
    scopes.max_runtime_s && scopes.max_runtime_s !== 3600 ? `a run may take ${count(scopes.max_runtime_s, "second")}` : null,
    scopes.approval_timeout_s && scopes.approval_timeout_s !== 120 ? `a question waits ${count(scopes.approval_timeout_s, "second")}` : null,
  ];
  return parts.filter(Boolean).join(", ");
}

/** Return what a run may spend of a model at most; empty where nothing bounds it. */
export function budget(bounds) {
  const parts = [
    bounds?.turns != null ? count(bounds.turns, "turn") : null,
    bounds?.tokens != null ? count(bounds.tokens, "token") : null,
    bounds?.cost_microusd != null ? dollars(bounds.cost_microusd) : null,
  ].filter((part) => part !== null);
  return parts.length === 0 ? "" : `at most ${parts.join(", ")} a run`;
}

/** Return what a run used of a model; empty where there was none. */
export function used(usage) {
  if (usage?.turns == null) return "";
  const tokens = (usage.input_tokens ?? 0) + (usage.output_tokens ?? 0);
  const parts = [count(usage.turns, "turn"), tokens ? count(tokens, "token") : null, usage.cost_microusd != null ? dollars(usage.cost_microusd) : null];
  return parts.filter((part) => part !== null).join(", ");
}

function dollars(microusd) {
  return `$${(microusd / 1_000_000).toFixed(6).replace(/0{1,4}$/, "")}`;
}

const FACES = { cli: "command line", page: "page", mcp: "agent session", api: "a program" };

/** Return through which face of this machine somebody answered, or on which other device; nothing if nobody did. */
export function by(said) {
  if (said.decided_on) return `, said on ${oneLine(said.decided_on.name ?? said.decided_on.device.slice(0, 8))}`;
  if (said.decided_by === "rule") return ", by a rule of yours";
  if (said.decided_by === "device") return ", said on another device";
  return said.decided_by ? `, through the ${FACES[said.decided_by] ?? "nobody"}` : "";
}

const DECISIONS = { approved: "allowed", denied: "denied", expired: "nobody answered", withdrawn: "withdrawn" };
const GRANTS = { once: "once", always: "from now on always", session: "in this run" };

/** Return what was answered, and how far a yes reaches. */
export function answered(decision, grant) {
  const words = DECISIONS[decision] ?? decision;
  return decision === "approved" && grant ? `${words} ${GRANTS[grant] ?? grant}` : words;
}

const CHANGES = {
  create: "+ new",
  modify: "~ changed",
  delete: "− removed",
  rename: "→ renamed",
  mode: "~ mode",
  symlink: "+ link",
  mkdir: "+ directory",
};

/** Return what happens to one path. */
export function change(each) {
  const target = each.target ? ` → ${oneLine(each.target)}` : "";
  return `${CHANGES[each.op] ?? each.op}  ${oneLine(each.path)}${target}`;
}

const FLAGS = {
  build: "runs when somebody builds",
  test_setup: "runs when somebody tests",
  python_startup: "runs whenever Python starts",
  script: "is a script",
  ci: "runs on another machine when it is pushed",
  container: "says how a container is built",
  git_hook: "runs when somebody uses Git",
  git_attributes: "changes how Git treats files",
  agent_instructions: "tells agents what to do",
  secrets: "is a place for secrets",
  executable: "can be executed",
  program: "is a program",
  world_writable: "may be written by everybody",
  hard_link: "has another name elsewhere",
  new_owner: "was somebody else's file",
};

/** Return in words why something needs a second look. */
export function flag(word) {
  return FLAGS[word] ?? visible(word);
}

/** Return what holds once a run asks no more: what goes to a granted server stands in no changeset, so it still asks. */
export function reviewed(servers) {
  const ends = "you review its changes at the end.";
  return servers.length === 0 ? `This run asks no more; ${ends}` : `This run asks no more inside the wall, and still for each call of ${servers.map(oneLine).join(", ")}; ${ends}`;
}

/** Return a call in a few words: the tool, and what it is about. */
export function title(tool, input) {
  const about = input?.command ?? input?.file_path ?? input?.pattern ?? input?.path ?? input?.title ?? "";
  const text = oneLine(typeof about === "string" ? about : JSON.stringify(about));
  return `${oneLine(tool ?? "call")} ${text}`.trim();
}
