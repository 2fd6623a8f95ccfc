// SHA-2 (FIPS 180-4) and Ed25519 (RFC 8032) on whole numbers alone. It verifies and never signs, so it holds no secret and may
// take the time that it takes. At the edges it answers as libsodium does (docs/PROTOCOL.md, chapter 3).

const PRIMES = [];
for (let each = 2n; PRIMES.length < 80; each += 1n) if (PRIMES.every((prime) => each % prime !== 0n)) PRIMES.push(each);

/** Return the integer root of a number by Newton's method, from above. */
function integerRoot(number, degree) {
  let guess = 1n << 100n;
  for (;;) {
    const next = ((degree - 1n) * guess + number / guess ** (degree - 1n)) / degree;
    if (next >= guess) return guess;
    guess = next;
  }
}

const word64 = (number) => BigInt.asUintN(64, number);
const STARTS = PRIMES.slice(0, 8).map((prime) => word64(integerRoot(prime << 128n, 2n)));
const ROUNDS = PRIMES.map((prime) => word64(integerRoot(prime << 192n, 3n)));

const SHA256 = { bits: 32, rounds: 64, big: [[2n, 13n, 22n], [6n, 11n, 25n]], small: [[7n, 18n, 3n], [17n, 19n, 10n]] };
const SHA512 = { bits: 64, rounds: 80, big: [[28n, 34n, 39n], [14n, 18n, 41n]], small: [[1n, 8n, 7n], [19n, 61n, 6n]] };

function sha(kind, message) {
  const { bits, rounds, big, small } = kind;
  const width = BigInt(bits);
  const size = bits * 2;
  const cut = (number) => BigInt.asUintN(bits, number);
  const turned = (number, by) => (number >> by) | cut(number << (width - by));
  const mixed = ([a, b, c], number) => turned(number, a) ^ turned(number, b) ^ turned(number, c);
  const stirred = ([a, b, c], number) => turned(number, a) ^ turned(number, b) ^ (number >> c);
  const top = (number) => number >> BigInt(64 - bits);

  const length = Math.ceil((message.length + 1 + bits / 4) / size) * size;
  const padded = new Uint8Array(length);
  padded.set(message);
  padded[message.length] = 0x80;
  new DataView(padded.buffer).setBigUint64(length - 8, BigInt(message.length) * 8n);

  let state = STARTS.map(top);
  const words = new Array(rounds);
  const view = new DataView(padded.buffer);
  for (let at = 0; at < length; at += size) {
    for (let each = 0; each < 16; each += 1) words[each] = bits === 64 ? view.getBigUint64(at + each * 8) : BigInt(view.getUint32(at + each * 4));
    for (let each = 16; each < rounds; each += 1) words[each] = cut(stirred(small[1], words[each - 2]) + words[each - 7] + stirred(small[0], words[each - 15]) + words[each - 16]);
    let [a, b, c, d, e, f, g, h] = state;
    for (let each = 0; each < rounds; each += 1) {
      const one = h + mixed(big[1], e) + ((e & f) ^ (g & ~e)) + top(ROUNDS[each]) + words[each];
      const two = mixed(big[0], a) + ((a & b) ^ (a & c) ^ (b & c));
      [a, b, c, d, e, f, g, h] = [cut(one + two), a, b, c, cut(d + one), e, f, g];
    }
    state = [a, b, c, d, e, f, g, h].map((each, place) => cut(each + state[place]));
  }
  return unhex(state.map((each) => each.toString(16).padStart(bits / 4, "0")).join(""));
}

const sha256 = (message) => sha(SHA256, message);
const sha512 = (message) => sha(SHA512, message);

const FIELD = 2n ** 255n - 19n;
const ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;
const within = (number) => ((number % FIELD) + FIELD) % FIELD;

function power(number, exponent) {
  let result = 1n;
  for (let square = within(number); exponent > 0n; exponent >>= 1n, square = (square * square) % FIELD) if (exponent & 1n) result = (result * square) % FIELD;
  return result;
}

const inverse = (number) => power(number, FIELD - 2n);
const CURVE = within(-121665n * inverse(121666n));
const QUARTER = power(2n, (FIELD - 1n) / 4n); // a square root of minus one

const little = (bytes) => bytes.reduceRight((number, byte) => (number << 8n) | BigInt(byte), 0n);

/** Return the point that 32 bytes spell, or null: RFC 8032, section 5.1.3. A point is x, y, z, t with x = X/Z, y = Y/Z, t = XY/Z. */
function pointOf(bytes) {
  const number = little(bytes);
  const sign = number >> 255n;
  const y = number & (2n ** 255n - 1n);
  if (y >= FIELD) return null;
  const above = within(y * y - 1n);
  const below = within(CURVE * y * y + 1n);
  let x = (above * power(below, 3n) * power(above * power(below, 7n), (FIELD - 5n) / 8n)) % FIELD;
  const square = (below * x * x) % FIELD;
  if (square !== above) {
    if (square !== within(-above)) return null;
    x = (x * QUARTER) % FIELD;
  }
  if (x === 0n && sign === 1n) return null;
  if ((x & 1n) !== sign) x = FIELD - x;
  return [x, y, 1n, (x * y) % FIELD];
}

/** Add two points; the formula is complete, so it also doubles (RFC 8032, section 5.1.4). */
function sum([x1, y1, z1, t1], [x2, y2, z2, t2]) {
  const a = within((y1 - x1) * (y2 - x2));
  const b = ((y1 + x1) * (y2 + x2)) % FIELD;
  const c = (((2n * t1 * t2) % FIELD) * CURVE) % FIELD;
  const d = (2n * z1 * z2) % FIELD;
  const [e, f, g, h] = [b - a, d - c, d + c, b + a];
  return [within(e * f), within(g * h), within(f * g), within(e * h)];
}

const ZERO = [0n, 1n, 1n, 0n];
const BASE = pointOf(unhex(`58${"66".repeat(31)}`));
const minus = ([x, y, z, t]) => [within(-x), y, z, within(-t)];
const isSame = ([x1, y1, z1], [x2, y2, z2]) => (x1 * z2 - x2 * z1) % FIELD === 0n && (y1 * z2 - y2 * z1) % FIELD === 0n;

function isLowOrder(point) {
  let eightfold = point;
  for (let each = 0; each < 3; each += 1) eightfold = sum(eightfold, eightfold);
  return isSame(eightfold, ZERO);
}

/** Say whether these 64 bytes are the key's signature over the message: the equation is S·B = R + k·A, without the cofactor. */
function isSignature(key, message, signature) {
  const a = pointOf(key);
  const r = pointOf(signature.subarray(0, 32));
  const s = little(signature.subarray(32));
  if (a === null || r === null || s >= ORDER || isLowOrder(a) || isLowOrder(r)) return false;
  const k = little(sha512(joined(signature.subarray(0, 32), key, message))) % ORDER;
  const away = minus(a);
  const both = sum(BASE, away);
  let found = ZERO;
  for (let bit = 253n; bit >= 0n; bit -= 1n) {
    found = sum(found, found);
    const [inS, inK] = [(s >> bit) & 1n, (k >> bit) & 1n];
    if (inS && inK) found = sum(found, both);
    else if (inS) found = sum(found, BASE);
    else if (inK) found = sum(found, away);
  }
  return isSame(found, r);
}
