"""How well somebody is known, on the page: by what, through which devices, and that two histories were told.

A file of its own, because nothing goes between two people after that.
"""

from dataclasses import replace
from pathlib import Path

from playwright.sync_api import expect

from dispatch_daemon.adapters.keystore import open_keystore
from dispatch_protocol.chain import Chain
from dispatch_protocol.links import ALL_ROLES, AddDeviceLink, sign_link
from dispatch_protocol.trust_file import TrustFile
from tests.browser.conftest import Opens
from tests.browser.test_barriers import barriers
from tests.support.device import Device
from tests.support.grown_chains import place as after
from tests.support.neighbourhood import Neighbourhood, Person


def test_it_is_said_how_well_somebody_is_known_by_which_devices_and_that_two_histories_were_told(
    opens: Opens, everybody: Neighbourhood, alice: Person, bob: Person, place: Path
) -> None:
    by_mail = bob.do("invite", alice.address)["emailed"]
    assert not by_mail, "the broker of this test sends none"
    hers = opens(alice, "contacts")
    card = hers.page.get_by_role("region", name="I may send tasks to").locator(
        "article", has_text=bob.address
    )
    expect(card).to_contain_text("Known by a token that went from person to person")
    expect(card.locator("code", has_text="verify")).to_have_text(f"dispatch contacts verify {bob.address}")
    fold = card.locator("details")
    expect(fold.locator("summary")).to_contain_text(", 1 device")
    fold.locator("summary").click()
    expect(fold.locator("li")).to_have_text([bob.do("whoami")["device"]["id"][:16]])
    bob.do("contacts", "verify", alice.address)
    expect(card).to_contain_text("They want to compare with you.")

    for number, told in enumerate(_two_histories(bob, place)):
        expect(card.locator(".warn")).to_have_count(0)
        alice.do("trust", "import", str(told), code=(0, 7)[number])
    expect(card.locator(".warn")).to_contain_text("Two histories of this identity were told")
    assert not barriers(hers.page)


def _two_histories(person: Person, place: Path) -> list[Path]:
    """Tell the chain of a person on in two ways, as a thief of their keys could; returns a file with each."""
    written = place / "chain.json"
    person.do("trust", "export", str(written))
    [side] = TrustFile.decode(written.read_bytes()).chains
    chain = Chain.verify(side.links, expect=None)
    held = open_keystore(person.home, "file").load()
    assert held is not None
    found = []
    for name in ("phone", "tablet"):
        new = Device(f"the thief's {name}")
        link = AddDeviceLink(device=new.id, sealing=new.sealing.public, roles=ALL_ROLES, **after(chain))
        longer = chain.extend([sign_link(link, [held.signing, new.signing])])
        path = place / f"{name}.json"
        path.write_bytes(TrustFile((replace(side, links=longer.links),)).encode())
        found.append(path)
    return found
