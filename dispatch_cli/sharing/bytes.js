// Bytes and text, each with one spelling: hex, base64url, and canonical JSON (docs/PROTOCOL.md, chapter 1).

/** What a check says no with; everything else that is thrown while checking counts as one too. */
class Refused extends Error {}

function need(holds, why) {
  if (!holds) throw new Refused(why);
}

const utf8 = (text) => new TextEncoder().encode(text);
const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
const unhex = (text) => Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));

function joined(...parts) {
  const whole = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function base64url(bytes) {
  let binary = "";
  for (let at = 0; at < bytes.length; at += 0x8000) binary += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

function unbase64url(text) {
  need(typeof text === "string" && /^[A-Za-z0-9_-]*$/.test(text), "bytes that are not base64url");
  let bytes;
  try {
    bytes = Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (each) => each.charCodeAt(0));
  } catch {
    throw new Refused("bytes that are not base64url");
  }
  need(base64url(bytes) === text, "bytes in a second spelling");
  return bytes;
}

/** Order texts by code point; JavaScript's own order is that of UTF-16. */
function byCodePoint(one, other) {
  const left = Array.from(one, (each) => each.codePointAt(0));
  const right = Array.from(other, (each) => each.codePointAt(0));
  for (let at = 0; at < Math.min(left.length, right.length); at += 1) if (left[at] !== right[at]) return left[at] - right[at];
  return left.length - right.length;
}

function canonical(value, depth = 1) {
  if (value === null || typeof value === "boolean") return String(value);
  if (typeof value === "number") {
    need(Number.isSafeInteger(value), "a number that is no integer of 53 bits");
    return String(value);
  }
  if (typeof value === "string") {
    need(!/\p{Surrogate}/u.test(value) && !value.includes("\0"), "a text that no document holds");
    return JSON.stringify(value);
  }
  need(depth <= 32, "JSON that is nested too deep");
  if (Array.isArray(value)) return `[${value.map((each) => canonical(each, depth + 1)).join()}]`;
  const keys = Object.keys(value).sort(byCodePoint);
  return `{${keys.map((key) => `${canonical(key)}:${canonical(value[key], depth + 1)}`).join()}}`;
}

/** Read canonical JSON. One value has one spelling, so what is written again as it was read held no second key, and no float. */
function readCanonical(bytes, what) {
  let value;
  let text;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    value = JSON.parse(text);
  } catch {
    throw new Refused(`${what} is no JSON`);
  }
  need(canonical(value) === text, `${what} is not in canonical form`);
  return value;
}
