"""Receipts: the automatic statements of the recipient's device, each a link in the dispatch's chain of answers."""

import uuid
from collections.abc import Mapping

from dispatch_daemon.core.composing import Moment, Own, Peer, answer
from dispatch_daemon.core.effects import Effect
from dispatch_daemon.core.records import DispatchRecord, RunRecord
from dispatch_protocol.encoding import JSON
from dispatch_protocol.messages.answers import Receipt, ReceiptType


def receipt(
    record: DispatchRecord,
    own: Own,
    peer: Peer,
    moment: Moment,
    kind: ReceiptType,
    *,
    code: str | None = None,
    detail: str | None = None,
    run: RunRecord | None = None,
    data: Mapping[str, JSON] | None = None,
    number: int = 0,
) -> tuple[DispatchRecord, list[Effect]]:
    """Append one receipt; returns the record after it and the effects.

    A detail of no characters is none. `number` picks the moment's nonce.
    """
    return answer(
        record,
        own,
        peer,
        now_ms=moment.now_ms,
        nonce=moment.nonce(number),
        make=lambda head, seq, prev: Receipt(
            head=head,
            seq=seq,
            prev=prev,
            type=kind,
            code=code,
            detail=detail or None,
            run_id=None if run is None else uuid.UUID(run.run_id),
            data=data or {},
        ),
    )
