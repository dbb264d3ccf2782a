"""`make alerts-check`: what promtool and amtool say of the rules, and what is shown of each alert."""

import sys
from collections.abc import Iterable, Mapping

from tests.deploy import tools
from tests.deploy.house_rules import SEVERITIES
from tests.deploy.rule_files import SUITES, Rule, Story, all_stories, rules
from tests.deploy.tools import Ran

EXIT_WRONG = 1
EXIT_USAGE = 2


def table(alerts: Iterable[Rule], shown: Mapping[str, set[Story]], failed: frozenset[str]) -> str:
    """Return a line for each alert: its severity, what is shown of it, and whether that holds."""
    head = f"{'alert':<28}{'severity':<10}{'fires':<7}{'silent':<8}{'clears':<8}tests"
    lines = [
        f"{alert.name:<28}{alert.labels['severity']:<10}"
        + "".join(
            f"{'yes' if story in shown[alert.name] else 'no':<{width}}"
            for story, width in ((Story.FIRES, 7), (Story.SILENT, 8), (Story.CLEARS, 8))
        )
        + ("FAIL" if alert.name in failed else "pass")
        for alert in alerts
    ]
    return "\n".join([head, *lines])


def main() -> int:
    """Check everything and print it; return the exit code."""
    if lacking := tools.missing():
        print(f"{' and '.join(lacking)} not found.  {tools.HOW_TO_INSTALL}", file=sys.stderr)
        return EXIT_USAGE
    ran = {"prometheus.yml": tools.check_config(), "alertmanager.yml": tools.check_routing()}
    ran |= {f"tests/{suite.name}": tools.run_suite(suite) for suite in SUITES}
    alerts = [rule for rule in rules() if rule.is_alert]
    shown = all_stories()
    failed = frozenset(name for each in ran.values() for name in each.failed_alerts)
    print(table(alerts, shown, failed))
    untold = [alert.name for alert in alerts if shown[alert.name] != set(Story)]
    is_routed = all(tools.receiver_of(severity=each) == each for each in SEVERITIES)
    return _verdict(ran, untold, is_routed=is_routed)


def _verdict(ran: Mapping[str, Ran], untold: list[str], *, is_routed: bool) -> int:
    wrong = {name: each for name, each in ran.items() if not each.is_right}
    for name, each in wrong.items():
        print(f"\n{name}:\n{each.said}")
    if untold:
        print(f"\nNot shown to fire, stay silent and clear: {', '.join(untold)}")
    if not is_routed:
        print("\nAn alert does not go where its severity says")
    if wrong or untold or not is_routed:
        return EXIT_WRONG
    print(f"\n{len(ran)} files are right; pages go to page, tickets to ticket.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
