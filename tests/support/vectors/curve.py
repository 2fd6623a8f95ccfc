"""Edwards25519 in plain integers (RFC 8032, section 5.1), to make the signatures that no honest library makes.

Slow, and open to every side channel: it only ever handles keys that are published with the vectors.
"""

import hashlib
from collections.abc import Iterator

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, -1, P) % P
Point = tuple[int, int]
IDENTITY: Point = (0, 1)


def plus(one: Point, other: Point) -> Point:
    """Add two points."""
    (x1, y1), (x2, y2) = one, other
    k = _D * x1 * x2 * y1 * y2 % P
    x = (x1 * y2 + x2 * y1) * pow(1 + k, -1, P) % P
    y = (y1 * y2 + x1 * x2) * pow(1 - k, -1, P) % P
    return x, y


def times(scalar: int, point: Point) -> Point:
    """Multiply a point."""
    result = IDENTITY
    while scalar:
        if scalar & 1:
            result = plus(result, point)
        point, scalar = plus(point, point), scalar >> 1
    return result


def encode(point: Point) -> bytes:
    """Return the 32 bytes of a point."""
    x, y = point
    return (y | (x & 1) << 255).to_bytes(32, "little")


def decode(y: int) -> Point | None:
    """Return the point with this y and an even x, if there is one."""
    u, v = (y * y - 1) % P, (_D * y * y + 1) % P
    x = u * pow(v, 3, P) * pow(u * pow(v, 7, P), (P - 5) // 8, P) % P
    if v * x * x % P == -u % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if v * x * x % P != u:
        return None
    return (P - x if x & 1 else x), y


_FOUND = decode(4 * pow(5, -1, P) % P)
assert _FOUND is not None
BASE: Point = _FOUND


def of_order_eight() -> Point:
    """Return a point of order eight: what is left of some point once its large part is gone."""
    return next(point for point in _small() if times(4, point) != IDENTITY)


def _small() -> Iterator[Point]:
    for y in range(2, 1_000):
        point = decode(y)
        if point is not None:
            yield times(ORDER, point)


def challenge(first: bytes, key: bytes, message: bytes) -> int:
    """Return the number that a signature answers."""
    return int.from_bytes(hashlib.sha512(first + key + message).digest(), "little") % ORDER
