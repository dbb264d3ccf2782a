"""Network policies: every way in or out that is needed is open, and no other."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, ip_network
from urllib.parse import urlsplit

from deploy.kubernetes.inspection.objects import (
    NAME,
    PART_OF,
    PRODUCT,
    TOOLS,
    Json,
    Manifests,
    Workload,
    name_of,
    selects,
)

INTERNET = "internet"
DNS = "dns"
NOT_THE_INTERNET = frozenset(
    {
        *("10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8"),
        *("169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"),
    }
)
"""Networks of clusters and companies, and where clouds keep their metadata."""

_METADATA = IPv4Network("169.254.169.254/32")
_WIDEST_PREFIX = 8
_OUTSIDE = frozenset({"kafka", "postgresql", DNS})
"""Policies that tell by their names who is reached, where that is outside of the cluster."""
_ROLE = "proactive-care/"
_POSTGRESQL_PORT = 5432
_HTTPS = 443
_ASKED = ("ingest", "metrics")
"""What a person's commands send requests to."""
_TOOLS_LABELS = {NAME: TOOLS, PART_OF: PRODUCT}


@dataclass(frozen=True, slots=True, order=True)
class Way:
    """From or to whom, and which port of whoever is reached."""

    peer: str
    port: str

    def __str__(self) -> str:
        return f"{self.peer} {self.port}"


def faults(manifests: Manifests) -> Iterator[str]:
    """Yield every way that is missing, and every one too many; nothing where there are no policies."""
    policies = manifests.of("NetworkPolicy")
    if not policies:
        return
    yield from _policies(manifests, policies)
    for workload in manifests.ours():
        taken = [each for each in policies if _takes(each, workload)]
        if not any(_denies_all(each) for each in taken):
            yield f"{workload}: is open to all that no policy names"
        yield from _compared(workload, "in from", _ways_in(taken), _needs_in(workload))
        needed = _needs_out(manifests.environment(workload))
        if workload.name == TOOLS:
            needed |= _asked(manifests)
        yield from _compared(workload, "out to", _ways_out(taken), needed)


def _policies(manifests: Manifests, policies: list[Json]) -> Iterator[str]:
    for policy in policies:
        taken = [each for each in manifests.workloads() if _takes(policy, each)]
        # What is open to tools is open before they are there.
        if not taken and not selects(policy["spec"]["podSelector"], _TOOLS_LABELS):
            yield f"NetworkPolicy {name_of(policy)}: is about nobody"
        for rule in policy["spec"].get("egress", ()):
            yield from (f"NetworkPolicy {name_of(policy)}: {each}" for each in _reached(rule))


def _reached(rule: Json) -> Iterator[str]:
    for peer in rule.get("to", ()):
        block = peer.get("ipBlock")
        if (
            block is not None
            and _is_wide(block["cidr"])
            and not set(block.get("except", ())) >= NOT_THE_INTERNET
        ):
            yield "the internet is let go to networks of its own"
    if not rule.get("to") or not rule.get("ports"):
        yield "lets go everywhere"


def _is_wide(cidr: str) -> bool:
    """Return whether these are more addresses than a company's own, or where clouds keep their metadata."""
    network = ip_network(cidr)
    at_metadata = network.version == _METADATA.version and network.supernet_of(_METADATA)
    return network.prefixlen < _WIDEST_PREFIX or at_metadata


def _takes(policy: Json, workload: Workload) -> bool:
    return selects(policy["spec"]["podSelector"], workload.pod_labels)


def _denies_all(policy: Json) -> bool:
    spec = policy["spec"]
    both = set(spec["policyTypes"]) == {"Ingress", "Egress"}
    return both and not spec.get("ingress") and not spec.get("egress")


def _compared(workload: Workload, word: str, open_: set[Way], needed: set[Way]) -> Iterator[str]:
    yield from (f"{workload}: cannot get {word} {way}" for way in sorted(needed - open_))
    yield from (f"{workload}: may get {word} {way}, and need not" for way in sorted(open_ - needed))


def _ways_in(policies: list[Json]) -> set[Way]:
    rules = [rule for policy in policies for rule in policy["spec"].get("ingress", ())]
    return {way for rule in rules for way in _ways(rule, rule.get("from", ()), INTERNET)}


def _ways_out(policies: list[Json]) -> set[Way]:
    return {
        way
        for policy in policies
        for rule in policy["spec"].get("egress", ())
        for way in _ways(rule, rule.get("to", ()), _outside(policy))
    }


def _outside(policy: Json) -> str:
    return name_of(policy) if name_of(policy) in _OUTSIDE else INTERNET


def _ways(rule: Json, peers: list[Json], outside: str) -> Iterator[Way]:
    for peer in peers:
        for port in rule.get("ports", ()):
            yield Way(_name(peer, outside), str(port["port"]))


def _name(peer: Json, outside: str) -> str:
    """Return whom a peer of a policy stands for: a workload here, or what the label of its namespace says.

    Addresses stand for whom the policy is about, unless they are wider than a company's own.
    """
    if "ipBlock" in peer:
        return INTERNET if _is_wide(peer["ipBlock"]["cidr"]) else outside
    if "namespaceSelector" not in peer:
        return str(peer["podSelector"]["matchLabels"][NAME])
    labels: Mapping[str, str] = peer["namespaceSelector"]["matchLabels"]
    roles = [key.removeprefix(_ROLE) for key in labels if key.startswith(_ROLE)]
    return roles[0] if roles else DNS


def _needs_in(workload: Workload) -> set[Way]:
    """Prometheus asks every service, a person's commands some; all other requests come by the gateway."""
    needed = {
        Way("gateway", port)
        for port in workload.ports
        if port != "http" or workload.name == "ingest"
    }
    if "http" in workload.ports:
        needed.add(Way("monitoring", "http"))
    if workload.name in _ASKED:
        needed.add(Way(TOOLS, "http"))
    return needed


def _asked(manifests: Manifests) -> set[Way]:
    return {
        Way(each.name, str(each.ports["http"])) for each in manifests.ours() if each.name in _ASKED
    }


def _needs_out(environment: Mapping[str, str]) -> set[Way]:
    needed = {Way(DNS, "53")}
    if "DATABASE_URL" in environment:
        port = urlsplit(environment["DATABASE_URL"]).port or _POSTGRESQL_PORT
        needed.add(Way("postgresql", str(port)))
    if "CARE_OUTREACH_SMTP_PORT" in environment:
        # Its mail server, and the providers of other channels.
        mail = Way(INTERNET, environment["CARE_OUTREACH_SMTP_PORT"])
        needed |= {mail, Way(INTERNET, str(_HTTPS))}
    servers = environment.get("KAFKA_BOOTSTRAP_SERVERS", "")
    return needed | {Way("kafka", each.rpartition(":")[2]) for each in servers.split(",") if each}
