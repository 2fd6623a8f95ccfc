"""The wall around a run: a policy and a job go in, events come out.

This package knows nothing of dispatches, people or keys and imports nothing of the other rooms, so that the
part which must hold against hostile code can be read, tested and judged on its own. It uses the standard
library only: its helper runs inside the wall, where nothing else exists.
"""
