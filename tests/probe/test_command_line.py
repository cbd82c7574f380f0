import pytest

from backend.probe.command_line import short_command

SECRET = "hunter2"


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("/usr/bin/python3 /home/kim/a/train.py --lr 0.1", "python3 train.py"),
        ("python3.12 -u -W ignore -X dev train.py", "python3.12 train.py"),
        ("python -uO -Wignore train.py --password=hunter2", "python train.py"),
        ("python -m torch.distributed.run --nproc_per_node 4 train.py", "python -m torch.distributed.run"),
        ("python -um ipykernel_launcher -f /run/kernel.json", "python -m ipykernel_launcher"),
        ("python -mvllm.entrypoints.api_server --api-key hunter2", "python -m vllm.entrypoints.api_server"),
        (
            "/usr/bin/python3 /home/kim/.local/bin/jupyter-lab --ServerApp.token=hunter2",
            "python3 jupyter-lab",
        ),
        ("python /data/project/", "python project"),
        ("pypy3 t.py", "pypy3 t.py"),
        ("bash /home/kim/run.sh hunter2", "bash run.sh"),
        ("sh -eu run.sh", "sh run.sh"),
        ("-bash", "bash"),
        ("bash --login", "bash"),
        ("/usr/bin/perl /opt/tool.pl -p hunter2", "perl tool.pl"),
        ("node server.js", "node server.js"),
        ("Rscript fit.R", "Rscript fit.R"),
        ("/usr/bin/nvidia-smi", "nvidia-smi"),
        ("nginx: worker process", "nginx"),
        ("sshd: kim [priv]", "sshd"),
        ("(sd-pam)", "sd-pam"),
        ("ray::train()", "ray::train"),
        ("/home/müller/größe", "größe"),
        ("", ""),
    ],
)
def test_the_program_and_its_script_are_shown(line: str, shown: str) -> None:
    assert short_command(line.split(" ")) == shown


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("sudo curl -u kim:hunter2", "sudo"),
        ("timeout 60 sshpass -p hunter2 ssh gpu1", "timeout"),
        ("env API_KEY=hunter2 python train.py", "env"),
        ("nice -n 5 mysql -phunter2", "nice"),
        ("nohup curl https://kim:hunter2@server", "nohup"),
        ("xargs -I{} mysql -phunter2", "xargs"),
        ("strace -f curl -u kim:hunter2", "strace"),
        ("srun --export=KEY=hunter2 python train.py", "srun"),
        ("docker run -e PASSWORD=hunter2 image", "docker"),
        ("curl -u kim:hunter2", "curl"),
        ("/usr/bin/mysqldump -phunter2", "mysqldump"),
        ("unknown-tool hunter2", "unknown-tool"),
        ("python -c hunter2", "python"),
        ("python -Ic hunter2", "python"),
        ("python - hunter2", "python"),
        ("python --check-hash-based-pycs hunter2", "python"),
        ("python -y hunter2", "python"),
        ("python https://kim:hunter2@server/train.py", "python"),
        ("python KEY=hunter2", "python"),
        ("python: hunter2", "python"),
        ("bash -c hunter2", "bash"),
        ("bash -ec hunter2", "bash"),
        ("bash -s hunter2", "bash"),
        ("bash -o pipefail hunter2", "bash"),
        ("bash --rcfile x hunter2", "bash"),
        ("bash -- hunter2", "bash"),
        ("perl -e hunter2", "perl"),
        ("perl -Mx hunter2", "perl"),
        ("node --eval hunter2", "node"),
        ("KEY=hunter2 train", ""),
        ("https://kim:hunter2@server", ""),
    ],
)
def test_arguments_are_never_shown(line: str, shown: str) -> None:
    assert SECRET in line
    assert short_command(line.split(" ")) == shown


def test_a_command_given_as_one_text_shows_its_program() -> None:
    assert short_command(["python train.py --password hunter2"]) == "python"
    assert short_command(["bash", "-c", "mysql -phunter2; python train.py"]) == "bash"


@pytest.mark.parametrize(
    "argument",
    ["a\x1b[31mb.py", "a\u202eb.py", "a\nb.py", "my script.py", "\udcff.py", "x" * 81, "y/" * 3000 + "a.py"],
)
def test_what_is_no_plain_file_name_is_not_shown(argument: str) -> None:
    assert short_command(["python", argument]) == "python"
    assert short_command([argument]) in ("", "my", "a")


def test_a_very_long_command_is_read_in_part() -> None:
    assert short_command(["python", *["-u"] * 10_000_000, "train.py"]) == "python"
    assert short_command(["x" * 10_000_000]) == ""


@pytest.mark.parametrize("line", ["python train.py", "python -m a.b", "bash run.sh", "sudo", "ray::train"])
def test_a_short_command_stays_as_it_is(line: str) -> None:
    assert short_command(line.split()) == line
