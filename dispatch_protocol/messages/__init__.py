"""What people's daemons say to each other: one frozen dataclass and one strict decoder for each payload type.

Import from the module that holds the noun (`messages.task`, `messages.answers`, …); `messages.registry` maps a payload
type to its decoder and a message to its bytes.
"""
