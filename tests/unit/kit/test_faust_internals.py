"""What `kit.faust_slices` relies on inside Faust; an upgrade that changes it must fail here first."""

import dataclasses
import inspect
import re
from importlib.metadata import version

import faust
from faust.app.base import App
from faust.tables.recovery import Recovery
from faust.transport import consumer
from faust.transport.drivers import aiokafka as driver

from services.kit import faust_slices


def source(function: object) -> str:
    """Return a function's source."""
    return inspect.getsource(function)  # type: ignore[arg-type]


def test_the_versions_are_the_ones_these_overrides_were_written_for() -> None:
    assert version("faust-streaming") == "0.15.3"
    assert version("mode-streaming") == "0.7.1"


def test_every_overridden_method_still_exists_with_the_same_parameters() -> None:
    expected = {
        "perform_seek": ["self"],
        "_drain_messages": ["self", "fetcher"],
        "_new_offset": ["self", "tp"],
        "_commit_offsets": ["self", "offsets", "start_new_transaction"],
        "on_partitions_revoked": ["self", "revoked"],
        "on_buffer_full": ["self", "tp"],
        "_new_consumer_thread": ["self"],
    }
    for name, parameters in expected.items():
        theirs = getattr(driver.Consumer, name)
        ours = getattr(faust_slices._SliceConsumer, name)
        assert list(inspect.signature(theirs).parameters) == parameters, name
        assert list(inspect.signature(ours).parameters) == parameters, name


def test_what_stands_for_no_record_has_all_that_faust_reads_of_one() -> None:
    read = set(re.findall(r"record\.(\w+)", source(driver.Consumer._to_message)))

    assert read <= {field.name for field in dataclasses.fields(faust_slices._Nothing)}


def test_without_tables_streams_resume_through_perform_seek_before_any_flow() -> None:
    restart = source(Recovery._restart_recovery.fun)
    resume = source(Recovery._resume_streams)

    assert "if not self.tables" in restart
    assert resume.index("perform_seek") < resume.index("resume_flow")


def test_a_rebalance_waits_for_the_slice_in_work_before_partitions_are_given_up() -> None:
    revoked = source(App._on_partitions_revoked)

    assert revoked.index("flow_control.clear") < revoked.index("_consumer_wait_empty")


def test_faust_still_acknowledges_what_its_agent_failed_on() -> None:
    """The reason why an error in a slice ends the process; when this fails, look again."""
    assert "finally:" in source(faust.Stream._py_aiter)


def test_faust_still_commits_past_a_gap_of_one() -> None:
    """The reason why group offsets are never trusted."""
    assert "min(acked) - committed_offset > 1" in source(consumer.Consumer._new_offset)


def test_reading_only_committed_records_still_hangs_on_that_one_attribute() -> None:
    thread = source(driver.AIOKafkaConsumerThread._create_worker_consumer)

    assert "if self.consumer.in_transaction:" in thread
    assert 'isolation_level = "read_committed"' in thread
