"""What models cost, as the owner of this machine wrote it: `MODEL=IN/OUT` in US dollars for a million tokens.

Prices change, and nobody asks a vendor for them: one that was not written is not known.
"""

import re
from typing import Final

_PRICE: Final = re.compile(r"([!-~]{1,128})=([0-9]{1,6}(?:\.[0-9]{1,6})?)/([0-9]{1,6}(?:\.[0-9]{1,6})?)")


def prices_of(text: str | None) -> dict[str, tuple[int, int]]:
    """Return each model's price in and out, in millionths of a US dollar for a million tokens.

    Raises:
        ValueError: it is no list of prices, or names a model twice.
    """
    found: dict[str, tuple[int, int]] = {}
    for word in (text or "").replace(",", " ").split():
        match = _PRICE.fullmatch(word)
        if match is None or match[1] in found:
            raise ValueError("should look like MODEL=3/15, in US dollars for a million tokens in and out")
        found[match[1]] = (_microusd(match[2]), _microusd(match[3]))
    return found


def _microusd(dollars: str) -> int:
    whole, _, part = dollars.partition(".")
    return int(whole) * 1_000_000 + int(f"{part:0<6}")
