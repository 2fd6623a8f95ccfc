"""The listeners that a helper hands out: nothing, or something else, ends the start as an error of ours."""

import socket

import pytest

from sandbox.errors import HelperError
from sandbox.wall.listeners import receive_listeners


@pytest.fixture
def door():
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with ours, theirs:
        yield ours, theirs


def listening(port=0):
    made = socket.create_server(("127.0.0.1", port))
    return made, made.getsockname()[1]


async def test_a_helper_that_hands_out_nothing_is_not_waited_for(door):
    with pytest.raises(HelperError) as caught:
        await receive_listeners(door[0], (3128,), 0.01)
    assert caught.value.code == "helper_silent"


async def test_something_else_than_a_listener_is_refused(door):
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as unbound:
        socket.send_fds(door[1], [b"."], [unbound.fileno()])
        with pytest.raises(HelperError) as caught:
            await receive_listeners(door[0], (3128,), 5)
    assert caught.value.code == "helper_untrusted"


@pytest.mark.parametrize("more", [(), (0, 0)], ids=["too few", "too many"])
async def test_as_many_as_were_ordered_are_taken_and_no_other_number(door, more):
    made = [listening() for _ in more]
    first, port = listening()
    socket.send_fds(door[1], [b"."], [first.fileno(), *(each.fileno() for each, _ in made)])
    with first, pytest.raises(HelperError) as caught:
        await receive_listeners(door[0], (port, made[0][1]) if made else (port, port + 1), 5)
    for each, _ in made:
        each.close()
    assert caught.value.code == "helper_untrusted"


async def test_a_listener_at_another_port_is_refused(door):
    made, port = listening()
    with made:
        socket.send_fds(door[1], [b"."], [made.fileno()])
        with pytest.raises(HelperError) as caught:
            await receive_listeners(door[0], (port + 1,), 5)
    assert caught.value.code == "helper_untrusted"


async def test_listeners_are_taken_by_their_ports(door):
    one, first = listening()
    other, second = listening()
    with one, other:
        socket.send_fds(door[1], [b"."], [one.fileno(), other.fileno()])
        taken = await receive_listeners(door[0], (first, second), 5)
    for port, listener in taken.items():
        with listener:
            assert listener.getsockname() == ("127.0.0.1", port)
    assert set(taken) == {first, second}
