"""Addresses: what is ours or nobody's stays out of reach, however it is written."""

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.outreach.channels.addresses import address_of, is_public, is_within, networks_of

PUBLIC = ("8.8.8.8", "1.1.1.1", "93.184.215.14", "2606:4700::1111", "2a00:1450:4001:81c::200e")
NOT_PUBLIC = {
    "private": ("10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "fd00::1", "fec0::1"),
    "loopback": ("127.0.0.1", "127.255.255.254", "::1"),
    "link-local": ("169.254.0.1", "fe80::1", "fe80::1%eth0"),
    "multicast": ("224.0.0.1", "239.255.255.255", "ff02::1"),
    "reserved": ("240.0.0.1", "255.255.255.255", "192.0.0.8", "198.18.0.1", "4000::1"),
    "unspecified": ("0.0.0.0", "0.1.2.3", "::"),
    "CGNAT": ("100.64.0.1", "100.127.255.255"),
    "documentation": ("192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1", "3fff::1"),
    "metadata": ("169.254.169.254", "168.63.129.16", "100.100.100.200", "fd00:ec2::254"),
    "tunnels": ("2001:0:7f00:1::", "64:ff9b:1::7f00:1", "::ffff:0:127.0.0.1"),
}

v4 = st.ip_addresses(v=4)


def standing_for(address: IPv4Address) -> list[IPv6Address]:
    """Return the IPv6 addresses that lead to this IPv4 address."""
    number = int(address)
    return [
        IPv6Address(number),
        IPv6Address(0xFFFF << 32 | number),
        IPv6Address(0x2002 << 112 | number << 80 | 1),
        IPv6Address(0x64FF9B << 96 | number),
    ]


@pytest.mark.parametrize("text", PUBLIC)
def test_the_open_internet_is_public(text: str) -> None:
    assert is_public(address_of(text))


@pytest.mark.parametrize("text", [text for texts in NOT_PUBLIC.values() for text in texts])
def test_what_is_ours_or_nobodys_is_not(text: str) -> None:
    assert not is_public(address_of(text))


@given(v4)
def test_an_address_within_another_is_judged_as_itself(address: IPv4Address) -> None:
    if int(address) > 1:
        assert {is_public(other) for other in standing_for(address)} == {is_public(address)}
    else:
        assert not any(is_public(other) for other in standing_for(address))


@given(v4 | st.ip_addresses(v=6))
def test_nothing_is_public_that_the_standard_library_knows_not_to_be(
    address: IPv4Address | IPv6Address,
) -> None:
    stands_for_another = isinstance(address, IPv6Address) and (
        address.sixtofour or address.ipv4_mapped or int(address) >> 32 in {0, 0x64FF9B << 64}
    )
    if is_public(address) and not stands_for_another:
        assert address.is_global
        assert not address.is_multicast


@given(v4)
def test_a_network_that_is_named_holds_what_stands_for_its_addresses(address: IPv4Address) -> None:
    networks = networks_of([f"{address}/32"])

    assert is_within(address, networks)
    if int(address) > 1:
        assert all(is_within(other, networks) for other in standing_for(address))
    assert not is_within(address_of("2606:4700::1111"), networks)


@pytest.mark.parametrize("text", ["10.0.0.1/8", "10/8", "", "example.org"])
def test_what_is_no_network_is_noticed(text: str) -> None:
    with pytest.raises(ValueError, match=r"does not appear|has host bits set"):
        networks_of([text])
