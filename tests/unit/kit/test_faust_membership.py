"""A member with a name ends where it would join again as somebody new, and only there."""

from types import SimpleNamespace

import pytest
from aiokafka.consumer.group_coordinator import GroupCoordinator

from services.kit.faust_membership import end_once_unknown
from tests.unit.kit.test_faust_internals import source


class Member:
    """What aiokafka's coordinator has of itself."""

    def __init__(self, generation: int, is_leaving: bool) -> None:
        self.generation = generation
        self._closing = SimpleNamespace(done=lambda: is_leaving)
        self.forgotten = 0

    def reset_generation(self) -> None:
        self.forgotten += 1


def ended(member: Member) -> list[str]:
    """Return what is told when the broker does not know this member."""
    told: list[str] = []
    end_once_unknown(member, "predictor-0", told.append)
    member.reset_generation()
    return told


def test_a_member_that_is_unknown_ends_by_name() -> None:
    (line,) = ended(Member(7, is_leaving=False))

    assert "no longer the group's member predictor-0" in line
    assert "another process has joined under this name" in line
    assert "the group went on without this one" in line


@pytest.mark.parametrize(("generation", "is_leaving"), [(7, True), (-1, False)])
def test_who_leaves_or_was_never_in_goes_on(generation: int, is_leaving: bool) -> None:
    member = Member(generation, is_leaving)

    assert ended(member) == []
    assert member.forgotten == 1


def test_aiokafka_beats_without_the_name_and_forgets_in_one_place() -> None:
    assert "_group_instance_id" not in source(GroupCoordinator._do_heartbeat)
    for found in (GroupCoordinator._do_heartbeat, GroupCoordinator._do_commit_offsets):
        assert "self.reset_generation()" in source(found)
    assert "IllegalGenerationError" in source(GroupCoordinator._do_heartbeat)
    assert "self.reset_generation()" in source(GroupCoordinator._maybe_leave_group)
    assert "self.request_rejoin()" in source(GroupCoordinator.reset_generation)


def test_it_has_what_is_asked_of_it() -> None:
    found = source(GroupCoordinator.__init__) + source(GroupCoordinator.close)

    assert "self.generation = " in found
    assert "self._closing.set_result" in found
