"""Why a request over httpx got no answer, in words: for every adapter that uses it."""

import ssl


def no_answer(error: Exception, *, private: bool = False) -> str:
    """`cannot be reached: Connection refused`. With `private` nothing is quoted that may hold a part of the request."""
    import httpx  # noqa: PLC0415 - 100 ms, only for those who ask a server

    root: BaseException = error
    while (below := root.__cause__ or root.__context__) is not None:
        root = below
    known: tuple[tuple[type[Exception], str], ...] = (
        (httpx.ConnectTimeout, "did not take the connection in time"),
        (httpx.TimeoutException, "did not answer in time"),
        (httpx.ProxyError, "cannot be reached through the proxy"),
        (httpx.UnsupportedProtocol, "is not an address that can be used"),
        (httpx.InvalidURL, "is not an address that can be used"),
        (httpx.NetworkError, "cannot be reached"),
    )
    said = next((text for kind, text in known if isinstance(error, kind)), "gave no answer")
    if isinstance(root, ssl.SSLCertVerificationError):
        why = f"its certificate is not trusted: {root.verify_message}"
    else:
        why = getattr(root, "strerror", None) or ("" if private else str(root))
    shown = "" if isinstance(error, httpx.TimeoutException) or not why else f": {why}"
    return f"{said}{shown}".rstrip(".")
