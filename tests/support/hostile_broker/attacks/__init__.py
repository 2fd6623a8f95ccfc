"""Every named attack of a broker's owner, chapter by chapter; `ATTACKS` is the whole table, in order."""

from tests.support.hostile_broker.attacks import (
    company,
    directory,
    edges,
    forgery,
    household,
    household_history,
    household_time,
    household_trust,
    revival,
    sequence,
    session,
    theft,
    time,
    transit,
)
from tests.support.hostile_broker.attacks.table import Attack, Outcome

CHAPTERS: dict[str, list[Attack]] = {
    "The bytes of an envelope": transit.CHAPTER,
    "Order, repetition, silence": sequence.CHAPTER,
    "Raising the dead": revival.CHAPTER,
    "Words of others": forgery.CHAPTER,
    "Keys, histories and invitations": directory.CHAPTER,
    "Edges and refusals": edges.CHAPTER,
    "Together with a contact who turned bad": company.CHAPTER,
    "Together with a stolen device": theft.CHAPTER,
    "Between one person's own devices": [
        *household.CHAPTER,
        *household_trust.CHAPTER,
        *household_history.CHAPTER,
        *household_time.CHAPTER,
    ],
    "Time, presence and epochs": time.CHAPTER,
    "The session itself": session.CHAPTER,
}
ATTACKS = [attack for chapter in CHAPTERS.values() for attack in chapter]

__all__ = ["ATTACKS", "CHAPTERS", "Attack", "Outcome"]
