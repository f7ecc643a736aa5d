"""When credentials end: read from what they say themselves."""

import base64
import json
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from companyos_canary.cluster.credentials import certificate_ends, token_ends


def certificate(ends: datetime) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "dana" * 16)])
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(2**150 + 1).not_valid_before(datetime(2020, 1, 1)).not_valid_after(ends)
    return made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


@pytest.mark.parametrize(
    "ends", [datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC), datetime(2055, 2, 3, 4, 5, 6, tzinfo=UTC)]
)
def test_a_certificate_says_until_when_it_is_valid(ends: datetime) -> None:
    pem = certificate(ends)
    assert certificate_ends(pem) == ends
    assert certificate_ends(b"the user's own\n" + pem + certificate(datetime(2021, 1, 1))) == ends, "the first counts"


@given(st.binary(max_size=80))
def test_what_is_no_certificate_has_no_end(content: bytes) -> None:
    wrapped = b"-----BEGIN CERTIFICATE-----\n" + base64.b64encode(content) + b"\n-----END CERTIFICATE-----\n"
    assert certificate_ends(content) is None
    assert certificate_ends(wrapped) is None


def token(claims: object) -> str:
    part = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"e30.{part}.c2ln"


def test_a_token_says_when_it_expires() -> None:
    assert token_ends(token({"exp": 1767225600})) == datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "opaque", token({}), token({"exp": "soon"}), token([1]), token({"exp": 1e300})])
def test_a_token_that_does_not_say_it_has_no_end(text: str) -> None:
    assert token_ends(text) is None
