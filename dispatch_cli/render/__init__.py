"""Words and lines for people: pure functions from a JSON document to coloured lines.

Nothing here reads a clock, a terminal or the network; `View` carries what of them matters.
"""
