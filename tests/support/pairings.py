"""What two machines of Alice's say to each other when they pair, each message as its maker writes it."""

from dispatch_protocol import pairing
from dispatch_protocol.keys import SealingKey, SigningKey
from dispatch_protocol.links import ALL_ROLES
from dispatch_protocol.pairing import Join, Offer, Reveal, Verdict, Welcome
from dispatch_protocol.pairing_code import PairingCode
from tests.support.documents import ALICE, NOW_MS, fixed

CODE = PairingCode("https://courier.example", fixed("secret", 16))
PHONE, SEAL = SigningKey(fixed("phone")), SealingKey(fixed("phone seal"))
NONCE = fixed("old nonce")
OFFER = Offer(
    genesis=ALICE.chain.genesis,
    head=ALICE.chain.head,
    device=ALICE.device,
    email=ALICE.email,
    roles=ALL_ROLES,
    commit=pairing.commitment(NONCE),
)
JOIN = Join(
    link=pairing.joining_link(OFFER, PHONE, SEAL.public, created_ms=NOW_MS, nonce=fixed("link nonce", 16)),
    nonce=fixed("new nonce"),
)
REVEAL = Reveal(nonce=NONCE)
WELCOME = Welcome(link=pairing.countersigned(JOIN, ALICE.sign))
VERDICT = Verdict(same=False)
SAID = (OFFER, JOIN, REVEAL, WELCOME, VERDICT)
