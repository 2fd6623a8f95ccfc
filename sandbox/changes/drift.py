"""Noticing that somebody else changed a path while the run went on.

A snapshot with digests of a large tree would delay every start. The kernel keeps a better witness: a file's
ctime moves forward at every change of content, mode, name or owner, and no ordinary program can set it back.
So one file is touched on the grant's file system at the start (the layer's marker), and a path of the lower
layer whose ctime is not before that file's was changed since. Equal counts as changed: clocks of file systems
tick slowly.

What no longer stands there has no ctime. A path that somebody deleted and the run changed comes out as newly
created, and is reviewed as such; a deleted directory is noticed by the overlay's own mark.
"""

import os


def drifted(lower: os.stat_result, marker_ctime_ns: int) -> bool:
    """Say whether what stands in the lower layer was changed since the marker was touched."""
    return lower.st_ctime_ns >= marker_ctime_ns
