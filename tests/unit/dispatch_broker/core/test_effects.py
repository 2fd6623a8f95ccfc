import dataclasses
from typing import get_args

from dispatch_broker.core.effects import Effect, Row, Tell, Wake


def test_every_effect_is_a_row_or_speaks_to_connections():
    assert set(get_args(Effect)) == {*get_args(Row), Wake, Tell}


def test_effects_cannot_be_changed_after_they_were_decided():
    assert all(dataclasses.fields(kind) and kind.__dataclass_params__.frozen for kind in get_args(Effect))
