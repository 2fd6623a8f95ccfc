// What a bundle proves: the numbered list of docs/PROTOCOL.md, chapter 9, with its names and in its order.

const PARTY = is.object({ identity: is.hex(32), device: is.hex(32), head: is.hex(32) });
const HEAD = {
  v: is.word(1),
  nonce: is.bytes(16),
  from: PARTY,
  to: is.object({ identity: is.hex(32), head: is.hex(32) }),
  edge: is.hex(16),
  re: is.hex(32),
  created: is.whole,
  expires: is.whole,
};
const ANSWER = { ...HEAD, seq: is.whole, prev: is.hex(32) };
const FILE = { name: is.text, size: is.whole, sha256: is.hex(32), blob: is.any };
const CHANGE = { op: is.text, path: is.text, kind: is.any, old_mode: is.any, new_mode: is.any, size: is.maybe(is.whole), sha256: is.maybe(is.hex(32)), target: is.maybe(is.text), flags: is.many(is.text) };
const BODIES = {
  task: is.object({
    ...HEAD, principal: PARTY, mandate: is.any, origin: is.any, owner_device: is.hex(32), grant_version: is.any, task: is.text, background: is.maybe(is.text),
    links: is.many(is.text), deliverable: is.maybe(is.text), project: is.maybe(is.text), attachments: is.many(is.object(FILE)), steps: is.many(is.object({ tool: is.text, input: is.any, save_as: is.maybe(is.text), allow_failure: is.flag })),
    instructions: is.maybe(is.text), meta: is.any, route: is.any, device: is.any, after: is.many(is.hex(32)), on_failure: is.any, retries: is.any, timeout: is.any, budget: is.any, thread: is.hex(16), parent: is.any,
  }),
  decision: is.object({ ...ANSWER, decision: is.word("accepted", "declined"), mode: is.maybe(is.word("manual", "review", "auto", "by_hand")), reason: is.maybe(is.text), run_id: is.maybe(is.hex(16)) }),
  receipt: is.object({ ...ANSWER, type: is.word("delivered", "refused", "expired", "started", "heartbeat", "waiting", "cancelled", "unsupported", "stale_chain"), code: is.maybe(is.text), detail: is.maybe(is.text), run_id: is.maybe(is.hex(16)), data: is.any }),
  result: is.object({
    ...ANSWER, run_id: is.hex(16), outcome: is.word("success", "blocked", "need_input", "failed"), summary: is.text, returns: is.word("status", "result", "trace"), agent: is.text, started: is.whole, ended: is.whole,
    code: is.maybe(is.text), changeset: is.many(is.object(CHANGE)), changeset_digest: is.maybe(is.hex(32)), diffs: is.many(is.object({ path: is.text, text: is.text, truncated: is.flag, binary: is.flag })), diff_truncated: is.flag,
    artifacts: is.many(is.object({ ...FILE, kind: is.text, mime_type: is.text })), events: is.many(is.any), usage: is.any, confinement: is.any,
  }),
};
const BUNDLE = is.object({
  format: is.word("dispatch-bundle/1"),
  author: is.object({ address: is.maybe(is.text), links: is.many(is.any) }),
  recipient: is.object({ address: is.maybe(is.text), links: is.many(is.any) }),
  task: is.any,
  answers: is.many(is.any),
});
const NONE = "0".repeat(64);

/** Return the one device of a chain that signed a document, whether or not it is active still. */
function signerOf(document, chain) {
  need(document.names.length === 1 && chain.states.some((state) => state.has(document.names[0])), "not signed by one device of the identity");
  signersOf(document);
  return document.names[0];
}

/** Read the body of a document whose signature holds, and compare whom it names with who signed it. */
function bodyOf(document, chain, kinds) {
  const kind = KIND.exec(document.type)?.[1];
  need(kinds.includes(kind), "a document of another kind");
  const said = readCanonical(document.body, `a ${kind}`);
  BODIES[kind](said);
  need(said.from.identity === chain.genesis && said.from.device === document.names[0], "a document that names another sender than its signer");
  const at = chain.heads.indexOf(said.from.head);
  need(at >= 0 && chain.states[at].has(said.from.device), "a document whose signer was not active in the chain that it states");
  return { kind, said, digest: document.digest };
}

