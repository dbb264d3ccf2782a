"""The boards there are; each module says what one of them shows."""

from deploy.grafana.boards.feeds import FEEDS
from deploy.grafana.boards.outcomes import OUTCOMES
from deploy.grafana.boards.outreach import OUTREACH
from deploy.grafana.boards.pipeline import PIPELINE

BOARDS = (OUTCOMES, PIPELINE, OUTREACH, FEEDS)
