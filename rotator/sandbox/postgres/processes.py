"""Operating system processes of the sandbox's servers: as whom they run, finding, freezing and ending them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from rotator.host import trust
from rotator.sandbox.errors import SandboxError
from rotator.sandbox.postgres.account import Account
from rotator.sandbox.postgres.process_owner import PROC, tool


def run(argv: list[str], account: Account | None, *, timeout: float = 120.0) -> None:
    """Run one program to its end with a small environment (no PG* variable of ours). Raises SandboxError."""
    done = subprocess.run(
        argv,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=small_environment(os.environ),
        cwd="/",
        timeout=timeout,
        check=False,
        start_new_session=True,  # an interrupt at the terminal must not reach the servers
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=() if account else None,
    )
    if done.returncode != 0:
        last = tuple((done.stderr.strip() or done.stdout.strip()).splitlines()[-8:])
        raise SandboxError(f"{Path(argv[0]).name} failed with exit code {done.returncode}", details=last)


def is_ready(data: Path, pid: int) -> bool:
    """Whether the pid file says that connections are accepted (its eighth line: src/include/utils/pidfile.h)."""
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return False
    return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() == "ready"


def spawn(argv: list[str], account: Account | None, log: Path) -> int:
    """Start a server in a session of its own, output appended to `log`; gives its pid.

    It is our direct child, so that `reap` can collect it: in many containers process 1 collects nobody.
    """
    # The folder may be the servers' user's, who must not lead root to another file.
    with os.fdopen(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600), "a") as output:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=small_environment(os.environ),
            cwd="/",
            start_new_session=True,  # an interrupt at the terminal must not reach the servers
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=() if account else None,
        )
    process.returncode = 0  # this object lets go: from here on the pid file is the handle
    return process.pid


def reap(pid: int) -> None:
    """Collect an ended child, if it is a child of ours."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return


def small_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """What a server inherits: nothing that changes its behaviour or holds a secret."""
    return {"PATH": trust.safe_path(environ.get("PATH", os.defpath)), "LC_ALL": "C", "TZ": "UTC"}


def table() -> dict[int, tuple[int, str]]:
    """All processes: pid -> (parent's pid, one-letter state: T stopped, Z zombie, ...)."""
    if (PROC / "self" / "stat").exists():
        return dict(_from_proc())
    done = subprocess.run([tool("ps"), "-A", "-o", "pid=,ppid=,state="], capture_output=True, text=True, check=True)
    rows = (line.split() for line in done.stdout.splitlines())
    return {int(pid): (int(parent), state[0]) for pid, parent, state in rows}


def _from_proc() -> Iterator[tuple[int, tuple[int, str]]]:
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            found = _stat(int(entry.name))
            if found is not None:
                yield int(entry.name), found


def _stat(pid: int) -> tuple[int, str] | None:
    try:
        text = (PROC / str(pid) / "stat").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    state, parent = text.rpartition(")")[2].split()[:2]  # the name in brackets may hold anything
    return int(parent), state


def state(pid: int) -> str | None:
    """One-letter state of one process; None when there is none."""
    found = _stat(pid) if (PROC / "self" / "stat").exists() else table().get(pid)
    return None if found is None else found[1]


def family(root: int) -> frozenset[int]:
    """`root` and all of its descendants that are alive (zombies are not)."""
    alive = {pid: parent for pid, (parent, state) in table().items() if state != "Z"}
    if root not in alive:
        return frozenset()
    found = {root}
    while True:
        more = {pid for pid, parent in alive.items() if parent in found} - found
        if not more:
            return frozenset(found)
        found |= more


@contextmanager
def frozen(root: int) -> Iterator[None]:
    """Every process of `root`'s family stands still (SIGSTOP) inside; all go on afterwards, whatever happens."""
    try:
        _stop(root)
        yield
    finally:
        resume(root)


def _stop(root: int) -> None:
    send(signal.SIGSTOP, [root])  # first the one that forks
    _wait_stopped([root])
    children = family(root) - {root}
    send(signal.SIGSTOP, children)
    _wait_stopped(children)


def _wait_stopped(pids: Iterable[int]) -> None:
    wanted = frozenset(pids)

    def all_stopped() -> bool:
        return all((state(pid) or "X") in "TtZX" for pid in wanted)

    wait_until(all_stopped, 10.0, "processes of the server did not stop for a snapshot", every=0.001)


def resume(root: int) -> None:
    """Let `root`'s family go on; harmless for those that run."""
    send(signal.SIGCONT, family(root))


def kill(root: int) -> None:
    """End `root`'s family at once (SIGKILL also ends stopped processes) and wait until it is gone."""
    pids = family(root)
    send(signal.SIGKILL, pids)
    wait_until(lambda: not any(alive(pid) for pid in pids), 20.0, f"process {root} does not end")


def alive(pid: int) -> bool:
    """Whether `pid` is there and not a zombie."""
    return (state(pid) or "X") not in "ZX"


def send(what: signal.Signals, pids: Iterable[int]) -> None:
    """Signal all; those that are gone already are no error."""
    for pid in pids:
        try:
            os.kill(pid, what)
        except ProcessLookupError:
            continue


def wait_until(condition: Callable[[], bool], seconds: float, failure: str, *, every: float = 0.02) -> None:
    """Ask until `condition` holds. Raises SandboxError with `failure` after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise SandboxError(failure, why=f"waited {seconds:.0f} s")
        time.sleep(every)


def copy_tree(source: Path, target: Path) -> None:
    """Copy a folder with owners and modes, sharing blocks where the file system can. Raises SandboxError."""
    copy = tool("cp")
    options = ["-cRp"] if sys.platform == "darwin" else ["-a", "--reflink=auto"]
    done = subprocess.run([copy, *options, str(source), str(target)], capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return
    shutil.rmtree(target, ignore_errors=True)  # a small cp without these options: copy plainly
    plain = subprocess.run([copy, "-Rp", str(source), str(target)], capture_output=True, text=True, check=False)
    if plain.returncode != 0:
        raise SandboxError(f"cannot copy {source.name}", why=plain.stderr.strip())


def works_in(pid: int, folder: Path) -> bool:
    """Whether `pid` has `folder` as its working directory, as PostgreSQL's processes do. (True where unknowable.)"""
    link = PROC / str(pid) / "cwd"
    if not PROC.exists():
        return True
    try:
        return link.resolve() == folder.resolve()
    except OSError:
        return False


def servers_working_below(folder: Path) -> frozenset[int]:
    """PostgreSQL programs that work somewhere below `folder` and are nobody's child there. Empty where unknowable."""
    if not PROC.exists():
        return frozenset()
    now = table()
    found = {pid for pid in now if _is_postgres(pid) and _works_below(pid, folder)}
    return frozenset(pid for pid in found if now[pid][0] not in found)


def _is_postgres(pid: int) -> bool:
    try:
        return (PROC / str(pid) / "comm").read_text().strip() in {"postgres", "initdb", "pg_ctl"}
    except OSError:
        return False


def _works_below(pid: int, folder: Path) -> bool:
    try:
        return folder in (PROC / str(pid) / "cwd").readlink().parents
    except OSError:
        return False


def quit_server(pid: int) -> None:
    """End a server at once, also a frozen one. First PostgreSQL's immediate shutdown, which frees shared memory."""
    resume(pid)
    send(signal.SIGQUIT, [pid])
    try:
        wait_until(lambda: not alive(pid), 10.0, "no answer to SIGQUIT")
    except SandboxError:
        kill(pid)
    reap(pid)
