"""What the guide tells platform teams to type is what is there, and does what it says."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath

import click
import pytest
import yaml

from deploy.kubernetes import operators
from deploy.kubernetes.inspection import settings
from deploy.kubernetes.inspection.every import faults
from deploy.kubernetes.inspection.objects import Json, Manifests, name_of
from deploy.kubernetes.rendering import combined, kubectl, rendered
from services.cli.__main__ import care

ROOT = Path(__file__).parents[3]
PAGES = [ROOT / "docs" / name for name in ("deploy.md", "operations.md")]
FENCE = re.compile(r"^```\w*\n(.*?)^```", re.MULTILINE | re.DOTALL)
CREATED = re.compile(
    r"kubectl create secret generic -n care (\S+) --from-file=([^=\s]+)(?:=\S+)?\n"
)

SMTP = "CARE_OUTREACH_SMTP_"
MAIL_PASSWORD = ("outreach-smtp", "smtp-password")


def blocks(page: Path) -> list[str]:
    """Return what a page shows as typed."""
    return FENCE.findall(page.read_text(encoding="utf-8"))


def overlay_block() -> str:
    (found,) = [each for each in blocks(PAGES[0]) if each.startswith("# overlay\n")]
    return found


def lines_for_the_overlay(name: str) -> Json:
    """Return what the guide says to put into an overlay's kustomization."""
    (found,) = [each for each in blocks(PAGES[0]) if each.startswith(f"# {name}\n")]
    content: Json = yaml.safe_load(found)
    return content


def typed() -> Iterator[str]:
    """Yield every command of `care` in the guide, in blocks and in running text, with its options."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        spans = [
            " ".join(each.split()) for each in re.findall(r"`((?:care|kubectl exec) [^`]+)`", text)
        ]
        for line in [line for block in blocks(page) for line in block.splitlines()] + spans:
            found = re.search(r"(?:^|-- )(?:env (?:\w+=\S+ )+)?(care [^#<>|]+)", line)
            if found and "…" not in found[1]:
                yield found[1].strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what the guide works on."""
    for folder in ("kubernetes", "grafana", "prometheus"):
        shutil.copytree(ROOT / "deploy" / folder, tmp_path / "deploy" / folder)
    return tmp_path


