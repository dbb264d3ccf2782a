"""The few shapes of expression that panels are made of.

Counters that are judged may be corrected: a second counter says what was withdrawn, and the true
figure is the difference (`net`).
"""

RANGE = "$__range"
"""The whole time range of the dashboard; for single figures."""

WINDOW = "$window"
"""The rolling window that the viewer chose; for charts of rare things."""

RATE = "$__rate_interval"
"""The shortest stretch with enough samples; for rates of what happens all the time."""


def grown(metric: str, over: str = RANGE, *, where: str = "", by: str = "") -> str:
    """Return by how much a counter grew over a stretch of time, summed by these labels."""
    return f"sum{_by(by)}(increase({metric}{_where(where)}[{over}]))"


def rate(metric: str, *, where: str = "", by: str = "") -> str:
    """Return a counter's growth per second, summed by these labels."""
    return f"sum{_by(by)}(rate({metric}{_where(where)}[{RATE}]))"


def net(metric: str, over: str = RANGE, *, where: str = "", by: str = "") -> str:
    """Return how much was counted over a stretch of time less what was withdrawn in it.

    Never below 0: a stretch in which more was withdrawn than counted took back what came before it.
    """
    counted = grown(metric, over, where=where, by=by)
    return f"clamp_min({counted} - {grown(withdrawn(metric), over, where=where, by=by)}, 0)"


def share(part: str, whole: str) -> str:
    """Return part / whole; nothing, rather than a number that is none, where the whole is 0."""
    return f"{part} / ({whole} > 0)"


def quantile(
    q: float, metric: str, over: str, *, where: str = "", by: str = "", is_judged: bool = False
) -> str:
    """Return a quantile of a histogram over a stretch of time; less what was withdrawn where `is_judged`."""
    labels = ", ".join(name for name in ("le", by) if name)
    take = net if is_judged else grown
    if over == RATE:
        return f"histogram_quantile({q}, {rate(f'{metric}_bucket', where=where, by=labels)})"
    return f"histogram_quantile({q}, {take(f'{metric}_bucket', over, where=where, by=labels)})"


def burn(
    metric: str,
    within: str,
    objective: float,
    over: str,
    *,
    where: str = "",
    is_judged: bool = False,
) -> str:
    """Return how many times faster than allowed an objective's budget is spent: 1 is just allowed.

    Args:
        metric: A histogram of durations.
        within: The bucket bound, as Prometheus writes it, up to which one is good.
        objective: The share that has to be good.
        over: The stretch of time looked at.
        where: Matchers.
        is_judged: Whether some of it may be withdrawn.
    """
    take = net if is_judged else grown
    good = take(f"{metric}_bucket", over, where=", ".join(filter(None, (where, f'le="{within}"'))))
    every = take(f"{metric}_count", over, where=where)
    return f"(1 - {share(good, every)}) / {round(1 - objective, 6)}"


def withdrawn(metric: str) -> str:
    """Return the name of the metric that says what was taken back of this one."""
    for suffix in ("_bucket", "_count", "_sum"):
        if metric.endswith(suffix):
            return withdrawn(metric.removesuffix(suffix)) + suffix
    stem, _, unit = metric.rpartition("_")
    return f"{stem}_withdrawn_{unit}"


def _by(labels: str) -> str:
    return f" by ({labels}) " if labels else ""


def _where(matchers: str) -> str:
    return f"{{{matchers}}}" if matchers else ""
