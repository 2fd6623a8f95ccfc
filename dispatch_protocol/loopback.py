"""What the command line and the daemon must agree on without loading anything: codes, names, ids and times.

The command line imports this on every start, so it stands on the bare interpreter: no dataclass, no enumeration, no
cryptography. Every failure that anybody may see has its one row in `CODES`; a test holds the table against the closed
lists of the protocol.
"""

SOCKET_NAME = "daemon.sock"
WHOAMI_NAME = "whoami.json"  # what the daemon of a home last was, for those who ask while it does not run
SOCKET_PATH_BYTES = 103  # macOS keeps 104 with the closing zero, Linux 108
SHORT_ID_CHARS = 8

# Exit codes of the command line.
OK, FAILED, USAGE, REFUSED, SIGN_IN, UNREACHABLE, NOT_FOUND, INVALID, PENDING, INTERRUPTED = (
    0, 1, 2, 3, 4, 5, 6, 7, 8, 130,
)  # fmt: skip

# Every status a dispatch can show, and those after which nothing more is waited for.
STATUSES = (
    "waiting", "held", "queued", "sent", "delivered", "accepted", "running", "waiting_approval", "waiting_input",
    "completed", "failed", "refused", "declined", "expired", "cancelled", "conflict",
)  # fmt: skip
ENDED = frozenset({"completed", "failed", "refused", "declined", "expired", "cancelled", "conflict"})

_INBOX = "dispatch inbox"
_FINGERPRINTS = "dispatch contacts --fingerprints"
_CONTACTS = "dispatch contacts"
_LOGIN = "dispatch login --broker URL"
_START = "dispatch daemon start"
_DOCTOR = "dispatch doctor"
_LOGS = "dispatch daemon logs"
_INVITE = "dispatch invite EMAIL"
_INVITATIONS = "dispatch invitations"
_HELP = "dispatch --help"
_RETRY = "Try again in a moment."
_ASK = "Ask the other side to send it again."
_CONFIG = "dispatch config path"

