"""Keys out of what a terminal sends: whatever is more than one character is no key of ours."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from companyos_canary.keyboard import Keys


def read(*chunks: bytes) -> str:
    """What comes out; between two chunks nothing is waited for, after the last one it is."""
    keys = Keys()
    found = "".join("".join(keys.of(chunk)) for chunk in chunks)
    return found + "".join(keys.rest())


@pytest.mark.parametrize(
    ("chunks", "keys"),
    [
        ([b"a"], "a"),
        ([b"ay"], "ay"),
        ([b"\x1b"], "\x1b"),
        ([b"\x1b[A"], ""),
        ([b"\x1b", b"[A"], ""),
        ([b"\x1b[", b"A"], ""),
        ([b"\x1b[1;5", b"Aq"], "q"),
        ([b"\x1bOP", b"q"], "q"),
        ([b"\x1b[A\x1b[Bm"], "m"),
        ([b"\xc3", b"\xa9q"], "éq"),
        ([b"\xffq"], "\N{REPLACEMENT CHARACTER}q"),
        ([b"\x1b[200~today\x1b[201~q"], "q"),
        ([b"\x1b[200~to", b"day\x1b[20", b"1~q"], "q"),
    ],
)
def test_only_single_characters_are_keys(chunks: list[bytes], keys: str) -> None:
    assert read(*chunks) == keys


@given(st.lists(st.sampled_from([b"\x1b[A", b"\x1bOP", b"\x1b[15~", b"\x1b[1;5C"])), st.data())
def test_however_it_is_cut_no_arrow_is_a_key(sequences: list[bytes], data: st.DataObject) -> None:
    whole = b"".join(sequences)
    cuts = sorted(data.draw(st.sets(st.integers(0, len(whole)), max_size=5)))
    edges = [0, *cuts, len(whole)]
    assert read(*(whole[a:b] for a, b in pairwise(edges))) == ""
