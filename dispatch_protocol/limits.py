"""Every limit of the protocol in one place: what is longer, later, deeper or more is refused, never cut.

Two kinds stand here: what people write (the page "Limits" of the command line's contract) and what bytes may measure
on the wire (`docs/PROTOCOL.md`). Characters are Unicode code points; `*_BYTES` are bytes; `*_S` are seconds and
`*_MS` milliseconds.
"""

from typing import Final

# What people write.
TASK_CHARS: Final = 100_000
BACKGROUND_CHARS: Final = 20_000
DELIVERABLE_CHARS: Final = 2_000
PROJECT_CHARS: Final = 200
LINKS: Final = 10
LINK_CHARS: Final = 500
META_PAIRS: Final = 20
META_KEY_CHARS: Final = 64
META_VALUE_CHARS: Final = 1_000
REPLY_CHARS: Final = 8_000
THREAD_MESSAGES: Final = 200  # of one side about one dispatch; who has more to say asks anew
REASON_CHARS: Final = 2_000
ADDRESS_CHARS: Final = 254  # RFC 5321: a path is at most 256 octets with its angle brackets
URL_CHARS: Final = 2_000
NAME_CHARS: Final = 255
PATH_CHARS: Final = 4_096  # Linux PATH_MAX
ATTACHMENTS: Final = 50
ATTACHMENT_BYTES: Final = 5 * 1024 * 1024
BLOB_CHUNK_BYTES: Final = 64 * 1024  # clear bytes of every chunk of a sealed file but the last
BLOB_TAG_BYTES: Final = 16  # what sealing adds to each chunk
STEPS: Final = 1_000
STEPS_BYTES: Final = 256 * 1024
DIFF_BYTES: Final = 256 * 1024  # all diffs of one result together

# How long things live.
EXPIRY_MIN_S: Final = 60
EXPIRY_MAX_S: Final = 86_400
EXPIRY_DEFAULT_S: Final = 3_600
EXPIRY_GRACE_MS: Final = 120_000  # two clocks may disagree by this much
APPROVAL_TIMEOUT_S: Final = 120
APPROVAL_TIMEOUT_MAX_S: Final = 86_400
RUNTIME_S: Final = 3_600
RUNTIME_MAX_S: Final = 7 * 86_400
MESSAGE_S: Final = 7 * 86_400  # how long words wait for their reader
INVITATION_S: Final = 7 * 86_400
COMPARISON_S: Final = 7 * 86_400
SEALING_RENEWED_S: Final = 30 * 86_400  # a device replaces its sealing key at this age
SEALING_REFUSED_S: Final = 60 * 86_400  # nothing new is sealed to an older one
SEALING_KEPT_S: Final = 8 * 86_400  # how long a replaced key still opens what is on its way
MAX_PER_DAY: Final = 50
MAX_PER_DAY_LIMIT: Final = 10_000

# What a grant may list.
GRANT_TOOLS: Final = 64
GRANT_SERVERS: Final = 64
GRANT_PATHS: Final = 64
GRANT_HOSTS: Final = 64

# Bytes on the wire.
SAFE_INTEGER: Final = 2**53 - 1  # the largest integer every JSON reader keeps exactly (RFC 8259, section 6)
JSON_DEPTH: Final = 32
DEVICES: Final = 32  # of one identity, and so of one envelope
CHAIN_LINKS: Final = 1_000
CHAIN_BYTES: Final = (
    448 * 1024
)  # all links of a chain in canonical DSSE JSON: two histories of it fit into one body
SIGNATURES: Final = 8  # of one document
TYPE_BYTES: Final = 128  # a payload type
BODY_BYTES: Final = 1024 * 1024  # B, the signed body
DOCUMENT_BYTES: Final = 256 * 1024  # one DSSE document in clear (a link, an invitation)
PADDING_FLOOR_BYTES: Final = 1024  # so that accepted and declined measure the same
ENVELOPE_BYTES: Final = 5 * 256 * 1024  # 1.25 MiB
MESSAGE_BYTES: Final = 2 * 1024 * 1024  # one WebSocket message, one HTTP body