# code -> (HTTP status, exit code, the next thing to do)
CODES = {
    # What was asked cannot be understood or is over a limit.
    "usage": (400, USAGE, _HELP),
    "bad_request": (400, USAGE, _HELP),
    "bad_json": (400, USAGE, "Send one JSON object, without duplicate keys and within the limits."),
    "bad_http": (400, USAGE, "Speak HTTP/1.1."),
    "invalid": (422, USAGE, _HELP),
    "malformed": (400, USAGE, _ASK),
    "not_encodable": (
        422,
        USAGE,
        "Remove what no text can hold: lone surrogates, NUL, numbers with a fraction.",
    ),
    "too_long": (413, USAGE, _HELP),
    "too_large": (413, USAGE, _HELP),
    "body_too_large": (413, USAGE, _HELP),
    "frame_too_long": (413, USAGE, _HELP),
    "body_timeout": (408, FAILED, _RETRY),
    "unsupported_media_type": (415, USAGE, "Send Content-Type: application/json."),
    "media_type": (415, USAGE, "Send Content-Type: application/json."),
    "upgrade_needed": (426, USAGE, "Speak WebSocket at this address."),
    "method_not_allowed": (405, USAGE, "See /v1/openapi.json."),
    "no_route": (404, NOT_FOUND, "See /v1/openapi.json."),
    "unknown_op": (400, FAILED, "Bring daemon and broker to the same version."),
    "idempotency_conflict": (409, USAGE, "Use a new idempotency key for another request."),
    "file_unreadable": (422, USAGE, "Check the file's name and its permissions."),
    "steps_invalid": (422, USAGE, "Give a YAML or JSON list of {tool, input}."),
    "empty_task": (422, USAGE, "dispatch send RECIPIENT 'TASK'"),
    "scope_choice_required": (422, USAGE, "dispatch accept-invitation TOKEN --tools Read,Glob,Grep"),
    "cwd_needed": (422, USAGE, "dispatch accept ID --cwd DIR"),
    "cwd_missing": (422, USAGE, "dispatch accept ID --cwd DIR"),
    "address_invalid": (422, USAGE, "Write the address as name@host."),
    "bad_broker_url": (422, USAGE, _LOGIN),
    "bad_ca_bundle": (422, USAGE, "Set SSL_CERT_FILE to a file of certificates in PEM form."),
    "broker_needed": (422, USAGE, _LOGIN),
    "config_invalid": (422, USAGE, _CONFIG),
    "config_unknown": (422, USAGE, _CONFIG),
    "no_service_manager": (500, FAILED, _START),
    "service_failed": (500, FAILED, "systemctl --user status dispatch"),
    "home_unusable": (500, FAILED, "dispatch --home DIR doctor"),
    "seal_arguments": (500, FAILED, _LOGS),
    "key_length": (500, FAILED, _LOGS),
    "wrong_key": (500, FAILED, _LOGS),
    "bad_transition": (409, NOT_FOUND, "dispatch status ID"),
    "bad_frame": (400, FAILED, "Bring daemon and broker to the same version."),
    "no_status": (500, FAILED, _LOGS),
    "no_grant": (404, NOT_FOUND, _CONTACTS),
    "output_failed": (500, FAILED, "Check the disk and the terminal."),
    "not_saved": (500, FAILED, "dispatch result ID --save DIR"),
    "failed": (500, FAILED, _LOGS),
    "internal": (500, FAILED, _LOGS),
    "interrupted": (499, INTERRUPTED, "dispatch status ID"),
    # Trust does not reach that far.
    "no_edge": (403, REFUSED, _INVITE),
    "edge_pending": (403, REFUSED, _CONTACTS),
    "edge_revoked": (403, REFUSED, _INVITE),
    "edge_expired": (403, REFUSED, _INVITE),
    "edge_narrowed": (403, REFUSED, "dispatch send RECIPIENT 'TASK'"),
    "edge_exists": (409, REFUSED, _CONTACTS),
    "not_mailed": (409, REFUSED, "dispatch invite EMAIL --link-only"),
    "daily_limit": (429, REFUSED, "Try again tomorrow, or ask for a higher limit."),
    "quota": (429, REFUSED, "Try again when the other side has fetched what waits for it."),
    "rate_limited": (429, REFUSED, _RETRY),
    "refused": (403, REFUSED, "dispatch status ID"),
    "declined": (403, REFUSED, "dispatch status ID"),
    "expired": (409, REFUSED, "dispatch send RECIPIENT 'TASK' --expires SECONDS"),
    "cancelled": (409, REFUSED, "dispatch status ID"),
    "forbidden": (403, REFUSED, _CONTACTS),
    "wrong_party": (403, REFUSED, "dispatch status ID"),
    "manual_only": (403, REFUSED, "dispatch approvals"),
    "scopes_changed": (409, REFUSED, "dispatch discard ID"),
    "not_kept": (409, REFUSED, "dispatch discard ID"),
    "originals_damaged": (409, REFUSED, "dispatch result ID"),
    "grant_unreachable": (409, REFUSED, "Bring the directory back to its place."),
    "apply_interrupted": (500, FAILED, _DOCTOR),
    "shown_first": (409, PENDING, "dispatch undo ID"),
    "artifact_refused": (422, USAGE, "dispatch complete ID --text T --file F"),
    "wrong_device": (403, REFUSED, _DOCTOR),
    "wrong_host": (403, REFUSED, "Use the address that `dispatch daemon status` prints."),
    "wrong_origin": (403, REFUSED, "Open the page at the address that `dispatch daemon status` prints."),
    "page_refused": (403, REFUSED, "Use `dispatch` for this."),
    "socket_only": (403, REFUSED, "dispatch ui"),
    "link_over": (401, SIGN_IN, "dispatch ui"),
    "no_browser": (500, FAILED, "dispatch ui --print"),
    "other_user": (403, REFUSED, "Run it as the user whose daemon this is."),
    "browser_refused": (403, REFUSED, "Use `dispatch`, not a browser."),
    "signup_closed": (403, REFUSED, "Ask the broker's operator to add your address."),
    "account_disabled": (403, REFUSED, "Ask the broker's operator why."),
    "dev_only_direct": (403, REFUSED, "Run `dispatch login --dev` on the broker's own machine."),
    "address_mismatch": (409, REFUSED, "dispatch whoami"),
    "pair_needed": (409, REFUSED, "On a machine that is signed in: dispatch devices add"),
    "home_in_use": (409, REFUSED, "DISPATCH_HOME=DIR dispatch devices add CODE"),
    "pairing_failed": (403, REFUSED, "dispatch devices add"),
    "pairing_over": (404, NOT_FOUND, "On the machine that you have: dispatch devices add"),
    "numbers_differ": (403, REFUSED, "dispatch devices add"),
    "recovery_wrong": (
        403,
        REFUSED,
        "Type it as it was shown, or name the broker that knows you: --broker URL",
    ),
    "panicked": (409, REFUSED, "dispatch panic --off"),
    "paused": (409, REFUSED, "dispatch pause --off"),
    "sealing_key_old": (409, REFUSED, "Ask them to start their device: it renews its key by itself."),
    "last_signer": (409, REFUSED, "dispatch devices add"),
    "chain_full": (409, REFUSED, "dispatch login --recover"),
    "look_there": (409, REFUSED, "dispatch approvals"),
    "verdict_mismatch": (409, REFUSED, "dispatch approvals"),
    "not_runner": (403, REFUSED, "dispatch devices set DEVICE --roles approver,runner"),
    "not_held": (409, REFUSED, "Accept it here, or ask for it to be sent again."),
    "not_approver": (403, REFUSED, "dispatch devices"),
    "token_needed": (403, REFUSED, "dispatch accept-invitation TOKEN"),
    "mac_bad": (403, REFUSED, "Ask for the token once more; accept only what the inviter gave you."),
    "invitation_mismatch": (403, REFUSED, _INVITATIONS),
    "invitation_expired": (410, REFUSED, _INVITE),
    "invitation_used": (409, REFUSED, _CONTACTS),
    "recovery_shown": (410, NOT_FOUND, "Without your copy, keep a second machine: dispatch devices add"),
    "recovery_elsewhere": (404, NOT_FOUND, "On the machine that holds it: dispatch devices recovery-key"),
    "owner_unknown": (403, REFUSED, _ASK),
    "decided_elsewhere": (409, NOT_FOUND, "dispatch status ID"),
    "not_owner": (
        403,
        REFUSED,
        "Accept it on the device that it names, or ask for it to be sent to this one.",
    ),
    "mandate_unsupported": (422, REFUSED, _ASK),
    "attachments_unsupported": (422, REFUSED, "Send it without files."),
    "too_many_files": (422, USAGE, "Pack them into one archive, or send them with several dispatches."),
    "file_too_large": (413, USAGE, "Pack it smaller, or put it where a --link can lead."),
    "file_changed": (409, USAGE, "Send it again when nothing writes to it."),
    "file_name": (422, USAGE, "Give the file another name."),
    "file_unknown": (404, NOT_FOUND, "Hand the file over once more: POST /v1/files"),
    "files_arriving": (409, PENDING, "dispatch watch ID"),
    "files_missing": (409, FAILED, _ASK),
    "offset_wrong": (409, FAILED, _RETRY),
    "blob_size": (422, REFUSED, _ASK),
    "blob_address": (422, REFUSED, _ASK),
    "blob_chunk": (422, REFUSED, _ASK),
    "blob_digest": (422, REFUSED, _ASK),
    "dependencies_unsupported": (422, REFUSED, "Send it without --after."),
    "unsupported": (422, REFUSED, "Bring both sides to the same version."),
    # No wall, or not inside it.
    "no_sandbox": (409, REFUSED, _DOCTOR),
    "no_agent": (409, REFUSED, "dispatch agent list"),
    "agent_key_missing": (409, REFUSED, "dispatch agent list"),
    "price_unknown": (409, REFUSED, "dispatch config set agent_prices MODEL=IN/OUT"),
    "agent_incomplete": (409, REFUSED, "dispatch agent list"),
    "model_unreachable": (503, FAILED, "dispatch agent test"),
    "model_key_refused": (409, FAILED, "dispatch agent test"),
    "model_unknown": (404, FAILED, "dispatch agent test"),
    "model_busy": (503, FAILED, _RETRY),
    "model_refused": (502, FAILED, "dispatch agent test"),
    "model_garbled": (502, FAILED, "dispatch agent test"),
    "model_declined": (409, FAILED, "dispatch status ID"),
    "model_silent": (502, FAILED, "dispatch status ID"),
    "budget": (409, FAILED, "dispatch status ID"),
    "outside_paths": (403, REFUSED, "dispatch accept ID --cwd DIR"),
    "limits_invalid": (422, USAGE, _HELP),
    "tools_unknown": (422, REFUSED, _ASK),
    "tool_refused": (403, REFUSED, _CONTACTS),
    "grants_nested": (
        422,
        USAGE,
        "Grant the outer directory with one mode, and protect parts of it with :ro.",
    ),
    "mcp_unavailable": (409, REFUSED, "dispatch agent server list"),
    "server_missing": (409, REFUSED, "dispatch agent server list"),
    "server_exists": (409, REFUSED, "dispatch agent server remove NAME"),
    "server_secret_missing": (409, REFUSED, "dispatch agent server list"),
    "server_silent": (502, FAILED, "dispatch agent server test NAME"),
    "server_garbled": (502, FAILED, "dispatch agent server test NAME"),
    "server_flooded": (502, FAILED, "dispatch agent server test NAME"),
    "server_ended": (502, FAILED, "dispatch agent server test NAME"),
    "server_refused": (502, FAILED, "dispatch agent server test NAME"),
    "path_changed": (409, REFUSED, _CONTACTS),
    "path_foreign": (409, REFUSED, _DOCTOR),
    "path_invalid": (422, USAGE, "Write the path in full, without . or .. in it."),
    "path_missing": (422, USAGE, "Check that the directory is there."),
    "path_private": (403, REFUSED, "Grant a directory that holds no keys of yours."),
    "path_submount": (409, REFUSED, "Grant a directory without another file system below it."),
    "path_system": (403, REFUSED, "Grant a directory of yours."),
    "path_too_large": (413, USAGE, "Grant a smaller directory."),
    "changed_meanwhile": (409, REFUSED, "dispatch status ID"),
    "changeset_changed": (409, REFUSED, "dispatch status ID"),
    "changeset_denied": (409, FAILED, "dispatch status ID"),
    "helper_died": (500, FAILED, _LOGS),
    "helper_silent": (500, FAILED, _LOGS),
    "helper_untrusted": (500, FAILED, _LOGS),
    "layer_unreadable": (500, FAILED, _DOCTOR),
    # Who are you?
    "login_needed": (401, SIGN_IN, _LOGIN),
    "code_needed": (401, SIGN_IN, "dispatch login --broker URL --email X --code-file -"),
    "code_wrong": (401, SIGN_IN, "dispatch login --broker URL --email X --code-file -"),
    "sign_in_over": (409, SIGN_IN, _LOGIN),
    "sign_in_unavailable": (403, REFUSED, "Ask the broker's operator for --smtp-url or --oidc-issuer."),
    "authorization_pending": (400, PENDING, _LOGIN),
    "slow_down": (400, PENDING, _RETRY),
    "expired_token": (400, SIGN_IN, _LOGIN),
    "access_denied": (400, SIGN_IN, _LOGIN),
    "token_invalid": (401, SIGN_IN, _LOGIN),
    "token_expired": (401, SIGN_IN, _LOGIN),
    "proof_invalid": (401, SIGN_IN, _LOGIN),
    "token_wrong": (401, SIGN_IN, "Use the token in local.token, or none on the socket."),
    # Nobody answers.
    "daemon_unreachable": (503, UNREACHABLE, _START),
    "daemon_not_running": (503, UNREACHABLE, _START),
    "daemon_running": (409, FAILED, "dispatch daemon status"),
    "local_token_missing": (503, UNREACHABLE, _START),
    "broker_unreachable": (503, UNREACHABLE, _DOCTOR),
    "unavailable": (503, UNREACHABLE, _RETRY),
    "draining": (503, UNREACHABLE, _RETRY),
    "watcher_slow": (503, UNREACHABLE, _RETRY),
    # Not there, or nothing left to do.
    "not_found": (404, NOT_FOUND, _INBOX),
    "ambiguous": (409, NOT_FOUND, "Type more of the id."),
    "not_pending": (409, NOT_FOUND, _INBOX),
    "no_comparison": (409, PENDING, "dispatch contacts verify PEER"),
    "words_differ": (422, INVALID, "dispatch contacts verify PEER --words WORDS, or --again"),
    "comparison_mismatch": (403, REFUSED, _CONTACTS),
    "peer_unknown": (404, NOT_FOUND, _CONTACTS),
    "bundle_unreadable": (404, NOT_FOUND, "dispatch result ID"),
    "verification_failed": (422, INVALID, "Do not rely on it."),
    "not_delivered": (409, PENDING, "dispatch watch ID"),
    "thread_full": (429, REFUSED, "dispatch followup ID TASK"),
    "not_finished": (409, PENDING, "dispatch watch ID"),
    "still_pending": (408, PENDING, "dispatch watch ID"),
    "need_input": (409, PENDING, "dispatch status ID"),
    # Keys and journal of this machine.
    "keys_missing": (500, FAILED, _DOCTOR),
    "keys_damaged": (500, FAILED, _DOCTOR),
    "keychain_unavailable": (500, FAILED, "Set DISPATCH_KEY_BACKEND=file."),
    "journal_damaged": (500, FAILED, _DOCTOR),
    "journal_newer": (500, FAILED, "Install the newer version that wrote it."),
    "disk_full": (507, FAILED, "Free some space."),
    # An envelope that the recipient refuses; the words of the opening list.
    "not_listed": (403, REFUSED, _ASK),
    "unwrap_failed": (403, REFUSED, _ASK),
    "commit_mismatch": (403, REFUSED, _ASK),
    "ciphertext_bad": (403, REFUSED, _ASK),
    "padding_bad": (403, REFUSED, _ASK),
    "signer_unknown": (403, REFUSED, _CONTACTS),
    "signature_bad": (403, REFUSED, _ASK),
    "signature_invalid": (400, REFUSED, _ASK),
    "body_malformed": (403, REFUSED, "Bring both sides to the same version."),
    "header_mismatch": (403, REFUSED, _ASK),
    "chain_unknown": (409, REFUSED, _RETRY),
    "device_revoked": (403, REFUSED, "dispatch whoami"),
    "device_unknown": (409, REFUSED, _RETRY),
    "stale_chain": (409, REFUSED, "dispatch send RECIPIENT 'TASK'"),
    "expiry_too_far": (403, REFUSED, "dispatch send RECIPIENT 'TASK' --expires SECONDS"),
    "replayed": (409, REFUSED, _INBOX),
    "id_collision": (409, REFUSED, "dispatch send RECIPIENT 'TASK'"),
    "low_order_point": (403, REFUSED, _CONTACTS),
    "genesis_mismatch": (409, REFUSED, _FINGERPRINTS),
    "chain_broken": (409, REFUSED, _CONTACTS),
    "chain_forked": (409, REFUSED, _FINGERPRINTS),
    "sequence_gap": (409, REFUSED, _RETRY),
    "proof_mismatch": (401, SIGN_IN, _LOGIN),
    "replaced": (409, REFUSED, "This device signed in elsewhere: run one daemon for one home."),
    "counter_reused": (
        409,
        REFUSED,
        "This home is a copy: run one of them only, and make a new identity here.",
    ),
}

