"""Does an implementation do what docs/PROTOCOL.md says? Vectors, a hostile broker and scenarios ask it over one pipe.

`python -m tests.conformance COMMAND…` starts any program and speaks with it as docs/CONFORMANCE.md says. `ours` puts the
product at the other end of the pipe, and `independent` the implementation that was written from the page alone.
"""
