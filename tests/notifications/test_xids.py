"""Errors of GPUs, from the driver to the server's row and to the notification."""

import json
import re
import time
from pathlib import Path

from backend.settings import Home
from tests.patience import PATIENCE_SECONDS
from tests.probe.fake_gpus import FakeGpus, talking

BACKEND = """
import json, sys
from pathlib import Path
from backend.service.wiring import Sheetrack
from backend.settings import Home
sheetrack = Sheetrack(Home(Path(sys.argv[1])))
for _ in sys.stdin:
    sheetrack.refresh()
    [server] = sheetrack.refresh.servers()
    texts = [notification.text for notification in sheetrack.notifier.waiting()]
    print(json.dumps([server.verdict.reason, texts]), flush=True)
sheetrack.close()
"""
FAULTS = (
    "GPU 0 reported Xid 48, uncorrected ECC error, AGO",
    "GPU 2 reported Xid 64, row remapping failed, AGO",
    "GPU 3 reported Xid 79, fell off the bus, AGO",
    "GPU 5 reported Xid 95, uncontained memory error, AGO",
)
WARNINGS = (
    "GPU 1 reported Xid 63, memory row remapped, AGO",
    "GPU 4 reported Xid 94, contained memory error, AGO",
)


def test_errors_that_the_driver_tells_are_in_the_row_and_in_a_notification(
    home: Home, fake_gpus: FakeGpus, tmp_path: Path
) -> None:
    home.make()
    home.servers_file.write_text('[[server]]\nname = "ada"\n')
    home.settings_file.write_text("[notify]\nhold_seconds = 0\n")
    fake_gpus.become("gpus=7")
    with talking(BACKEND, fake_gpus, str(home.path)) as backend:

        def seen(count: int) -> tuple[str, list[str]]:
            """The row once it names so many errors, and the notifications."""
            for _ in range(20 * PATIENCE_SECONDS):
                reason, texts = json.loads(backend.ask("refresh"))
                if reason.count("Xid") == count and "GPUs not read yet" not in reason:
                    # The tests themselves may keep the processors busy.
                    reason = reason.partition("; CPU ")[0]
                    ago = re.compile(r"\d+ s ago")
                    return ago.sub("AGO", reason), [ago.sub("AGO", text) for text in texts]
                time.sleep(0.05)
            raise AssertionError(reason)

        assert seen(0) == ("all 7 GPUs free", [])
        codes = (48, 63, 64, 79, 94, 95, 13)  # 13 is a program's own fault
        fake_gpus.become("gpus=7", *(f"xid.{index}={code}" for index, code in enumerate(codes)))
        row, texts = seen(6)
        # Each GPU is read when it answers, so that there may be several notifications.
        told = " | ".join(texts)
        assert [what for what in (*FAULTS, *WARNINGS) if what not in row or what not in told] == []
        assert "; 3 of 7 GPUs free" in row
        assert "Xid 13" not in row + told
        assert {text.partition(":")[0] for text in texts} == {"GPU fault on ada", "GPU warning on ada"}
        fake_gpus.become("gpus=1")
