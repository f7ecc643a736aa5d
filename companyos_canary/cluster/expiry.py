"""When the credentials of a kubeconfig end: a client certificate, a token."""

import base64
import json
import re
from datetime import UTC, datetime

_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", re.S)
_UTC_TIME, _GENERALIZED, _VERSION = 0x17, 0x18, 0xA0


def certificate_ends(pem: bytes) -> datetime | None:
    """The notAfter of the first certificate (X.509 in PEM, RFC 5280 §4.1); None where it cannot be read: the server
    will say."""
    found = _PEM.search(pem)
    try:
        der = base64.b64decode(b"".join(found[1].split())) if found else b""
        at, _ = _inside(der, 0)  # Certificate
        at, _ = _inside(der, at)  # TBSCertificate
        if der[at] == _VERSION:
            at = _behind(der, at)
        for _ in ("serialNumber", "signature", "issuer"):
            at = _behind(der, at)
        at, _ = _inside(der, at)  # Validity
        at = _behind(der, at)  # notBefore
        begin, end = _inside(der, at)
        return _moment(der[at], der[begin:end].decode())
    except (ValueError, IndexError):
        return None


def token_ends(token: str) -> datetime | None:
    """The `exp` of a JWT; None where it has none, or is no JWT."""
    try:
        claims = token.split(".")[1]
        ends = float(json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["exp"])
        return datetime.fromtimestamp(ends, UTC)
    except (ValueError, KeyError, IndexError, TypeError, OverflowError, OSError):
        return None


def _inside(der: bytes, at: int) -> tuple[int, int]:
    """Where the content of the value at a place begins and ends."""
    length, at = der[at + 1], at + 2
    if length & 0x80:
        size = length & 0x7F
        length, at = int.from_bytes(der[at : at + size], "big"), at + size
    return at, at + length


def _behind(der: bytes, at: int) -> int:
    return _inside(der, at)[1]


def _moment(tag: int, text: str) -> datetime:
    if tag == _GENERALIZED:
        return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
    if tag == _UTC_TIME:
        century = "20" if int(text[:2]) < 50 else "19"
        return datetime.strptime(century + text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
    raise ValueError(tag)
