"""The six tools, with Claude Code's names, inputs and meaning, run inside the wall by its helper.

They use the standard library only, because nothing else exists where they run. `inputs` is shared with the
outside, which checks a call before it is shown to anybody; the helper checks it again.
"""
