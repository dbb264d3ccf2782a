"""The manifests that are made are what they are made from."""

from pathlib import Path

import yaml
from click.testing import CliRunner

from deploy.kubernetes import generated, operators
from deploy.kubernetes.__main__ import main
from deploy.kubernetes.rules import prometheus_rules, rule_files
from deploy.kubernetes.topics import Layout, kafka_topics
from deploy.kubernetes.users import CLUSTER, PRINCIPALS, kafka_users
from services.contracts.access import grants, user_of
from services.contracts.topics import PURCHASES, TOPICS
from tests.deploy import rule_files as own


def test_the_committed_ones_are_up_to_date() -> None:
    assert generated.drift() == []


def test_a_changed_file_is_told_and_made_anew(tmp_path: Path) -> None:
    assert generated.write(Layout(), tmp_path) == list(generated.rendered(Layout()))
    (tmp_path / generated.RULE_FILE).write_text("by hand", encoding="utf-8")

    assert generated.drift(tmp_path) == [generated.RULE_FILE]
    assert generated.write(Layout(), tmp_path) == [generated.RULE_FILE]
    assert generated.drift(tmp_path) == []


def test_a_topic_is_made_as_the_contracts_say() -> None:
    (topic,) = kafka_topics([PURCHASES], Layout("Shop-", 24, 3))

    assert topic["metadata"]["name"] == "shop-purchases"
    assert topic["spec"] == {
        "topicName": "Shop-purchases",
        "partitions": 24,
        "replicas": 3,
        "config": PURCHASES.config() | {"min.insync.replicas": "2"},
    }


def test_users_may_do_what_the_contracts_say_and_have_no_password_here() -> None:
    made = {each["metadata"]["name"]: each["spec"] for each in kafka_users(PRINCIPALS, "shop-")}

    assert list(made) == [user_of(each, "shop-") for each in PRINCIPALS]
    assert all(each["authentication"] == {"type": "scram-sha-512"} for each in made.values())
    for principal in PRINCIPALS:
        acls = made[user_of(principal, "shop-")]["authorization"]["acls"]
        told = [
            (
                each["resource"]["name"],
                each["resource"]["patternType"] == "prefix",
                each["operations"],
            )
            for each in acls
        ]
        wanted = grants(principal, "shop-")
        assert told == [
            (each.name, each.is_prefix, [*map(str, each.operations)]) for each in wanted
        ]


def test_a_layout_of_ones_own_goes_elsewhere(tmp_path: Path) -> None:
    words = ["write", "--out", str(tmp_path), "--prefix", "shop-", "--partitions", "24"]

    told = CliRunner().invoke(main, words)

    made = list(yaml.safe_load_all((tmp_path / generated.TOPIC_FILE).read_text(encoding="utf-8")))
    assert told.exit_code == 0
    assert {each["spec"]["topicName"] for each in made} == {f"shop-{t.name}" for t in TOPICS}
    assert {each["spec"]["partitions"] for each in made} == {24}
    assert generated.drift() == []


def test_a_user_who_is_there_for_a_time_is_printed_by_itself() -> None:
    told = CliRunner().invoke(main, ["user", "mover", "--prefix", "shop-", "--cluster", "main"])

    made = yaml.safe_load(told.stdout)
    assert made["metadata"] == {"name": "shop-care-mover", "labels": {CLUSTER: "main"}}
    assert list(operators.faults(made)) == []
    assert {"Write", "Alter"} <= {
        operation
        for acl in made["spec"]["authorization"]["acls"]
        for operation in acl["operations"]
    }


def test_no_user_is_always_there_who_may_move_or_make_topics() -> None:
    assert {"mover", "topics", "publishers"}.isdisjoint(PRINCIPALS)


def test_rules_are_those_of_prometheus_itself() -> None:
    made = list(prometheus_rules(rule_files()))
    groups = [group["name"] for each in made for group in each["spec"]["groups"]]
    rules = [rule for each in made for group in each["spec"]["groups"] for rule in group["rules"]]

    assert len({each["metadata"]["name"] for each in made}) == len(made)
    assert len(set(groups)) == len(groups)
    assert [rule.get("record") or rule["alert"] for rule in rules] == [r.name for r in own.rules()]
