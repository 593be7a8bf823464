"""Normal forms: what Exchange shows in several ways is one thing."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynamic_providers.exchange import forms


@pytest.mark.parametrize("value", [None, "", [], False, "00000000-0000-0000-0000-000000000000"])
def test_not_set(value: Any) -> None:
    assert forms.anything(value) is None


@pytest.mark.parametrize("value", [0, "0", True, ["x"], "False"])
def test_set(value: Any) -> None:
    assert forms.anything(value) == value


@given(st.lists(st.text(min_size=1), min_size=1), st.randoms())
def test_order_of_a_list_means_nothing(values: list[str], random: Any) -> None:
    shuffled = values.copy()
    random.shuffle(shuffled)
    assert forms.anything(values) == forms.anything(shuffled)


@pytest.mark.parametrize(
    ("form", "shown", "normal"),
    [
        (forms.sender_domains, ["smtp:*;1"], ["*"]),
        (forms.sender_domains, ["SMTP:B.example;10", "a.example"], ["a.example", "b.example"]),
        (forms.addresses, ["192.0.2.10/32", "192.0.2.9"], ["192.0.2.9", "192.0.2.10"]),
        (
            forms.addresses,
            ["203.0.113.0/24", "192.0.2.1-192.0.2.9"],
            ["192.0.2.1-192.0.2.9", "203.0.113.0/24"],
        ),
        (forms.hosts, ["[198.51.100.10]", "MX.Example."], ["198.51.100.10", "mx.example"]),
        (forms.number, "-1", -1),
        (forms.number, -1, -1),
        (forms.number, 0, 0),
        (forms.word("Enforce"), "ENFORCE", "Enforce"),
        (forms.word("Enforce"), "New word", "New word"),
        (forms.flag, None, False),
    ],
)
def test_one_form(form: forms.Form, shown: Any, normal: Any) -> None:
    assert form(shown) == normal


@pytest.mark.parametrize(
    "form", [forms.sender_domains, forms.addresses, forms.hosts, forms.number, forms.text, forms.word("A")]
)
@pytest.mark.parametrize("empty", [None, ""])
def test_nothing_in_every_form(form: forms.Form, empty: Any) -> None:
    assert form(empty) is None
