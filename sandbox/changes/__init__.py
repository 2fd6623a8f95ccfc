"""What a run changed, shown, judged and applied: the way out of the copy-on-write layer.

A run never touches the owner's files. It writes to an overlay's upper layer, which is read here as hostile
data once every process of the run is dead: `changeset` says what would change and what stays behind,
`drift` whether somebody else was there meanwhile, `diff` shows it, and `apply` carries it out, all or
nothing, through a journal that survives a crash at any point. `discard` throws it away.
"""
