"""The welcome letter in the layouts that people get, or paste; what it does not say is not made up."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleet.onboard.letter import LONGEST, Letter, UnreadableLetter, decoded, parse, read
from fleet.onboard.letter_gateways import LetterGateway

ESA1, ESA2 = "esa1.hc1234-56.c3s2.iphmx.com", "esa2.hc1234-56.c3s2.iphmx.com"
ADDRESSES = (("192.0.2.10", "198.51.100.10"), ("192.0.2.11", "198.51.100.11"))
NAMED = tuple(LetterGateway(host, *data) for host, data in zip((ESA1, ESA2), ADDRESSES, strict=True))
NAMELESS = tuple(LetterGateway("", *data) for data in ADDRESSES)

BLOCKS = f"""
Dear customer,
your allocation is ready. The domain name in service is the following.
Domain name in service: contoso.example
Access through SSH: f10-ssh.c3s2.iphmx.com

Cloud Gateway 1: {ESA1}
   Data 1 IP address: 192.0.2.10
   Data 2 IP address: 198.51.100.10
Cloud Gateway 2: https://{ESA2}/
   Data 1 IP address: 192.0.2.11
   Data 2 IP address: 198.51.100.11
Email and Web Manager (SMA): sma1.hc1234-56.c3s2.iphmx.com (203.0.113.4)
MX records:
   mx1.hc1234-56.c3s2.iphmx.com
   mx2.hc1234-56.c3s2.iphmx.com
Outbound: ob1.hc1234-56.c3s2.iphmx.com
Write to ces-activations@cisco.com, or see www.cisco.com.
"""
TABLE = f"""
Hostname                            Data 1          Data 2
{ESA1}       192.0.2.10      198.51.100.10
{ESA2}       192.0.2.11      198.51.100.11
"""
PIPES = f"""
| Gateway | Data 1 (inbound) | Data 2 (outbound) |
|---|---|---|
| {ESA1} | 192.0.2.10 | 198.51.100.10 |
| {ESA2} | 192.0.2.11 | 198.51.100.11 |
"""
CELLS = f"""
Hostname
Data 1
Data 2
{ESA1}
192.0.2.10
198.51.100.10
{ESA2}
192.0.2.11
198.51.100.11
"""
LISTS = f"""
Your gateways:
 {ESA1}
 {ESA2}

Data 1 interface IP addresses:
 192.0.2.10
 192.0.2.11
Data 2 interface IP addresses:
 198.51.100.10
 198.51.100.11
