// Contacts: who may send to this machine, to whom this person may send, and how that begins, changes and ends.

import { ask, Refusal } from "./api.js";
import { button, complaint, count, el, field, oneLine, reconcile, when } from "./dom.js";
import { scopeMenu } from "./scopes.js";
import { people, person, state } from "./store.js";
import { refused, sentence } from "./words.js";

/** Show contacts and invitations in `place`. */
export function contactsView(place) {
  const edges = el("div");
  const invitations = el("div");
  place.replaceChildren(
    el("h1", {}, "Contacts"),
    edges,
    el("h2", {}, "Invitations"),
    invitations,
    inviting(),
    accepting(),
  );
  const draw = () => {
    drawEdges(edges);
    void listInvitations(invitations);
  };
  draw();
  return { draw: () => draw(), tick: () => {} };
}

/** Do something, and say in words what the daemon said no with. */
async function tried(action, said = null) {
  try {
    const value = await action();
    await people();
    return [value, ""];
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const words = refused(error);
    if (said !== null) said.textContent = words;
    return [null, words];
  }
}

const GROUPS = [
  { key: "incoming", title: "May send tasks to me", nobody: "Nobody yet. Somebody invites you; you accept, and say what their tasks may do." },
  { key: "outgoing", title: "I may send tasks to", nobody: "Nobody yet. Invite somebody below; they say what your tasks may do." },
];

function drawEdges(place) {
  reconcile(place, GROUPS.map(({ key, title }) => ({ key, sig: "", build: () => el("section", { "aria-label": title }, el("h2", {}, title), el("div", { class: "cards" })) })));
  for (const { key, nobody } of GROUPS) {
    const cards = place.querySelector(`[data-key="${key}"] .cards`);
    const live = state.edges.filter((each) => each.direction === key && each.status !== "revoked" && each.status !== "expired");
    // Who is here now changes often: it must not draw a card anew under somebody who is choosing in it.
    const entries = live.map((each) => ({ key: each.edge_id, sig: JSON.stringify({ ...each, online: null }), build: () => edge(each) }));
    if (entries.length === 0) entries.push({ key: "nobody", sig: "", build: () => el("p", { class: "empty" }, nobody) });
    reconcile(cards, entries);
    for (const each of live) cards.querySelector(`[data-key="${each.edge_id}"] .here`).textContent = HERE.get(each.online) ?? "";
  }
}
const HERE = new Map([[true, " · here now"], [false, " · not here now"]]);

function edge(each) {
  const known = person(each.peer);
  const incoming = each.direction === "incoming";
  const said = complaint();
  const room = el("div");
  const end = () => {
    const sure = el(
      "div",
      { class: "answers" },
      el("span", {}, incoming ? "Their tasks that wait or run here end at once." : "You can send them nothing any more. They are not told, and what waits there stays."),
      button("Keep it", () => room.replaceChildren(), { class: "deny", data: { focus: "keep" } }),
      button("End it", () => tried(() => ask("POST", "/v1/contacts/revoke", { peer: each.identity, outgoing: !incoming }), said), { class: "danger" }),
    );
    room.replaceChildren(sure);
    sure.querySelector("button").focus();
  };
  const change = () => {
    room.replaceChildren(
      scopeMenu(known.name, {
        now: each.scopes,
        grant: async (scopes) => {
          const [edited, problem] = await tried(() => ask("POST", "/v1/contacts/edit", { peer: each.identity, ...scopes }));
          if (edited !== null) room.replaceChildren(el("p", { role: "status" }, edited.runs_ended ? `${count(edited.runs_ended, "run")} that may do more ended; nothing of it was kept.` : "This is what they may do now."));
          return problem;
        },
        decline: () => room.replaceChildren(),
        declineWords: "Leave it as it is.",
      }),
    );
    room.querySelector("input")?.focus();
  };
  return el(
    "article",
    { class: "card" },
    el("p", {}, el("span", { class: "strong" }, oneLine(known.name)), known.trust ? el("span", { class: "trust" }, ` ${known.trust}`) : null, el("span", { class: "note" }, `${known.name === each.peer ? "" : ` ${oneLine(each.peer)}`}`), el("span", { class: "note here" })),
    each.conflict ? el("p", { class: "warn" }, "Two histories of this identity were told, so nothing new goes between you. Ask them by another way whether a device was stolen; only their recovery key ends it.") : null,
    each.status === "pending" ? el("p", { class: "status waiting" }, "waits for the other side") : null,
    each.scopes ? el("p", { class: "note" }, incoming ? sentence(each.scopes, "Their tasks") : sentence(each.scopes, "Your tasks", "they")) : null,
    each.edits ? met(each.edits) : null,
    acquaintance(each),
    el("div", { class: "answers" }, incoming && each.can_edit_scopes ? button("Change what they may", change, { class: "small" }) : null, button(incoming ? "End it…" : "Give it up…", end, { class: "small" })),
    room,
    said,
  );
}

