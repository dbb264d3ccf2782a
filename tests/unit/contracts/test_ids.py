"""Derived ids never change: they are how a redelivery is known, also by the next release."""

from uuid import UUID

from services.contracts import ids

PINNED_PROBLEM = UUID("717a62b9-a69c-5c97-aff0-be42dd845a94")
PINNED_STEP = UUID("46bbf0ca-6594-5692-a291-f670ffbfdaf3")


def test_ids_are_the_ones_published_before() -> None:
    assert ids.problem_id("c-1", "s-1", "delivery_delay", 1) == PINNED_PROBLEM
    assert ids.step_id(PINNED_PROBLEM, "delivery_late", "write") == PINNED_STEP


def test_each_part_makes_another_id() -> None:
    variants = {
        ids.problem_id("c-1", "s-1", "delivery_delay", 1),
        ids.problem_id("c-2", "s-1", "delivery_delay", 1),
        ids.problem_id("c-1", "s-2", "delivery_delay", 1),
        ids.problem_id("c-1", "s-1", "handover_overdue", 1),
        ids.problem_id("c-1", "s-1", "delivery_delay", 2),
    }

    assert len(variants) == 5


def test_parts_do_not_run_into_each_other() -> None:
    assert ids.derive("ab", "c") != ids.derive("a", "bc")
    assert ids.derive("a", "b") != ids.derive("b", "a")


def test_a_problem_and_a_step_never_share_an_id() -> None:
    assert ids.derive("problem", "x") != ids.derive("step", "x")
