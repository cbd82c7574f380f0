"""GPUs that are gone, confirmed from the command line."""

from backend.database import open_database
from backend.probe.snapshot import GpuReading, Snapshot
from backend.servers.known_gpus import KnownGpus
from backend.settings import Home
from backend.times import now
from tests.cli.command_line import Ended, complaint, run
from tests.patience import PATIENCE_SECONDS
from tests.probe.fake_gpus import FakeGpus


def test_gpus_that_are_missing_are_confirmed_as_gone(home: Home, fake_gpus: FakeGpus) -> None:
    home.make()
    home.servers_file.write_text(
        '[[server]]\nname = "ada"\n[[server]]\nname = "bob"\nagent = "http://127.0.0.1:9"\n'
    )
    database = open_database(home.store_file)
    known = KnownGpus(database)
    gone = GpuReading(index=3, uuid="GPU-gone")
    known.note([Snapshot(server=name, at=now(), gpus=(gone,)) for name in ("ada", "bob")])
    fake_gpus.become("gpus=1")
    home_here = {"SHEETRACK_HOME": str(home.path)}

    def confirm(server: str) -> Ended:
        return run("confirm-gpus", server, **{**fake_gpus.environment, **home_here})

    for _ in range(PATIENCE_SECONDS):  # the first look may come before the driver answers
        ended = confirm("ada")
        if ended.returncode == 0:
            break
        assert "cannot be read now" in ended.stderr
    assert ended.stdout == "ada: GPU 3 (GPU-gone) confirmed as gone.\n"
    assert [gpu.uuid for gpu in known.by_server().get("ada", ())] == []
    assert "The GPUs of bob cannot be read now, so it is not known" in complaint(confirm("bob"), 1)
    assert [gpu.uuid for gpu in known.by_server()["bob"]] == ["GPU-gone"]
    assert "There is no server 'eve'." in complaint(confirm("eve"), 1)
    database.dispose()
