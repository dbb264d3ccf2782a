"""`care`: the group of all commands."""

import click

from services.cli.lazy import Entry, LazyGroup
from services.kit import exits

COMMANDS = {
    "demo": Entry("services.cli.demo:demo", "Run the whole system on a simulated shop.", "demo"),
    "local": Entry("services.cli.local:local", "Kafka and PostgreSQL on this machine.", "demo"),
    "topics": Entry(
        "services.cli.topics:topics", "Make and list the topics; who may do what there."
    ),
    "partitions": Entry(
        "services.cli.partitions:partitions",
        "Move a deployment to more partitions.",
        "cli",
    ),
    "db": Entry("services.cli.db:db", "Bring the database to this version's schema.", "outreach"),
    "bounces": Entry(
        "services.cli.bounces:bounces",
        "Take in mails that came back.",
        "outreach",
    ),
    "breaker": Entry(
        "services.cli.breaker:breaker",
        "See what the volume breaker holds, and let it out or not.",
        "outreach",
    ),
    "pause": Entry(
        "services.cli.pause:pause",
        "Stop sending: everything, one playbook, or one channel.",
        "outreach",
    ),
    "resume": Entry("services.cli.pause:resume", "Let go on what was paused.", "outreach"),
    "reconcile": Entry(
        "services.cli.reconcile:reconcile",
        "After a restore: bring the database up to what was said.",
        "outreach",
    ),
    "keys": Entry("services.cli.keys:keys", "Make, list and revoke API keys.", "outreach"),
    "run": Entry("services.cli.run:run", "Start one service in the foreground."),
    "playbook": Entry(
        "services.cli.playbook:playbook", "Check, list and show playbooks.", "outreach"
    ),
    "simulate-shop": Entry(
        "services.cli.simulate_shop:simulate_shop",
        "Play a shop of up to a million customers.",
        "demo",
    ),
    "validate": Entry("services.cli.validate:validate", "Read files of events as the door does."),
    "publisher": Entry(
        "services.cli.publisher:publisher",
        "Certify a door, and what one would publish.",
        "publisher",
    ),
    "backfill": Entry("services.cli.backfill:backfill", "Load the past into a deployment.", "demo"),
    "train": Entry("services.cli.train:train_command", "Fit a model to records.", "train"),
    "evaluate": Entry(
        "services.cli.evaluate:evaluate", "Say how good a model would have been.", "train"
    ),
    "verify": Entry("services.cli.verify:verify", "Recompute it all and say what differs."),
    "recount": Entry(
        "services.cli.recount:recount", "Count the exported figures anew.", "publisher"
    ),
    "export": Entry(
        "services.cli.export:export", "Print everything known of one customer.", "outreach"
    ),
    "erase": Entry("services.cli.erase:erase", "Forget one customer everywhere.", "outreach"),
    "why": Entry("services.cli.why:why", "Say why a customer was, or was not, contacted."),
}


@click.group(
    cls=LazyGroup,
    entries=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=(
        "\b\nExamples:\n"
        "  care demo\n"
        '  care local up --detach && eval "$(care local env)"\n'
        "  care run ingest\n"
        "\n"
        "Exit codes: 0 done, 1 found wrong, 2 wrong usage, 75 something it depends on is missing."
    ),
)
@click.version_option(package_name="proactive-care", prog_name="care")
def care() -> None:
    """Notice a broken promise and write to the customer once, before the complaint."""


def main() -> None:
    """Run the command line; something missing is one line and exit code 75, no traceback."""
    exits.run(lambda: care(prog_name="care"))


if __name__ == "__main__":
    main()