/** Say what two devices of this person have stated of an edge at the same time, and what holds. */
function met(edits) {
  return el(
    "div",
    { class: "warn" },
    el("p", {}, "Two devices of yours changed this at the same time. What both allow holds, as above, until you change it once more."),
    el("ul", {}, edits.map((made) => el("li", {}, el("span", { class: "strong" }, oneLine(made.name)), ` ${when(made.at)}: `, sentence(made.scopes, "Their tasks")))),
  );
}

const KNOWN = {
  compared: "Compared: you two read the same seven words to each other.",
  token: "Known by a token that went from person to person. Nobody has compared yet.",
  unverified: "Came by mail: nobody vouches for this identity but the broker. Nobody has compared yet.",
};

/** Say how well somebody is known, what would make it better, and which devices speak for them. */
function acquaintance(each) {
  const verify = `dispatch contacts verify ${oneLine(each.peer)}`;
  const recovered = each.compared_at && each.trust !== "compared";
  const words = recovered ? "They were compared until a recovery of theirs. Compare again." : KNOWN[each.trust] ?? "";
  const turn = { wanted: "They want to compare with you.", words: "Seven words wait to be read to them.", asked: "They have been asked to compare." }[each.comparison] ?? "";
  const differed = each.comparison === "different";
  const command = differed ? `${verify} --again` : each.trust === "compared" && !turn ? null : verify;
  const devices = each.devices ?? [];
  return [
    differed ? el("p", { class: "warn" }, "The words that you two read differed: somebody may sit between you.") : null,
    el("p", { class: "note" }, [words, turn].filter(Boolean).join(" ")),
    each.trust && command !== null ? el("p", { class: "note" }, "Compare with ", el("code", {}, command)) : null,
    el(
      "details",
      {},
      el("summary", {}, `Identity ${each.identity.slice(0, 16)}, ${devices.length === 0 ? "no device known here" : count(devices.length, "device")}`),
      el("ul", { class: "keys" }, devices.map((device) => el("li", {}, el("code", {}, device.slice(0, 16))))),
    ),
  ];
}

async function listInvitations(place) {
  const found = await ask("GET", "/v1/invitations").catch(() => null); // the next change draws it
  if (found === null) return;
  const waiting = found.received.filter((each) => each.status === "pending");
  const sent = found.sent.filter((each) => each.status === "pending" || each.also_proved);
  const entries = [
    ...waiting.map((each) => ({ key: each.invitation_id, sig: each.status, build: () => received(each) })),
    ...sent.map((each) => ({ key: each.invitation_id, sig: JSON.stringify(each), build: () => outgoing(each) })),
  ];
  if (entries.length === 0) entries.push({ key: "none", sig: "", build: () => el("p", { class: "empty" }, "No invitation is open.") });
  reconcile(place, entries);
}

function received(each) {
  const room = el("div");
  const said = complaint();
  const decline = async () => {
    const [value] = await tried(() => ask("POST", "/v1/invitations/decline", { token: each.token }), said);
    if (value !== null) room.replaceChildren(el("p", { role: "status" }, "Declined. No edge was made."));
  };
  return el(
    "div",
    { class: "card" },
    el("p", {}, el("span", { class: "strong" }, oneLine(each.peer)), " wants to be able to send tasks to this machine."),
    // The broker could have made this up: only the token, which comes from a person, proves who asks.
    el("p", { class: "note" }, `Open until ${new Date(each.expires_at).toLocaleDateString()}. They pass a token on to you, by another way; accept with that, below.`),
    el("div", { class: "answers" }, button("Decline", decline, { class: "deny small" })),
    room,
    said,
  );
}

function outgoing(each) {
  const leak = each.also_proved ? el("p", { class: "warn" }, "Somebody else proved this token too: it has leaked. Ask them by another way which identity is theirs.") : null;
  const unproved = each.unproved_at ? el("p", { class: "warn" }, "Somebody said yes without the token's secret: a letter mistyped, or a guess. It counts for nothing; if it was them, invite them anew.") : null;
  const room = el("div");
  const said = complaint();
  const takeBack = async () => {
    const [value] = await tried(() => ask("POST", "/v1/invitations/decline", { token: each.invitation_id }), said);
    if (value !== null) room.replaceChildren(el("p", { role: "status" }, "Taken back. Nobody can accept it any more."));
  };
  const pending = each.status === "pending";
  return el(
    "div",
    { class: "card" },
    el("p", {}, "You invited ", el("span", { class: "strong" }, oneLine(each.peer)), pending ? `, open until ${new Date(each.expires_at).toLocaleDateString()}.` : "."),
    leak,
    unproved,
    pending ? el("div", { class: "answers" }, button("Take it back", takeBack, { class: "small" })) : null,
    room,
    said,
  );
}