"""
INLINE = f"""
Cloud gateways: {ESA1}, {ESA2}
Inbound IP addresses: 192.0.2.10, 192.0.2.11
Outbound IP addresses: 198.51.100.10 and 198.51.100.11
"""
ONE_LINE = f"""
{ESA1}: Data 1 192.0.2.10, Data 2 198.51.100.10
{ESA2}: Data 1 192.0.2.11 / Data 2 198.51.100.11
"""
SENTENCES = """
For example, 192.0.2.10 is the IP address of the Data 1 interface for Gateway 1 and 192.0.2.11 is
the IP address of the Data 1 interface for Gateway 2. The IP address of the Data 2 interface for
Gateway 1 is 198.51.100.10 and the IP address of the Data 2 interface for Gateway 2 is 198.51.100.11.
"""
GUIDES_OWN = (
    "192.0.2.10 é o endereço IP da interface Data 1 para o Gateway 1 e 192.0.2.11 é o endereço IP da"
    " interface Data 1 para o Gateway 2. O endereço IP da interface dos Dados 2 para o Gateway 1 é"
    " 198.51.100.10 e"
    " o endereço IP da interface dos Dados 2 para o Gateway 2 é 198.51.100.11."
)
BLOCKS_OF_LINES = """
Gateway 1
Data 1
192.0.2.10
Data 2
198.51.100.10
Gateway 2
Data 1
192.0.2.11
Data 2
198.51.100.11
"""


@pytest.mark.parametrize(
    ("text", "gateways"),
    [
        (BLOCKS, NAMED),
        (TABLE, NAMED),
        (TABLE.replace("      ", "\t"), NAMED),
        (TABLE.replace(" ", "\N{NO-BREAK SPACE}"), NAMED),
        (PIPES, NAMED),
        (CELLS, NAMED),
        (LISTS, NAMED),
        (INLINE, NAMED),
        (ONE_LINE, NAMED),
        (SENTENCES, NAMELESS),
        (GUIDES_OWN, NAMELESS),
        (BLOCKS_OF_LINES, NAMELESS),
    ],
)
def test_each_layout_gives_the_same_gateways(text: str, gateways: tuple[LetterGateway, ...]) -> None:
    found = parse(text)
    assert (found.gateways, found.notes) == (gateways, ())


def test_all_else_that_a_letter_says() -> None:
    assert parse(BLOCKS) == Letter(
        gateways=NAMED,
        jump_host="f10-ssh.c3s2.iphmx.com",
        manager="sma1.hc1234-56.c3s2.iphmx.com",
        mx_hosts=("mx1.hc1234-56.c3s2.iphmx.com", "mx2.hc1234-56.c3s2.iphmx.com"),
        domains=("contoso.example",),
    )


def test_domains_may_be_a_list() -> None:
    text = "Domains:\n - contoso.example\n - shop.contoso.example\n\nGateway 1: " + ESA1
    assert parse(text).domains == ("contoso.example", "shop.contoso.example")


@pytest.mark.parametrize(
    ("text", "gateways", "note"),
    [
        ("Gateway 1\nData 1: 192.0.2.10", (LetterGateway("", "192.0.2.10", ""),), ""),
        ("Your addresses: 192.0.2.10, 198.51.100.10", (), "does not say of which interface"),
        (
            "Gateway 1 Data 1: 192.0.2.10\nGateway 1 Data 1: 192.0.2.99",
            (LetterGateway(),),
            "several addresses for data 1 of gateway 1: 192.0.2.10, 192.0.2.99",
        ),
        (f"{LISTS} 198.51.100.12\n", None, "198.51.100.12"),
        ("Gateway 1 Data 1: 10.0.0.1", (), "10.0.0.1"),
        ("f1-ssh.iphmx.com and f2-ssh.iphmx.com", (), "several hosts for SSH"),
    ],
)
def test_what_is_missing_or_contradicts_itself_is_not_guessed(
    text: str, gateways: tuple[LetterGateway, ...] | None, note: str
) -> None:
    found = parse(text)
    if gateways is not None:
        assert found.gateways == gateways
    assert note in "; ".join(found.notes) if note else found.notes == ()


def test_a_list_that_is_too_long_for_the_gateways_gives_no_addresses() -> None:
    found = parse(LISTS + " 198.51.100.12\n").gateways
    assert [(one.data1, one.data2) for one in found] == [("192.0.2.10", ""), ("192.0.2.11", "")]


@pytest.mark.parametrize(
    "raw",
    [
        BLOCKS.encode(),
        b"\xef\xbb\xbf" + BLOCKS.encode(),
        BLOCKS.encode("utf-16"),
        BLOCKS.replace("\n", "\r\n").encode("cp1252"),
        (BLOCKS + "Grüße").encode("cp1252"),
    ],
)
def test_encodings(raw: bytes, tmp_path: Path) -> None:
    file = tmp_path / "letter.txt"
    file.write_bytes(raw)
    assert read(file) == decoded(raw, "stdin")
    assert read(file).gateways == NAMED


@pytest.mark.parametrize("raw", [b"%PDF-1.7 ...", b"PK\x03\x04 a document", b"\x00\x01\x02"])
def test_what_is_no_text_is_refused_with_what_to_do(raw: bytes) -> None:
    with pytest.raises(UnreadableLetter, match="copy its text into a file"):
        decoded(raw, "letter.docx")


def test_a_letter_that_is_not_there_and_one_that_is_endless(tmp_path: Path) -> None:
    with pytest.raises(UnreadableLetter, match=r"nowhere\.txt: the letter cannot be read: No such file"):
        read(tmp_path / "nowhere.txt")
    with pytest.raises(UnreadableLetter, match="has 200001 characters"):
        parse("x" * (LONGEST + 1))


def test_what_cannot_be_seen_is_no_part_of_a_name() -> None:
    text = "Gateway\u00a01: esa1.con\u200bto\u00adso.example Data 1: 192.0.2.\u206010"
    assert parse(text).gateways == (LetterGateway("esa1.contoso.example", "192.0.2.10"),)


HOSTILE = (
    'Domain: contoso.example"\n  m365-secure-email:mode: manage\n',
    "Gateway 1: esa1.x.example'; !!python/object/apply:os.system [id]\n",
    "Gateway 1: esa1.\u202e.example\n\x1b[2J\x1b]0;title\x07 Data 1: 192.0.2.10\n",
    "Gateway 1: esa1.con\u200btoso.example Data 1: 192.0.2.10\n",
    "Domain: {{ 7*7 }}.example ${HOME}.example `id`.example *.example &a.example\n",
    "Data 1: 192.0.2.10#comment\nData 2: 192.0.2.11/8\nData 1: 999.1.1.1\n",
    f"Data 1:{' ' * 190_000}192.0.2.10\n",
    "Data 1: 192.0.2.10" + " and " * 30_000,
    "a." * 60_000,
    "Gateway " * 20_000,
)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_gives_plain_names_and_addresses_or_nothing(text: str) -> None:
    found = parse(text)  # what is quadratic in it takes minutes, and pytest's time-out ends it
    data = [address for one in found.gateways for address in (one.data1, one.data2)]
    said = [*(one.host for one in found.gateways), *data, *found.domains, *found.mx_hosts, found.jump_host]
    assert set("".join(said)) <= set("abcdefghijklmnopqrstuvwxyz0123456789.-/")
    assert all(note.isprintable() for note in found.notes)