def typed_in(checkout: Path, block: str) -> subprocess.CompletedProcess[str]:
    """Type a block of the guide in the root of a checkout."""
    path = (
        f"{Path(kubectl()).parent}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{os.defpath}"
    )
    environment = {"PATH": path, "PYTHONPATH": str(ROOT), "REGISTRY": "registry.test/care"}
    return subprocess.run(
        ["sh", "-e", "-c", block],
        cwd=checkout, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_the_overlay_of_the_guide_is_right(checkout: Path) -> None:
    done = typed_in(checkout, overlay_block())

    assert (done.stdout, done.returncode) == ("nothing is wrong\n", 0), done.stderr
    mine = rendered(checkout / "deploy" / "kubernetes" / "overlays" / "mine")
    assert mine.of("KafkaTopic")
    assert {each.container["image"].rpartition("/")[0] for each in mine.ours()} == {
        "registry.test/care"
    }
    told = {name: value for each in mine.ours() for name, value in mine.environment(each).items()}
    assert "care.shop.example.com" in told["CARE_OUTREACH_PAGES_BASE_URL"]
    assert told["CARE_OUTREACH_MODE"] == "shadow"


def test_its_public_names_are_those_of_links_routes_and_certificates(checkout: Path) -> None:
    named = lines_for_the_overlay("public names")
    links = {
        "name": "outreach",
        "behavior": "merge",
        "literals": ["CARE_OUTREACH_PAGES_BASE_URL=https://care.shop.example.com"],
    }
    with_links = {"components": ["tls", "gateway"], "configMapGenerator": [links]}

    unlike = faults(on_top(checkout, with_links))
    assert len(unlike) == 1
    assert "leads to care.shop.example.com, and the route of the pages is for" in unlike[0]
    assert faults(on_top(checkout, {**with_links, **named})) == []


def test_with_a_prefix_everything_is_by_the_new_names(checkout: Path) -> None:
    for name in ("overlay", "a prefix"):
        typed_in(checkout, next(b for b in blocks(PAGES[0]) if b.startswith(f"# {name}\n")))
    (named,) = [
        yaml.safe_load(b)
        for b in blocks(PAGES[0])
        if b.startswith("# a prefix\n") and "patches:" in b
    ]

    unlike = faults(on_top(checkout, {}, below="mine"))
    assert any("KafkaUser care-ingest is not there" in each for each in unlike), unlike
    above = on_top(checkout, named, below="mine")
    assert faults(above) == []
    topics = {name_of(each): each["spec"]["partitions"] for each in above.of("KafkaTopic")}
    assert topics["shop-purchases"] == 24


def test_kafka_and_the_database_may_be_outside(checkout: Path) -> None:
    lines = lines_for_the_overlay("outside") | {"components": ["network-policies"]}

    found = on_top(checkout, lines)

    kafka = found.named("NetworkPolicy", "kafka")
    assert kafka is not None
    assert kafka["spec"]["egress"][0]["ports"] == [{"protocol": "TCP", "port": 9096}]
    assert faults(found) == []


def test_who_is_on_the_guides_list_is_read_where_outreach_looks(checkout: Path) -> None:
    mine = on_top(checkout, lines_for_the_overlay("limited"))

    assert faults(mine) == []
    (outreach,) = [each for each in mine.ours() if each.name == "outreach"]
    path = PurePosixPath(mine.environment(outreach)["CARE_OUTREACH_LIMITED_TO_FILE"])
    (mount,) = [m for m in outreach.container["volumeMounts"] if m["name"] == "allow-list"]
    (volume,) = [v for v in outreach.pod["volumes"] if v["name"] == "allow-list"]
    people = mine.named("ConfigMap", volume["configMap"]["name"])
    assert people is not None
    assert (mount["mountPath"], people["data"]) == (str(path.parent), {path.name: "c-1\n"})


def test_its_first_order_is_of_nobody_and_of_now() -> None:
    (line,) = [
        line
        for block in blocks(PAGES[0])
        for line in block.splitlines()
        if line.startswith("care validate --example")
    ]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.defpath}"
    said = subprocess.run(
        ["sh", "-e", "-c", line.partition(" > ")[0]],
        env={"PATH": path}, capture_output=True, text=True, check=True,
    )  # fmt: skip

    order = json.loads(said.stdout)
    assert order["partitionkey"] == "care-smoke-test"
    age = datetime.now(UTC) - datetime.fromisoformat(order["time"])
    assert timedelta(0) <= age < timedelta(minutes=5)


def logging_in(checkout: Path) -> None:
    """Take the `#` from the production overlay's lines about the mail server's user."""
    overlay = checkout / "deploy" / "kubernetes" / "overlays" / "production" / "kustomization.yaml"
    text = overlay.read_text(encoding="utf-8")
    assert text.count(f"# - {SMTP}") == 2
    overlay.write_text(text.replace(f"# - {SMTP}", f"- {SMTP}"), encoding="utf-8")


def test_a_mail_server_that_asks_for_a_user_gets_one_with_what_the_guide_has_typed(
    checkout: Path,
) -> None:
    assert MAIL_PASSWORD not in settings.secrets(on_top(checkout, {}), settings.is_of_ours)
    logging_in(checkout)
    mine = on_top(checkout, {})

    assert faults(mine) == []
    assert MAIL_PASSWORD in settings.secrets(mine, settings.is_of_ours)
    assert MAIL_PASSWORD in {m for block in blocks(PAGES[0]) for m in CREATED.findall(block)}
    assert f"| `{MAIL_PASSWORD[0]}` | `{MAIL_PASSWORD[1]}` |" in PAGES[0].read_text(
        encoding="utf-8"
    )


def test_its_password_comes_from_the_store_where_both_components_are_listed(checkout: Path) -> None:
    both = {"components": ["external-secrets", "external-secrets/smtp"]}
    assert faults(on_top(checkout, both)) == ["secret outreach-smtp: nobody reads smtp-password"]
    logging_in(checkout)

    assert faults(on_top(checkout, {"components": ["external-secrets"]})) == [
        "secret outreach-smtp: nobody gives smtp-password"
    ]
    assert faults(on_top(checkout, both)) == []


