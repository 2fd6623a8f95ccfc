import dataclasses
import typing

import pytest

from dispatch_protocol.frames import Frame, Rejected
from dispatch_protocol.session import SESSION


def test_what_was_said_cannot_be_changed_on_the_way():
    rejected = Rejected(None, "draining", 503, "it restarts")

    with pytest.raises(dataclasses.FrozenInstanceError):
        rejected.code = "quota"


def test_every_frame_is_spoken_by_one_side_of_a_session_or_ends_it():
    spoken = {frame for _, _, frame in SESSION}

    assert spoken | {Rejected} == set(typing.get_args(Frame))
