"""A provider that is kept for as long as a command runs, for the runs of Terraform that change nothing.

Terraform starts its provider anew for each run, plan and show alike: seconds of CPU each time. A provider that is
started with `-debug` prints what TF_REATTACH_PROVIDERS must hold (Terraform documentation, "Debugging providers"), and
serves any number of runs. It has one configuration, so it is for roots with one `provider "aws"` block alone. An apply
gets a provider of its own: it holds the apply's lock as its child, and may outlive a killed driver (docs/adr/0019).

Nothing depends on it: where it cannot be had, Terraform starts its own as ever.
"""

from __future__ import annotations

import json
import os
import re
import select
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from rotator.terraform.stamp import data_dir

VARIABLE = "TF_REATTACH_PROVIDERS"
START_SECONDS = 20.0
END_SECONDS = 5.0
_BLOCK = re.compile(r'^[ \t]*provider[ \t]+"([^"\n]+)"', re.MULTILINE)
_ADDRESS = "registry.terraform.io/hashicorp/aws"
_LINE = re.compile(rb"TF_REATTACH_PROVIDERS='(\{.*\})'")
_LIFELINE = """
exec 3<&0
"$1" -debug </dev/null 3<&- & provider=$!
{ read -r _ <&3; kill -9 "$provider"; } & watcher=$!
wait "$provider"
kill -9 "$watcher"
rm -f -- "$TMPDIR"/plugin* && rmdir -- "$TMPDIR"
"""
"""The shell's input is a pipe that this process holds: the kernel closes it when the process dies, however it does. The
shell ends with the provider, and takes its folder along: TMPDIR, with the provider's socket.
"""


class KeptProvider:
    """The AWS provider of one root. `environ` is Terraform's; `enabled` is what the user wants."""

    def __init__(self, root: Path, environ: Mapping[str, str], *, enabled: bool = True) -> None:
        self._root = root
        self._environ = environ
        self._enabled = enabled
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._reattach = ""

    def environ(self) -> Mapping[str, str]:
        """What a run that changes nothing needs in its environment beside Terraform's own; empty where nothing is kept.

        Starts the provider when it is first asked for. The root must be initialised.
        """
        if self._enabled and self._process is None:
            self._enabled = self._start()
        if self._process is not None and self._process.poll() is not None:
            self.close()
            self._enabled = False
        return {VARIABLE: self._reattach} if self._process is not None else {}

    def close(self) -> None:
        """End it, and remove its socket."""
        if self._process is not None:
            assert self._process.stdin is not None
            self._process.stdin.close()
            try:
                self._process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)  # its session is its own
                self._process.wait()
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process = None
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def _start(self) -> bool:
        """Whether it is there now. Why it is not interests nobody: the run goes on with a provider of its own."""
        binary = self._binary()
        if binary is None or not self._one_block():
            return False
        self._folder = tempfile.TemporaryDirectory(prefix="provider-")  # 0700: the socket is for its user alone
        environ = {name: value for name, value in self._environ.items() if name != "AWS_CA_BUNDLE"}
        try:
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", _LIFELINE, "sh", str(binary)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # of the provider, and of a folder that was removed meanwhile
                cwd=self._root,
                env={**environ, "TMPDIR": self._folder.name},
                start_new_session=True,
            )
            self._reattach = self._read(self._process)
        except OSError:
            self._reattach = ""
        if not self._reattach:
            self.close()
        return bool(self._reattach)

    def _read(self, process: subprocess.Popen[bytes]) -> str:
        """The variable's value as the provider prints it; empty when it prints none in time."""
        assert process.stdout is not None
        said, until = b"", time.monotonic() + START_SECONDS
        while (left := until - time.monotonic()) > 0:
            if not select.select([process.stdout], [], [], left)[0]:
                break
            part = process.stdout.read1(4096)  # type: ignore[attr-defined]  # a pipe is buffered
            if not part:
                break
            said += part
            if found := _LINE.search(said):
                return _only_aws(found[1])
        return ""

    def _binary(self) -> Path | None:
        """The provider that `init` has installed; None when there is not exactly one."""
        found = sorted(
            (data_dir(self._root, self._environ) / "providers" / _ADDRESS).glob("*/*/terraform-provider-aws*")
        )
        return found[0].resolve() if len(found) == 1 else None

    def _one_block(self) -> bool:
        blocks = [name for file in self._root.glob("*.tf") for name in _BLOCK.findall(file.read_text(encoding="utf-8"))]
        return blocks == ["aws"]


def _only_aws(value: bytes) -> str:
    try:
        told = json.loads(value)
    except ValueError:
        return ""
    return json.dumps(told) if isinstance(told, dict) and set(told) == {_ADDRESS} else ""