_BY_STATUS = {
    400: "bad_request",
    401: "login_needed",
    403: "forbidden",
    404: "not_found",
    409: "not_pending",
    413: "too_large",
    415: "unsupported_media_type",
    422: "invalid",
    429: "rate_limited",
    503: "unavailable",
}


def http_status(code: str) -> int:
    """Return the HTTP status that says the same as a code; 500 for a word that is not in the table."""
    return CODES.get(code, CODES["internal"])[0]


def exit_code(code: str) -> int:
    """Return the command line's exit code for a code; 1 for a word that is not in the table."""
    return CODES.get(code, CODES["internal"])[1]


def hint(code: str) -> str:
    """Return the next command to type, or what else to do, where nobody knows better."""
    return CODES.get(code, CODES["internal"])[2]


def code_of_status(status: int) -> str:
    """Return the code for an answer that states none."""
    return _BY_STATUS.get(status, "internal")


def short_id(value: str) -> str:
    """Return the first eight hex digits of an id or digest, which is what people read and type."""
    return value.replace("-", "")[:SHORT_ID_CHARS]


def socket_path(home: str) -> str:
    """Return where the daemon of this home listens: in the home, or under a short name where that path is too long.

    A short one is recorded in `config.json`, and its reader checks whose process answers there.
    """
    path = f"{home}/{SOCKET_NAME}"
    if len(path.encode("utf-8", "surrogateescape")) <= SOCKET_PATH_BYTES:
        return path
    import hashlib  # costs a millisecond that nearly nobody needs to spend

    name = hashlib.sha256(home.encode("utf-8", "surrogateescape")).hexdigest()[:24]
    return f"/tmp/dispatch-{name}.sock"  # noqa: S108 - bound by its owner alone, who is checked by peer uid
