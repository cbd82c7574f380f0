from collections.abc import Callable, Mapping, Sequence

from flask import Response
from flask_openapi3 import APIBlueprint, Tag
from prometheus_client.metrics_core import GaugeMetricFamily

from backend.job import JobState
from backend.notifier import Notifier
from backend.probe.metrics import METRICS_TYPE, metrics_text
from backend.snapshot import ServerStatus, State
from backend.store import Store


def metrics(
    current: Callable[[], Sequence[ServerStatus]], store: Store, notifier: Notifier | None
) -> APIBlueprint:
    routes = APIBlueprint("metrics", __name__, abp_tags=[Tag(name="metrics")])

    @routes.get("/metrics")
    def show_metrics() -> Response:
        """Every server, all jobs and what waits to be published, for Prometheus."""
        servers = current()
        notices = notifier.waiting() if notifier else []
        more = [
            _verdicts(servers),
            _jobs(store.count_jobs()),
            _count("outbox_tabs", "Tabs that the sheet does not show yet", store.outgoing()),
            _count("outbox_notices", "Notices that are not sent yet", notices),
        ]
        snapshots = [server.snapshot for server in servers if server.snapshot]
        return Response(metrics_text(snapshots, more), content_type=METRICS_TYPE)

    return routes


def _verdicts(servers: Sequence[ServerStatus]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(
        "sheetrack_verdict", "1 for the verdict that holds", labels=["server", "state"]
    )
    for server in servers:
        for state in State:
            family.add_metric([server.name, state.value], float(state is server.verdict.state))
    return family


def _jobs(counts: Mapping[JobState, int]) -> GaugeMetricFamily:
    family = GaugeMetricFamily("sheetrack_jobs", "Jobs that were ever asked for", labels=["state"])
    for state in JobState:
        family.add_metric([state.value], counts.get(state, 0))
    return family


def _count(name: str, meaning: str, things: Sequence[object]) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"sheetrack_{name}", meaning, value=len(things))
