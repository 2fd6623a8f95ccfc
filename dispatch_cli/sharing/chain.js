// Documents in DSSE form, and identities: a chain of signed links, followed from the first (docs/PROTOCOL.md, chapters 3 and 6).

const KIND = /^application\/vnd\.dispatch\.([a-z_]+)\.v1\+json$/;

const is = {
  any: () => {},
  text: (value) => need(typeof value === "string", "a field that is no text"),
  whole: (value) => need(Number.isSafeInteger(value) && value >= 0, "a field that is no number"),
  flag: (value) => need(typeof value === "boolean", "a field that is neither true nor false"),
  hex: (bytes) => (value) => need(typeof value === "string" && value.length === bytes * 2 && /^[0-9a-f]*$/.test(value), "a field that is no hex of its length"),
  bytes: (count) => (value) => need(unbase64url(value).length === count, "a field of another length"),
  word: (...words) => (value) => need(words.includes(value), "a field with an unknown word"),
  maybe: (kind) => (value) => value === null || kind(value),
  many: (kind) => (value) => {
    need(Array.isArray(value), "a field that is no list");
    value.forEach((each) => kind(each));
  },
  object: (fields) => (value) => {
    need(value !== null && typeof value === "object" && !Array.isArray(value), "a field that is no object");
    need(Object.keys(value).sort().join() === Object.keys(fields).sort().join(), "a document with other fields than its kind has");
    for (const [name, kind] of Object.entries(fields)) kind(value[name]);
  },
};

const DOCUMENT = is.object({
  payloadType: is.text,
  payload: is.text,
  signatures: is.many(is.object({ keyid: is.hex(32), sig: is.bytes(64) })),
});

/** Read a document and its signatures' names; nothing of its body is believed before `signersOf` has returned. */
function readDocument(value) {
  DOCUMENT(value);
  const names = value.signatures.map((each) => each.keyid);
  need(names.length >= 1 && names.length <= 8 && new Set(names).size === names.length, "a document with no or repeated signatures");
  const [type, body] = [utf8(value.payloadType), unbase64url(value.payload)];
  need(type.length <= 128 && body.length <= 2 ** 20, "a document beyond its bounds");
  const message = joined(utf8(`DSSEv1 ${type.length} `), type, utf8(` ${body.length} `), body);
  return { type: value.payloadType, body, message, digest: hex(sha256(message)), names, signatures: value.signatures };
}

/** Return who signed a document: every signature on it holds. */
function signersOf(document) {
  for (const { keyid, sig } of document.signatures) need(isSignature(unhex(keyid), document.message, unbase64url(sig)), `no signature of ${keyid}`);
  return new Set(document.names);
}

function needSigners(document, keys) {
  need(keys.length === document.names.length && keys.every((key) => document.names.includes(key)), "a document with a missing or a surplus signature");
  signersOf(document);
}

const KEYS = is.object({ sign: is.hex(32), seal: is.hex(32) });
const ROLES = (value) => need(['[]', '["approver"]', '["runner"]', '["approver","runner"]'].includes(JSON.stringify(value)), "roles in a second spelling");
const LATER = { v: is.word(1), type: is.text, prev: is.hex(32), created: is.whole, nonce: is.bytes(16) };
const LINKS = {
  genesis: is.object({ v: is.word(1), kind: is.word("person", "service"), device: KEYS, recovery: is.hex(32), created: is.whole, nonce: is.bytes(16) }),
  add_device: is.object({ ...LATER, device: KEYS, roles: ROLES }),
  revoke_device: is.object({ ...LATER, device: is.hex(32) }),
  rotate_sealing: is.object({ ...LATER, device: KEYS }),
  set_roles: is.object({ ...LATER, device: is.hex(32), roles: ROLES }),
  recover: is.object({ ...LATER, epoch: is.whole, survivors: is.many(is.hex(32)), device: is.maybe(KEYS) }),
};

function linkOf(document, isFirst) {
  need(KIND.exec(document.type)?.[1] === "link", "a document that is no link stands in a chain");
  const said = readCanonical(document.body, "a link");
  const kind = isFirst ? LINKS.genesis : Object.hasOwn(LINKS, String(said?.type)) && said.type !== "genesis" ? LINKS[said.type] : null;
  need(kind !== null, "a link of an unknown type");
  kind(said);
  return said;
}

/** Follow a chain from its first link; `states` holds the active devices after each link, and their roles. */
function followChain(links) {
  need(Array.isArray(links) && links.length > 0, "a chain without links");
  const documents = links.map(readDocument);
  const first = linkOf(documents[0], true);
  need(first.recovery !== first.device.sign, "a recovery key that is its device's own");
  needSigners(documents[0], [first.device.sign, first.recovery]);
  const chain = {
    genesis: documents[0].digest,
    recovery: first.recovery,
    heads: [documents[0].digest],
    states: [new Map([[first.device.sign, ["approver", "runner"]]])],
    seals: new Set([first.device.seal]),
    epoch: 0,
  };
  for (const document of documents.slice(1)) {
    const said = linkOf(document, false);
    need(said.prev === chain.heads.at(-1), "a link that does not name the one before it");
    const after = said.type === "recover" ? recovered(chain, document, said) : changed(chain, document, said);
    need([...after.values()].some((roles) => roles.includes("approver")), "a link that would leave nobody who may change the chain");
    chain.states.push(after);
    chain.heads.push(document.digest);
  }
  return chain;
}

function joins(chain, after, { sign, seal }, roles) {
  need(!chain.states.some((state) => state.has(sign)) && sign !== chain.recovery && after.size < 32, "a device that may not be added");
  sealsAnew(chain, seal);
  after.set(sign, roles);
}

function sealsAnew(chain, seal) {
  need(!chain.seals.has(seal), "a sealing key that is stated a second time");
  chain.seals.add(seal);
}

function recovered(chain, document, said) {
  needSigners(document, said.device === null ? [chain.recovery] : [chain.recovery, said.device.sign]);
  const before = chain.states.at(-1);
  need([...new Set(said.survivors)].sort().join() === said.survivors.join(), "survivors in a second spelling");
  need(said.epoch > chain.epoch && said.survivors.every((device) => before.has(device)), "a recovery that does not follow");
  chain.epoch = said.epoch;
  const after = new Map(said.survivors.map((device) => [device, before.get(device)]));
  if (said.device !== null) joins(chain, after, said.device, ["approver", "runner"]);
  return after;
}

function changed(chain, document, said) {
  const before = chain.states.at(-1);
  const device = typeof said.device === "string" ? said.device : said.device.sign;
  const known = document.names.filter((name) => before.has(name));
  need(known.length === 1, "a link that is not signed by one device that was active before it");
  const itself = known[0] === device;
  if (said.type === "rotate_sealing") need(itself, "a sealing key that another device has changed");
  else if (!(said.type === "revoke_device" && itself)) need(before.get(known[0]).includes("approver"), "a link whose signer may not change the chain");
  need(said.type === "add_device" || before.has(device), "a link about a device that is not active");
  needSigners(document, said.type === "add_device" ? [known[0], device] : known);
  const after = new Map(before);
  if (said.type === "add_device") joins(chain, after, said.device, said.roles);
  else if (said.type === "revoke_device") after.delete(device);
  else if (said.type === "rotate_sealing") sealsAnew(chain, said.device.seal);
  else after.set(device, said.roles);
  return after;
}
