"""Which addresses the world may be reached at, and which belong to us or to nobody.  Pure."""

from collections.abc import Iterable
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# The registries of special-purpose addresses at IANA, written down: what the standard library knows
# of them differs between patch releases.
_SPECIAL_V4 = tuple(
    IPv4Network(text)
    for text in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT; also where one cloud tells its metadata
        "127.0.0.0/8",
        "168.63.129.16/32",  # public by its number, and one cloud's metadata
        "169.254.0.0/16",  # link-local, with the metadata of most clouds
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)
_GLOBAL_V6 = IPv6Network("2000::/3")
_SPECIAL_V6 = tuple(
    IPv6Network(text)
    for text in (
        "2001::/23",  # protocols of their own, among them Teredo
        "2001:db8::/32",
        "2620:4f:8000::/48",
        "3fff::/20",
    )
)
_NAT64 = IPv6Network("64:ff9b::/96")
_COMPATIBLE = IPv6Network("::/96")


def address_of(text: str) -> Address:
    """Return the address of this text, without the interface that IPv6 may name behind a `%`.

    Raises:
        ValueError: it is not the text of an address.
    """
    return ip_address(text.partition("%")[0])


def networks_of(texts: Iterable[str]) -> tuple[Network, ...]:
    """Return the networks of these CIDR texts.

    Raises:
        ValueError: one is not a network, or has bits set behind its mask.
    """
    return tuple(ip_network(text) for text in texts)


def is_within(address: Address, networks: Iterable[Network]) -> bool:
    """Return whether one of the networks holds the address, or the IPv4 address it stands for."""
    meant = _meant(address)
    return any(meant in network or address in network for network in networks)


def is_public(address: Address) -> bool:
    """Return whether the address is one of the open internet, as is every IPv4 address it stands for."""
    meant = _meant(address)
    if isinstance(meant, IPv4Address):
        return not any(meant in network for network in _SPECIAL_V4)
    return meant in _GLOBAL_V6 and not any(meant in network for network in _SPECIAL_V6)


def _meant(address: Address) -> Address:
    """Return the IPv4 address that this one is translated or tunnelled to, or itself."""
    if isinstance(address, IPv4Address):
        return address
    if embedded := address.ipv4_mapped or address.sixtofour:
        return embedded
    if address in _NAT64 or (address in _COMPATIBLE and int(address) > 1):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address
