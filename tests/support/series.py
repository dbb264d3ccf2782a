"""How many series a process shows, and that it tells of itself what every process tells."""

from prometheus_client import CollectorRegistry

MOST_SERIES = 2_000
"""Of one pod."""

OF_EVERY_PROCESS = {
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
    "process_open_fds",
    "process_max_fds",
    "process_start_time_seconds",
    "python_info",
    "python_gc_collections_total",
    "python_gc_objects_uncollectable_total",
    "care_build_info",
}


def shown(registry: CollectorRegistry) -> list[str]:
    """Return the name of every series of this registry."""
    return [sample.name for family in registry.collect() for sample in family.samples]


def service_of(registry: CollectorRegistry) -> set[str]:
    """Return the services of which this registry names the version."""
    return {
        sample.labels["service"]
        for family in registry.collect()
        for sample in family.samples
        if sample.name == "care_build_info"
    }
