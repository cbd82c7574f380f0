"""What days of readings take in the store, and how long a prune delays a write: `python benchmarks/store.py`.

Four servers with 8 GPUs, read every 15 s, are simulated; 50 servers take as much each.
"""

import random
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from backend.database import open_database
from backend.probe.snapshot import (
    Disk,
    GpuProcess,
    GpuReading,
    HostReading,
    Pressure,
    Process,
    Snapshot,
)
from backend.servers.history import History
from backend.servers.readings import Readings

SERVERS, GPUS, INTERVAL = 4, 8, 15
DAYS, RAW_DAYS, YEAR = 3, 2, 366
LAB = 50
BEGIN = datetime(2026, 3, 2, tzinfo=UTC)
PEOPLE = ("kim", "lee", "park", "max")


def reading(server: int, at: datetime, draw: random.Random) -> Snapshot:
    """A server at work: most numbers differ from reading to reading."""
    shift = int(at.timestamp()) // 7200 + server
    gpus = tuple(
        GpuReading(
            index=index,
            uuid=f"GPU-{server:08x}-{index:04x}-4c1d-9f3a-{server * 7919 + index:012x}",
            name="NVIDIA H100 80GB HBM3",
            utilization_percent=draw.randrange(101),
            memory_used_mib=draw.randrange(800_000) / 10,
            memory_total_mib=81_559,
            temperature_c=draw.randrange(30, 85),
            power_w=draw.randrange(6000) / 10,
            power_limit_w=700,
            throttle_reasons=(),
            ecc_uncorrected=0,
            rows_pending=False,
            rows_failed=False,
            age_seconds=0.2,
            processes=tuple(
                GpuProcess(
                    pid=100_000 + shift * 50 + index * 3 + place,
                    user=PEOPLE[(shift + index) % len(PEOPLE)],
                    command="python train.py",
                    memory_mib=draw.randrange(400_000) / 10,
                )
                for place in range(2)
            ),
        )
        for index in range(GPUS)
    )
    top = tuple(
        Process(
            pid=200_000 + shift * 10 + place,
            user=PEOPLE[place % len(PEOPLE)],
            command="python train.py",
            cpu_percent=draw.randrange(9999) / 10,
            memory_mib=draw.randrange(999_999) / 10,
        )
        for place in range(6)
    )
    host = HostReading(
        cpu_percent=draw.randrange(1000) / 10,
        cpu_count=128,
        load_1min=draw.randrange(9999) / 100,
        memory_total_mib=1_031_000.5,
        memory_available_mib=draw.randrange(1_000_000) + 0.5,
        swap_used_mib=0,
        swap_mib_per_second=0,
        disk_free_gib=1234.5,
        disks=tuple(
            Disk(
                path=path,
                free_gib=draw.randrange(9999) / 10,
                total_gib=1800,
                free_inodes_percent=97,
                read_only=False,
            )
            for path in ("/", "/home")
        ),
        pressure=Pressure(
            cpu_some_percent=draw.randrange(1000) / 100,
            memory_full_percent=0,
            memory_full_10s_percent=0,
            io_full_percent=draw.randrange(100) / 100,
        ),
        stuck_processes=0,
        booted_at=BEGIN,
        boot_id="3f2a1b9c-0d1e-4f5a-9b8c-7d6e5f4a3b2c",
        top=top,
    )
    return Snapshot(server=f"gpu{server}", at=at, host=host, gpus=gpus)


def simulate(folder: Path, days: int) -> None:
    file = folder / "store.db"
    database = open_database(file)
    readings, draw = Readings(database), random.Random(1)  # noqa: S311 - no secret
    history = History(database, readings, [f"gpu{server}" for server in range(SERVERS)], INTERVAL)
    text = 0
    for hour in range(24 * days):
        begin = BEGIN + timedelta(hours=hour)
        moments = [begin + timedelta(seconds=seconds) for seconds in range(0, 3600, INTERVAL)]
        some = [reading(server, at, draw) for at in moments for server in range(SERVERS)]
        text = max(text, len(some[0].model_dump_json()))
        readings.remember(some)
        history.summarize(begin + timedelta(hours=1))
        readings.forget_before(begin + timedelta(hours=1) - timedelta(days=RAW_DAYS))
    with database.connect() as connection:
        query = "SELECT name, sum(pgsize) FROM dbstat GROUP BY name"
        sizes = {str(name): int(size) for name, size in connection.exec_driver_sql(query)}
        count = connection.exec_driver_sql("SELECT count(*), avg(length(content)) FROM snapshots").one()
    raw = sum(size for name, size in sizes.items() if name.startswith("snapshots"))
    hourly = sum(size for name, size in sizes.items() if name in ("gpu_time", "gpu_hours"))
    per_day = {name: sizes[name] / days for name in ("means", "gpu_means")}
    year = (
        YEAR * (per_day["means"] + hourly / days)
        + 14 * per_day["gpu_means"]
        + raw * RAW_DAYS / min(days, RAW_DAYS)
    )
    print(f"| a reading as JSON, and stored | {text} B | {count[1]:.0f} B |")
    print(f"| {SERVERS} servers after {days} days | {file.stat().st_size / 2**20:.0f} MiB | |")
    for name, size in sorted(sizes.items(), key=lambda item: -item[1])[:6]:
        print(f"| of that `{name}` | {size / 2**20:.1f} MiB | |")
    print(f"| {LAB} servers after a year, by these sizes | {LAB / SERVERS * year / 2**20:.0f} MiB | |")
    prune(readings, draw)
    database.dispose()


def prune(readings: Readings, draw: random.Random) -> None:
    """Another thread writes while an hour of the whole lab is deleted."""
    one, long_ago = reading(0, BEGIN, draw), BEGIN - timedelta(days=30)
    hour = LAB * 3600 // INTERVAL
    readings.remember([one.model_copy(update={"at": long_ago})] * hour)
    waits, done = [], threading.Event()

    def write() -> None:
        while not done.is_set():
            began = time.perf_counter()
            readings.remember([one])
            waits.append(time.perf_counter() - began)
            time.sleep(0.01)

    writer = threading.Thread(target=write)
    writer.start()
    began = time.perf_counter()
    readings.forget_before(long_ago + timedelta(hours=1))
    took = time.perf_counter() - began
    done.set()
    writer.join()
    print(
        f"| {hour} readings pruned in {took:.1f} s; a write beside it took at most | {max(waits):.2f} s | |"
    )


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        print("| Store | | |\n|---|---|---|")
        simulate(Path(name), int(sys.argv[1]) if len(sys.argv) > 1 else DAYS)
