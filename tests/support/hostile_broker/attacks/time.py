"""X."""

from tests.support.hostile_broker.attacks.table import Attack

CHAPTER: list[Attack] = []
