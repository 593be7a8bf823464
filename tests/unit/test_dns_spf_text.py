"""Terms of ours in an SPF record: put in, found, taken out, and the rest stays byte by byte."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynamic_providers.dns import spf_text
from dynamic_providers.dns.spf_text import LONGEST_STRING, Strings, added, has, removed

OURS = ("ip4:198.51.100.10", "ip4:198.51.100.11")
MICROSOFT = "v=spf1 include:spf.protection.outlook.com -all"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ((MICROSOFT,), (f"v=spf1 {' '.join(OURS)} include:spf.protection.outlook.com -all",)),
        (("V=SPF1 -all",), (f"V=SPF1 {' '.join(OURS)} -all",)),
        (("v=spf1",), (f"v=spf1 {' '.join(OURS)}",)),
        (("v=spf1  mx   ~all ",), (f"v=spf1 {' '.join(OURS)}  mx   ~all ",)),
        (
            (f"v=spf1 +ip4:198.51.100.10/32 {OURS[1]} -all",),
            (f"v=spf1 +ip4:198.51.100.10/32 {OURS[1]} -all",),
        ),
        (
            (f"v=spf1 -{OURS[0]} -all",),
            (f"v=spf1 {' '.join(OURS)} -{OURS[0]} -all",),
        ),
        (("v=spf1 mx", " -all"), (f"v=spf1 {' '.join(OURS)}", " mx", " -all")),
        (
            (f"v=spf1 include:{'a' * 220}.example -all",),
            (f"v=spf1 {' '.join(OURS)}", f" include:{'a' * 220}.example -all"),
        ),
    ],
)
def test_put_in_front_and_taken_out_again(before: Strings, after: Strings) -> None:
    assert added(before, OURS) == after
    assert added(after, OURS) == after
    assert all(has(after, one) for one in OURS)
    missing = [one for one in OURS if not has(before, one)]
    assert removed(after, missing) == before


def test_one_of_several_goes() -> None:
    both = added((MICROSOFT,), OURS)
    assert removed(both, OURS[:1]) == added((MICROSOFT,), OURS[1:])


WORDS = st.sampled_from(
    ["mx", "a:mail.example", "include:spf.example", "?ip4:203.0.113.0/24", "-all", "exp=x.y"]
)


@given(st.lists(st.lists(WORDS, max_size=9), min_size=1, max_size=3), st.sampled_from([OURS, OURS[:1]]))
def test_whatever_stood_there_stands_there_again(parts: list[list[str]], ours: tuple[str, ...]) -> None:
    first, *rest = (" ".join(["", *part]) for part in parts)
    before = tuple(one for one in (f"v=spf1{first}", *rest) if one)
    if len(before) > 1 and before[0] == "v=spf1":
        return  # nobody writes the version alone into a string
    after = added(before, ours)
    assert all(len(one) <= LONGEST_STRING for one in after)
    assert removed(after, ours) == before


def test_so_many_that_they_need_two_strings() -> None:
    ours = [f"ip4:198.51.100.{number}" for number in range(40)]
    after = added((MICROSOFT,), ours)
    assert [len(one) <= LONGEST_STRING for one in after] == [True] * 4
    assert "".join(after) == f"v=spf1 {' '.join(ours)} include:spf.protection.outlook.com -all"
    assert "".join(removed(after, ours)) == MICROSOFT


@pytest.mark.parametrize(
    "term", ["exists:%{i}.spf.hc1234-56.iphmx.com", "include:Spf.Contoso.Example", "a", "+mx"]
)
def test_other_mechanisms_will_do(term: str) -> None:
    [kept] = [spf_text._term(term)]
    assert removed(added((MICROSOFT,), [kept]), [kept.upper()]) == (MICROSOFT,)
