"""The routes of evidence about trust: the logs of edges, and chains that prove themselves; no page's to ask."""

from typing import Final

from dispatch_daemon.adapters.loopback.route import Route

TRUST: Final[tuple[Route, ...]] = (
    Route(
        "GET",
        "/v1/audit",
        "audit",
        "The logs of edges and of own devices, and what each amounts to.",
        "Audit",
    ),
    Route(
        "POST",
        "/v1/trust/export",
        "export_trust",
        "The chains that others may learn from.",
        "TrustExported",
        body="ExportTrust",
    ),
    Route(
        "POST",
        "/v1/trust/import",
        "import_trust",
        "Take in one chain that proves itself.",
        "TrustImported",
        body="ImportTrust",
    ),
)
