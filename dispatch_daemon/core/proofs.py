"""What an own device's word about other people has to prove before it counts: each grant and each chain by its signatures.

A machine of one's own may be a thief's, or may only run things. So a grant is looked at as if a stranger had told it, and what
widens whom one trusts counts only from a device that decides for its identity; what ends or narrows counts from any.
"""

from dispatch_protocol.chain import Chain
from dispatch_protocol.errors import RefusalCode, RefusedError
from dispatch_protocol.grant import GrantDocument
from dispatch_protocol.keys import DeviceId, EdgeId, Genesis
from dispatch_protocol.links import Role
from dispatch_protocol.payloads import Kind, kind_of
from dispatch_protocol.signing import Document, verify_document


def decides(own: Chain, teller: DeviceId) -> bool:
    """Say whether a device of one's own may widen whom its identity trusts."""
    device = own.devices.get(teller)
    return device is not None and Role.APPROVER in device.roles


def require_grant(
    document: Document, edge: EdgeId, trustor: Chain, dispatcher: Genesis, *, own: Chain
) -> GrantDocument:
    """Return a grant that was told, if the trustor of this very edge has signed it for the other side of it.

    Raises:
        MalformedError: it is no grant.
        RefusedError: `chain_unknown` if it states links that are not known here yet; any other code if it proves nothing.
    """
    if kind_of(document.payload_type) is not Kind.GRANT:
        raise RefusedError(RefusalCode.UNSUPPORTED, "a grant that is signed as something else")
    grant = GrantDocument.decode(document.body)
    head = grant.head
    if (head.edge, head.sender.identity, head.recipient.identity) != (edge, trustor.genesis, dispatcher):
        raise RefusedError(RefusalCode.NO_EDGE, "a grant of another edge, or between others")
    stated = trustor.at(head.sender.head)
    if stated is None:
        raise RefusedError(
            RefusalCode.CHAIN_UNKNOWN, "a grant that states links which are not known here yet"
        )
    if head.sender.device not in stated.devices:
        raise RefusedError(
            RefusalCode.SIGNER_UNKNOWN, "a grant of a device that its trustor did not have then"
        )
    if trustor.genesis == own.genesis and not decides(stated, head.sender.device):
        raise RefusedError(
            RefusalCode.SIGNER_UNKNOWN, "a grant of a device that does not decide for its identity"
        )
    verify_document((head.sender.device,), document)
    return grant
