"""The verifier's door: read the topics, judge what lies on them, compare two runs."""

from services.verifier.evidence import Evidence
from services.verifier.judge import differing, verify
from services.verifier.topics import Unreachable, read
from services.verifier.verdict import CLASSES, Verdict

__all__ = ["CLASSES", "Evidence", "Unreachable", "Verdict", "differing", "read", "verify"]
