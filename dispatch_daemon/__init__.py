"""The daemon: one per machine and home, it holds the keys, the journal and the last word.

Everything a person trusts happens here: what arrives is verified, what leaves is signed, and what
runs is confined. `__main__` starts `app`, `app` wires `adapters`, and `adapters` serve `core`.
"""
