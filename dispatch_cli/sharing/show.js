// The page: it checks first, and then shows what was checked and nothing else. Whatever stands in a document is text.

function el(name, attributes, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children.flat(Infinity).filter((child) => child !== null));
  return element;
}

/** Show characters that a screen would hide, or that would turn a line round. */
const visible = (text) => text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (each) => (each === "\n" || each === "\t" ? each : `\\u{${each.codePointAt(0).toString(16)}}`));
const words = (text) => el("pre", {}, visible(text));
const moment = (ms) => new Date(ms).toISOString().replace("T", " ").slice(0, 19) + " UTC";
const code = (text) => el("code", {}, visible(text));

function facts(pairs) {
  return el("dl", {}, pairs.filter((pair) => pair !== null).map(([name, ...value]) => [el("dt", {}, name), el("dd", {}, value)]));
}

function part(title, ...children) {
  return el("section", {}, el("h2", {}, title), children);
}

/** Return a side: its address is a claim, its fingerprint is what was signed. */
function side(claimed, genesis) {
  return [claimed === null ? "no address claimed" : `claims ${visible(claimed)}`, el("br", {}), code(genesis)];
}

const tools = (steps) => (steps.length === 0 ? null : part("Steps of the task", words(JSON.stringify(steps.map(({ tool, input }) => ({ tool, input })), null, 2))));

function files(title, list) {
  return list.length === 0 ? null : part(title, el("ul", {}, list.map((file) => el("li", {}, visible(file.name), `, ${file.size} bytes, SHA-256 `, code(file.sha256)))));
}

function changes({ changeset, diffs }) {
  if (changeset.length === 0) return null;
  return part("What it changed", el("ul", {}, changeset.map((each) => el("li", {}, `${each.op} `, code(each.path), each.flags.length === 0 ? "" : ` (${each.flags.join(", ")})`))), diffs.map((each) => [el("h3", {}, visible(each.path)), words(each.binary ? "(binary)" : each.text + (each.truncated ? "\n(cut)" : ""))]));
}

function happened(answers) {
  const told = ({ kind, said }) => {
    if (kind === "result") return `result: ${said.outcome}`;
    if (kind === "decision") return said.decision;
    return [said.type, said.code].filter(Boolean).map(visible).join(": ");
  };
  const rows = [...answers].sort((one, other) => one.said.created - other.said.created || one.said.seq - other.said.seq);
  return part("What the recipient's devices signed", el("ol", {}, rows.map((each) => el("li", {}, `${moment(each.said.created)}  ${told(each)}`))));
}

/** What stands for the outcome where there is no result: what was declined never gets one. */
function unended(decision) {
  return decision !== null && decision.decision === "declined" ? "none: it was declined" : "none yet";
}

function contents({ bundle, author, recipient, task, answers, decision, result }) {
  return [
    facts([
      ["Asked by", ...side(bundle.author.address, author.genesis)],
      ["Asked of", ...side(bundle.recipient.address, recipient.genesis)],
      ["Asked at", moment(task.said.created)],
      ["Decision", decision === null ? "none yet" : decision.decision],
      ["Outcome", result === null ? unended(decision) : result.outcome + (result.code === null ? "" : ` (${visible(result.code)})`)],
      result === null ? null : ["By", `${visible(result.agent)}, ended ${moment(result.ended)}`],
    ]),
    part("The task, word for word", words(task.said.task)),
    task.said.background === null ? null : part("Background", words(task.said.background)),
    tools(task.said.steps),
    files("Files that went with it", task.said.attachments),
    result === null || result.summary === "" ? null : part("The result, word for word", words(result.summary)),
    result === null ? null : changes(result),
    result === null ? null : files("Files that it made", result.artifacts),
    happened(answers),
    ownFile([...task.said.attachments, ...(result?.artifacts ?? [])]),
  ];
}

/** Let the reader hold a file of theirs against the digests that were signed; it never leaves the page. */
function ownFile(signed) {
  if (signed.length === 0) return null;
  const chosen = el("input", { type: "file", id: "own" });
  const answer = el("p", { id: "own-answer", "aria-live": "polite" });
  chosen.addEventListener("change", async () => {
    answer.textContent = "";
    if (chosen.files.length === 0) return;
    const digest = hex(sha256(new Uint8Array(await chosen.files[0].arrayBuffer())));
    const same = signed.find((file) => file.sha256 === digest);
    answer.textContent = same === undefined ? `It is none of these files: its SHA-256 is ${digest}.` : `It is ${visible(same.name)}, byte for byte.`;
  });
  return part("Check a file of yours", el("label", { for: "own" }, "Is it one of the files above? "), chosen, answer);
}

function show() {
  const report = examine(unbase64url(document.getElementById("bundle").textContent.trim()));
  const failed = report.checks.find((check) => !check.ok);
  const verdict = document.getElementById("verdict");
  verdict.className = report.ok ? "good" : "bad";
  verdict.textContent = report.ok ? "Every signature and every link holds." : `This file proves nothing: ${failed.name}: ${failed.detail}.`;
  document.getElementById("checks").replaceChildren(...report.checks.map((check) => el("li", { class: check.ok ? "good" : "bad", "data-name": check.name }, `${check.ok ? "holds" : "does not hold"}  ${check.name}: ${visible(check.detail)}`)));
  if (report.ok) document.getElementById("contents").replaceChildren(...contents(report.found).filter((each) => each !== null));
}
