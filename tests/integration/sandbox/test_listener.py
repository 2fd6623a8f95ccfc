"""The listener that a helper hands out: nothing, or something else, ends the start as an error of ours."""

import socket

import pytest

from sandbox.errors import HelperError
from sandbox.wall.resident import receive_listener


@pytest.fixture
def door():
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with ours, theirs:
        yield ours, theirs


async def test_a_helper_that_hands_out_nothing_is_not_waited_for(door):
    with pytest.raises(HelperError) as caught:
        await receive_listener(door[0], 0.01)
    assert caught.value.code == "helper_silent"


async def test_something_else_than_a_listener_is_refused(door):
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as unbound:
        socket.send_fds(door[1], [b"."], [unbound.fileno()])
        with pytest.raises(HelperError) as caught:
            await receive_listener(door[0], 5)
    assert caught.value.code == "helper_untrusted"


async def test_a_listener_is_taken(door):
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(1)
        socket.send_fds(door[1], [b"."], [listening.fileno()])
        taken = await receive_listener(door[0], 5)
    with taken:
        assert taken.getsockname()[0] == "127.0.0.1"