/** A result shows no more than its own `returns`, and a decision names a mode and a run exactly when it accepts. */
function needSound({ kind, said }) {
  need((said.seq === 1) === (said.prev === NONE) && said.seq >= 1 && said.re !== NONE, "an answer without a place");
  if (kind === "decision") {
    const accepts = said.decision === "accepted";
    need(accepts === (said.mode !== null) && accepts === (said.run_id !== null), "a decision without its mode");
  }
  if (kind !== "result") return;
  need(said.ended >= said.started && (said.outcome !== "success" || said.code === null), "a result that contradicts itself");
  const shown = said.summary !== "" || said.changeset.length + said.diffs.length + said.artifacts.length > 0 || said.changeset_digest !== null || said.diff_truncated;
  need((said.returns !== "status" || !shown) && (said.returns === "trace" || said.events.length === 0), "a result that says more than its own limit");
}

const STEPS = [
  ["format", (found) => {
    found.bundle = readCanonical(found.bytes, "the bundle");
    BUNDLE(found.bundle);
    found.task = { document: readDocument(found.bundle.task) };
    found.documents = found.bundle.answers.map(readDocument);
    return `a task with ${counted(found.documents.length, "answer")}`;
  }],
  ["author_chain", (found) => {
    found.author = followChain(found.bundle.author.links);
    return `${found.author.genesis}, ${counted(found.author.heads.length, "link")}`;
  }],
  ["recipient_chain", (found) => {
    found.recipient = followChain(found.bundle.recipient.links);
    return `${found.recipient.genesis}, ${counted(found.recipient.heads.length, "link")}`;
  }],
  ["task_signature", (found) => `signed by the author's device ${signerOf(found.task.document, found.author)}`],
  ["task", (found) => {
    found.task = bodyOf(found.task.document, found.author, ["task"]);
    const { to, from, principal, mandate } = found.task.said;
    need(to.identity === found.recipient.genesis && found.recipient.heads.includes(to.head), "the task is for another recipient than the bundle's");
    need(mandate === null && canonical(principal) === canonical(from), "a task on behalf of somebody else");
    return `for ${to.identity}`;
  }],
  ["answer_signatures", (found) => {
    found.answers = found.documents.map((document) => {
      signerOf(document, found.recipient);
      const answer = bodyOf(document, found.recipient, ["decision", "receipt", "result"]);
      needSound(answer);
      return answer;
    });
    return `${counted(found.answers.length, "answer")} signed by devices of the recipient`;
  }],
  ["answer_subjects", (found) => {
    for (const { said } of found.answers) {
      need(said.re === found.task.digest && said.to.identity === found.author.genesis && said.edge === found.task.said.edge, "an answer that concerns another dispatch, or was given to somebody else");
    }
    return "every answer concerns this dispatch and is for its author";
  }],
  ["answer_chains", (found) => {
    const devices = new Map();
    for (const answer of found.answers) {
      const device = answer.said.from.device;
      devices.set(device, (devices.get(device) ?? new Map()).set(answer.digest, answer.said));
    }
    for (const answers of devices.values()) {
      let before = NONE;
      [...answers].sort(([, one], [, other]) => one.seq - other.seq).forEach(([digest, said], place) => {
        need(said.seq === place + 1 && said.prev === before, "an answer that is missing, or was replaced");
        before = digest;
      });
    }
    return `no answer is missing, repeated or replaced (${counted(devices.size, "device")})`;
  }],
  ["decision", (found) => {
    const decisions = found.answers.filter((each) => each.kind === "decision");
    const accepted = decisions.filter((each) => each.said.decision === "accepted");
    need(accepted.length <= 1, "two devices of the recipient accepted it: a conflict");
    need(accepted.length === 1 || !found.answers.some((each) => each.kind === "result"), "a result without a decision to accept");
    found.decision = (accepted[0] ?? decisions[0])?.said ?? null;
    return found.decision === null ? "nobody has decided" : `${found.decision.decision} by a human of the recipient`;
  }],
  ["result", (found) => {
    const results = found.answers.filter((each) => each.kind === "result").map((each) => each.said);
    found.result = results.sort((one, other) => one.ended - other.ended || one.seq - other.seq).at(-1) ?? null;
    return found.result === null ? "no result is in the bundle" : `run ${found.result.run_id} ended: ${found.result.outcome}`;
  }],
];

function counted(number, noun) {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}

/** Check a bundle down the list; nothing of it counts unless `ok`. Whatever is wrong is in the report, nothing is thrown. */
function examine(bytes) {
  const found = { bytes };
  const checks = [];
  for (const [name, step] of STEPS) {
    if (checks.some((check) => !check.ok)) {
      checks.push({ name, ok: false, detail: "not checked, because an earlier check failed" });
      continue;
    }
    try {
      checks.push({ name, ok: true, detail: step(found) });
    } catch (error) {
      checks.push({ name, ok: false, detail: error instanceof Refused ? error.message : "it cannot be read" });
    }
  }
  return { ok: checks.every((check) => check.ok), checks, found };
}