/** Return who asks with a token, as far as this machine knows: a name only where the token names the same invitation and identity. */
async function inviter(token) {
  const [, id, genesis] = /\/([0-9a-f-]{36})#([0-9a-f]{64})\.[^.#]+$/.exec(token) ?? [null, token.toLowerCase(), null];
  const listed = await ask("GET", "/v1/invitations").catch(() => ({ received: [] })); // who accepts is told what is wrong
  const found = listed.received.filter((each) => (genesis === null ? id.length >= 4 && each.invitation_id.startsWith(id) : each.invitation_id === id));
  if (found.length !== 1) return { name: "whoever gave it to you", says: "This machine has not heard of this invitation: only whoever gave it to you can say whose it is." };
  const [{ peer, identity }] = found;
  if (genesis !== null && genesis !== identity) return { name: "nobody known", says: "The token names another identity than the invitation does: do not accept it." };
  const same = state.edges.find((each) => each.identity === identity);
  const other = same === undefined && state.edges.some((each) => each.peer.toLowerCase() === peer.toLowerCase());
  return {
    name: peer,
    says: [
      genesis === null ? `${peer} asks, as the broker tells it: without the token nothing else proves who asks.` : `${peer} asks, identity ${identity.slice(0, 16)}: the token names both.`,
      same?.trust === "compared" ? "" : "Nobody has compared yet.",
      same === undefined ? "" : `You know this identity as ${same.alias ?? same.peer} (${same.trust}).`,
      other ? "You know another identity under this address: ask them by another way which one is theirs." : "",
    ].filter(Boolean).join(" "),
  };
}

function menuFor(token, { name, says }, done = () => {}) {
  const room = el("div", {}, el("p", { class: "note" }, oneLine(says)));
  const accept = async (scopes) => {
    const [value, problem] = await tried(() => ask("POST", "/v1/invitations/accept", { token, ...scopes }));
    if (value !== null) {
      room.replaceChildren(el("p", { role: "status" }, `Granted to ${oneLine(value.peer)}. It is in force once their device has checked it.`));
      done();
    }
    return problem;
  };
  const decline = async () => {
    const said = complaint();
    const [value] = await tried(() => ask("POST", "/v1/invitations/decline", { token }), said);
    room.replaceChildren(value === null ? said : el("p", { role: "status" }, "Declined. No edge was made."));
  };
  room.append(scopeMenu(name, { grant: accept, decline, declineWords: "Decline: no edge is made." }));
  return room;
}

function inviting() {
  const email = el("input", { type: "email", required: true, autocomplete: "off", placeholder: "bob@example.org" });
  const said = complaint();
  const room = el("div", { "aria-live": "polite" });
  const invite = async () => {
    said.textContent = "";
    const [value] = await tried(() => ask("POST", "/v1/invitations", { email: email.value.trim() }), said);
    if (value === null) return;
    const token = el("input", { type: "text", readOnly: true, value: value.token, "aria-label": "The token" });
    room.replaceChildren(
      el("p", {}, `Give this token to ${oneLine(value.peer)}, by any way that you trust. Whoever has it can answer in their place.`),
      token,
      el("div", { class: "answers" }, button("Copy", () => navigator.clipboard.writeText(value.token), { class: "small" })),
      el("p", { class: "note" }, value.emailed ? "The broker mails them that you asked; the mail holds no token." : `They can read what it means at ${oneLine(value.link)}.`),
    );
    token.select();
  };
  return el("form", { class: "card", onsubmit: (event) => event.preventDefault() }, el("h3", {}, "Invite somebody"), field("Their address", email, "It grants you nothing yet: they choose what your tasks may do on their machine."), el("div", { class: "answers" }, button("Invite", invite, { class: "yes" })), said, room);
}

function accepting() {
  const token = el("input", { type: "text", required: true, autocomplete: "off", spellcheck: false, placeholder: "dispatch1:…" });
  const room = el("div");
  const said = complaint();
  const go = async () => {
    said.textContent = "";
    if (!token.value.trim()) {
      said.textContent = "Paste the token that somebody gave you.";
      return;
    }
    const typed = token.value.trim();
    room.replaceChildren(menuFor(typed, await inviter(typed), () => { token.value = ""; }));
    room.querySelector("input")?.focus();
  };
  return el("form", { class: "card", onsubmit: (event) => event.preventDefault() }, el("h3", {}, "I was given a token"), field("The token", token), el("div", { class: "answers" }, button("Choose what they may", go, { class: "yes" })), said, room);
}