def test_a_mail_password_without_tls_is_found_before_it_is_applied(checkout: Path) -> None:
    logging_in(checkout)

    (found,) = faults(on_top(checkout, mailing(f"{SMTP}STARTTLS=false")))

    assert "Deployment outreach: does not take smtp_password_file" in found
    assert "in the clear is refused in production" in found


def test_mail_on_465_gets_through_the_policies_with_the_guides_lines(checkout: Path) -> None:
    implicit = mailing(f"{SMTP}PORT=465", f"{SMTP}STARTTLS=false", f"{SMTP}IMPLICIT_TLS=true")
    closed = {**implicit, "components": ["network-policies"]}

    assert "Deployment outreach: cannot get out to internet 465" in faults(on_top(checkout, closed))
    assert faults(on_top(checkout, {**closed, **lines_for_the_overlay("mail on 465")})) == []


def mailing(*literals: str) -> Json:
    """Return lines that tell outreach more about its mail server."""
    told = {"name": "outreach", "behavior": "merge", "literals": list(literals)}
    return {"configMapGenerator": [told]}


def on_top(checkout: Path, lines: Json, below: str = "production") -> Manifests:
    """Return an overlay with these lines in a kustomization above it."""
    folder = checkout / "deploy" / "kubernetes" / "overlays" / "above"
    folder.mkdir(exist_ok=True)
    (folder / "people.txt").write_text("c-1\n", encoding="utf-8")
    components = [f"../../components/{name}" for name in lines.get("components", ())]
    content = {
        "namespace": "care",
        "resources": [f"../{below}"],
        **lines,
        "components": components,
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    return rendered(folder)


def test_the_guide_makes_every_secret_that_is_not_kafkas() -> None:
    made = {match for block in blocks(PAGES[0]) for match in CREATED.findall(block)}
    made -= {("kafka-cluster-ca-cert", "ca.crt")}  # Where Strimzi does not make it.
    manifests = combined("production", ["strimzi", "tools"])
    lent = {
        volume["secret"]["secretName"]
        for each in manifests.ours()
        for volume in each.pod["volumes"]
        if volume.get("secret", {}).get("optional")
    }

    assert {each for each in made if each[0] not in lent} == settings.secrets(
        manifests, settings.is_of_ours
    )


def test_its_kafka_is_one_that_strimzi_takes_and_the_component_expects() -> None:
    text = (ROOT / "deploy" / "kubernetes" / "examples" / "kafka.yaml").read_text(encoding="utf-8")
    kafka = Manifests(tuple(yaml.safe_load_all(text)))
    (broker,) = kafka.of("Kafka")
    (listener,) = broker["spec"]["kafka"]["listeners"]
    servers = combined("production").environment(combined("production").ours()[0])

    assert [list(operators.faults(each)) for each in kafka.objects] == [[], []]
    assert listener["tls"] is True
    assert listener["authentication"] == {"type": "scram-sha-512"}
    assert (
        servers["KAFKA_BOOTSTRAP_SERVERS"]
        == f"{broker['metadata']['name']}-kafka-bootstrap:{listener['port']}"
    )
    assert broker["spec"]["kafka"]["config"]["min.insync.replicas"] == 2


def test_a_kafka_with_a_wrong_word_is_refused() -> None:
    wrong = {
        "apiVersion": "kafka.strimzi.io/v1",
        "kind": "Kafka",
        "metadata": {"name": "kafka"},
        "spec": {
            "kafka": {"listeners": [{"name": "tls", "port": 9093, "type": "internal", "tsl": True}]}
        },
    }

    assert any("tsl" in each for each in operators.faults(wrong))


def test_there_are_commands_in_it() -> None:
    assert len(set(typed())) > 10


@pytest.mark.parametrize("line", sorted(set(typed())))
def test_every_command_it_names_is_there_with_its_options(line: str) -> None:
    words = shlex.split(line)[1:]
    command: click.Command = care
    while words and isinstance(command, click.Group) and not words[0].startswith("-"):
        found = command.get_command(click.Context(command), words.pop(0))
        assert found is not None, line
        command = found
    known = {name for each in command.params for name in (*each.opts, *each.secondary_opts)}
    assert {word.partition("=")[0] for word in words if word.startswith("--")} <= known | {"--help"}


def test_everything_the_production_overlay_is_made_of_stays_right() -> None:
    assert faults(combined("production", ["strimzi", "in-memory"])) == []
