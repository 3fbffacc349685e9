"""The program through which Mininet starts shells."""

import os
import subprocess
from pathlib import Path

import pytest

from testbed.errors import LabError
from topologies import mnexec
from topologies.mnexec import build_mnexec


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    return build_mnexec(tmp_path_factory.mktemp("build"))


def test_is_built_once(program):
    built = program.stat().st_mtime_ns
    assert build_mnexec(program.parent) == program
    assert program.stat().st_mtime_ns == built


def test_prints_its_process_id_and_runs_the_program(program):
    process = subprocess.Popen(
        [program, "-p", "sh", "-c", "echo $$"], stdout=subprocess.PIPE, text=True, close_fds=True
    )
    said, _ = process.communicate()
    assert said == f"\x01{process.pid}\n{process.pid}\n"


def test_closes_descriptors_and_leads_a_session(program):
    read, write = os.pipe()
    command = [program, "-cd", "sh", "-c", "ls /proc/self/fd; cut -d' ' -f6 /proc/$$/stat; echo $$"]
    done = subprocess.run(command, pass_fds=(write,), capture_output=True, text=True, check=True)
    os.close(read)
    os.close(write)
    *descriptors, session, process = done.stdout.split()
    assert set(descriptors) <= {"0", "1", "2", "3"}  # 3 is the folder that ls lists
    assert session == process


@pytest.mark.skipif(os.geteuid() != 0, reason="entering a network namespace needs root")
def test_enters_the_network_namespace_of_a_descriptor(program):
    show = ["sh", "-c", "readlink /proc/self/ns/net; ls /sys/class/net"]
    with subprocess.Popen([program, "-np", "sleep", "60"], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        descriptor = os.open(f"/proc/{other.pid}/ns/net", os.O_RDONLY)
        command = [program, "-f", str(descriptor), "-c", *show]
        entered = subprocess.run(command, pass_fds=(descriptor,), capture_output=True, text=True, check=True).stdout
        assert entered.split() == [str(Path(f"/proc/{other.pid}/ns/net").readlink()), "lo"]
        os.close(descriptor)
        other.kill()


@pytest.mark.parametrize("arguments", [["-f", "99"], ["-a", "x"], ["-a", "999999999"], ["-z"], ["no-such-program"]])
def test_mistakes_are_said(program, arguments):
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "mnexec" in done.stderr


def test_a_missing_compiler_is_said(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LabError, match="install package gcc"):
        build_mnexec(tmp_path)


def test_a_failing_compiler_is_said(monkeypatch, tmp_path):
    broken = tmp_path / "mnexec.c"
    broken.write_text("int main(void) { return nothing; }")
    monkeypatch.setattr(mnexec, "SOURCE", broken)
    with pytest.raises(LabError, match="failed"):
        build_mnexec(tmp_path / "build")
