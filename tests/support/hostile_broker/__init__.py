"""The relay in its owner's hands, as the tests use it: `dispatch_broker.hostile` with a certificate of the owner's.

`__main__` is the program. `owner` is the test's side of the owner's door, `village` the people at this broker.
"""
