from collections.abc import Mapping, Sequence

from flask import Response
from flask_openapi3 import APIBlueprint, Tag
from prometheus_client.metrics_core import GaugeMetricFamily

from backend.api.document import binary
from backend.jobs.job import JobState
from backend.jobs.store import JobStore
from backend.notifications.notifier import Notifier
from backend.probe.prometheus import METRICS_TYPE, metrics_text
from backend.servers.state import ServerStatus, State
from backend.tabs.outbox import Outbox
from backend.tabs.refresh import Refresh


def routes(refresh: Refresh, jobs: JobStore, outbox: Outbox, notifier: Notifier | None) -> APIBlueprint:
    blueprint = APIBlueprint("metrics", __name__, abp_tags=[Tag(name="metrics")])

    @blueprint.get("/metrics", responses={200: binary("The metrics", "text/plain")})
    def show_metrics() -> Response:
        """All servers and jobs, and what is not published yet, for Prometheus."""
        servers = refresh.servers()
        notifications = notifier.waiting() if notifier else []
        more = [
            _verdicts(servers),
            _jobs(jobs.count_jobs()),
            _count("outbox_tabs", "Tabs that are not published yet", outbox.waiting()),
            _count("outbox_notifications", "Notifications that are not sent yet", notifications),
        ]
        snapshots = [server.snapshot for server in servers if server.snapshot]
        return Response(metrics_text(snapshots, more), content_type=METRICS_TYPE)

    return blueprint


def _verdicts(servers: Sequence[ServerStatus]) -> GaugeMetricFamily:
    family = GaugeMetricFamily("sheetrack_verdict", "1 for the current verdict", labels=["server", "state"])
    for server in servers:
        for state in State:
            family.add_metric([server.name, state.value], float(state is server.verdict.state))
    return family


def _jobs(counts: Mapping[JobState, int]) -> GaugeMetricFamily:
    family = GaugeMetricFamily("sheetrack_jobs", "Jobs that were ever submitted", labels=["state"])
    for state in JobState:
        family.add_metric([state.value], counts.get(state, 0))
    return family


def _count(name: str, meaning: str, things: Sequence[object]) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"sheetrack_{name}", meaning, value=len(things))
