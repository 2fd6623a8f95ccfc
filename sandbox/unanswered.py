"""Why an endpoint did not answer, in words of ours: the library's are for whoever wrote it, and change with it."""

import ssl


def unanswered(base: str, error: Exception) -> str:
    """Say what came of asking at `base`, from the error that the HTTP client raised."""
    import aiohttp  # costs nothing until a model was asked in vain

    host = base.partition("://")[2].partition("/")[0]
    match error:
        case aiohttp.ClientConnectorDNSError():
            return f"no address is known here for {host}"
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientSSLError() | ssl.SSLError():
            return f"the certificate of {host} is not trusted, or it speaks no TLS"
        case aiohttp.ClientProxyConnectionError() | aiohttp.ClientHttpProxyError():
            return f"the proxy does not lead to {base}"
        case aiohttp.ConnectionTimeoutError() | aiohttp.ClientConnectorError():
            return f"nobody answers at {base}"
        case TimeoutError():
            return f"{base} was asked and said nothing for too long"
        case aiohttp.InvalidURL():
            return f"{base} is no address"
        case _:
            return f"{base} broke off before it had answered"
