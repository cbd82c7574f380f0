import pytest

from backend.errors import InvalidError
from backend.servers.server import TOKEN_VARIABLE, Server, read_agent_token, read_servers
from backend.settings import Home


def write(home: Home, agent: str) -> None:
    home.path.mkdir(parents=True, exist_ok=True)
    home.servers_file.write_text(f"[[server]]\nname = 'gpu1'\n[[server]]\nname = 'gpu2'\nagent = {agent}\n")


@pytest.mark.parametrize(
    "address",
    [
        "http://gpu2:8765",
        "https://gpu2.lab.example",
        "http://GPU-2.lab.example.:8765",
        "http://10.0.0.2:8765",
        "http://[::1]:8765",
        "http://gpu_2:1",
        "HTTP://gpu2:65535",
        "ssh://gpu2",
        "ssh://kim@gpu2",
        "ssh://kim.lee-2@gpu2.lab.example:2222",
        "SSH://kim@[::1]:22",
    ],
)
def test_an_address(home: Home, address: str) -> None:
    for text in (address, f"{address}/"):
        write(home, f"'{text}'")
        assert read_servers(home)["gpu2"].agent == address


@pytest.mark.parametrize(
    ("address", "fault"),
    [
        ("http://gpu2:8765x", "has no valid host and port"),
        ("http://[::1", "has no valid host and port"),
        ("http://gpu2:99999", "has no valid host and port"),
        ("http://gpu2:-1", "has no valid host and port"),
        ("http://gpu2:0", "has no valid port"),
        ("http://gpu2:", "has no valid port"),
        ("http://", "has no valid host"),
        ("http://:8765", "has no valid host"),
        ("http://gpu..2:8765", "has no valid host"),
        ("http://-gpu2", "has no valid host"),
        ("http://gpu2,gpu3", "has no valid host"),
        ("http://*:8765", "has no valid host"),
        (f"http://{'g' * 64}:8765", "has no valid host"),
        (f"http://{'gpu.' * 64}lab", "has no valid host"),
        ("http://[gpu2]:8765", "has no valid host"),
        ("http://kim:hunter2@gpu2:8765", "holds a user name or password"),
        ("http://hunter2@gpu2", "holds a user name or password"),
        ("http://gpu2:8765/snapshot", "goes on after the port"),
        ("http://gpu2:8765?x=1", "goes on after the port"),
        ("http://gpu2:8765#", "goes on after the port"),
        ("http://gpu 2:8765", "holds blanks"),
        (" http://gpu2:8765", "holds blanks"),
        ("http://gpu2\\t:8765", "holds blanks"),
        ("http://gpü2:8765", "holds blanks, line breaks or letters that no address has"),
        ("ssh://kim:hunter2@gpu2", "holds a user name or password"),
        ("ssh://-oProxyCommand=hunter2@gpu2", "holds a user name or password"),
        ("ssh://-gpu2", "has no valid host"),
        ("ssh://kim@", "has no valid host"),
        ("ssh://kim@gpu2/home", "goes on after the port"),
        ("gpu2:8765", "does not begin with http"),
        ("ftp://gpu2", "does not begin with http"),
        ("", "does not begin with http"),
    ],
)
def test_what_is_no_address_is_refused(home: Home, address: str, fault: str) -> None:
    write(home, f'"{address}"')
    with pytest.raises(InvalidError) as refused:
        read_servers(home)
    message = refused.value.message
    assert message.startswith(f"{home.servers_file}, line ")
    assert f": server.1.agent: the address of gpu2 {fault}" in message
    assert message.endswith('write it like agent = "http://gpu2:8765".')
    assert "hunter2" not in message


def test_jobs_need_an_agent_where_a_server_is_read_over_ssh(home: Home) -> None:
    write(home, "'SSH://kim@gpu2'")
    server = read_servers(home)["gpu2"]
    assert server.over_ssh
    assert not server.trains
    write(home, "'ssh://kim@gpu2'\nray = true")
    with pytest.raises(InvalidError, match="gpu2 is read over SSH: jobs there need its agent, at http://"):
        read_servers(home)


@pytest.mark.parametrize("agent", ["8765", "true", "['http://gpu2:8765']"])
def test_what_is_no_text_is_no_address(home: Home, agent: str) -> None:
    write(home, agent)
    with pytest.raises(InvalidError, match=r"server\.1\.agent"):
        read_servers(home)


@pytest.mark.parametrize("token", ["one\ntwo", "größe", "a\x1bb"])
def test_a_token_that_no_request_can_carry(monkeypatch: pytest.MonkeyPatch, token: str) -> None:
    monkeypatch.setenv(TOKEN_VARIABLE, token)
    with pytest.raises(InvalidError, match="holds more than one line of ASCII") as refused:
        read_agent_token(None)
    assert token not in str(refused.value)


def limits(home: Home, lines: str, kind: str = 'agent = "http://gpu1:8765"\nray = true') -> Server:
    home.path.mkdir(parents=True, exist_ok=True)
    home.servers_file.write_text(f'[[server]]\nname = "gpu1"\n{kind}\n{lines}\n')
    return read_servers(home)["gpu1"]


def test_the_limits_of_jobs_are_read(home: Home) -> None:
    read = limits(
        home, "gpus = [3, 1]\njobs_per_gpu = 2\ncpu_jobs = 4\nthreads = 8\nmemory_gib = 64\nhours = 1.5"
    )
    assert (read.gpus, read.jobs_per_gpu, read.cpu_jobs) == ((3, 1), 2, 4)
    assert (read.threads, read.memory_gib, read.hours) == (8, 64, 1.5)
    assert limits(home, "").gpus is None


@pytest.mark.parametrize(
    ("lines", "fault"),
    [
        ("gpus = [1, 1]", "a GPU is named twice"),
        ("gpus = [-1]", "greater than or equal to 0"),
        ("jobs_per_gpu = 0.5", "valid integer"),
        ("jobs_per_gpu = 0", "greater than or equal to 1"),
        ("threads = 0", "greater than or equal to 1"),
        ("memory_gib = 0", "greater than 0"),
        ("memory_gib = nan", "memory_gib"),
        ("hours = -1", "greater than 0"),
        ("hours = inf", "less than or equal to"),
    ],
)
def test_a_limit_that_makes_no_sense_is_refused(home: Home, lines: str, fault: str) -> None:
    with pytest.raises(InvalidError, match=fault):
        limits(home, lines)


@pytest.mark.parametrize("line", ["gpus = [0]", "threads = 4", "cpu_jobs = 1", "hours = 2"])
def test_a_limit_that_nothing_keeps_is_refused(home: Home, line: str) -> None:
    with pytest.raises(
        InvalidError, match=f"gpu1 is only watched: no job runs there that {line.split(maxsplit=1)[0]}"
    ):
        limits(home, line, 'agent = "http://gpu1:8765"')


def test_no_server_is_called_any(home: Home) -> None:
    home.path.mkdir(parents=True)
    home.servers_file.write_text('[[server]]\nname = "any"\n')
    with pytest.raises(InvalidError, match="any means every server that takes jobs"):
        read_servers(home)
