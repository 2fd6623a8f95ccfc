"""The `dispatch` command: what a person types, and what a person reads.

It decides nothing. Every command is one question to the daemon of this machine, over its Unix socket, and
one answer in words or JSON; so the package stays light enough to start in about 50 ms.
"""
