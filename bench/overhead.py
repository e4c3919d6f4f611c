"""Time a rotation beside a plain shell runbook of the same calls, each in a fresh sandbox: `make bench-overhead`.

Both use the same modules, the same data for each stage, the same polling interval and the same Terraform. The runbook
has its stages' data prepared, and leaves out what rotator does besides: preflight, fence, plan firewall, comparison of
settings and contents, the gate, the write probe, the journal. So the ratio says what all of that costs.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from scratch import ENV, REPOSITORY, project, rotator, sandbox

from rotator import wiring
from rotator.config.sandbox import located
from rotator.domain.env_files import JOURNAL_FILE
from rotator.domain.root import Stage
from rotator.host.data_file import write_data
from rotator.journal.keeper import Preview
from rotator.journal.memory import JournalMemory
from rotator.rotation.begin import begin
from rotator.rotation.forecast import forecast
from rotator.rotation.registry import rotation_steps
from rotator.rotation.steps.context import Options
from rotator.rotation.steps.prepare.adopt import first_data
from rotator.rotation.steps.prepare.choose import choose
from rotator.terraform.binary import find_terraform
from rotator.terraform.environment import terraform_env

AWS_CLI = REPOSITORY / ".rotator" / "bench-venv" / "bin"
OWN_SHARE_GOAL = 0.1
RATIO_GOAL = 1.0
SAME = ("adopt", "lower-ttl", "key", "snapshot", "re-encrypt", "green", "cutover")
"""Steps that the runbook has too. The cutover's waits for a calm moment are in it, which the runbook does not know."""


@dataclass(frozen=True)
class Timing:
    """Seconds of one pair of runs; `own` is the tool's own part as its summary says.

    `same` is what the steps took that the runbook has too.
    """

    rotator: float
    own: float
    manual: float
    same: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print a table; exit code 0 whatever the figures say."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1, help="pairs of runs (a pair takes about 15 minutes)")
    parser.add_argument("--seed-mb", type=int, default=200, help="size of the database")
    options = parser.parse_args(arguments)
    timings = []
    for number in range(options.runs):
        with project(options.seed_mb) as folder:
            environ = {**os.environ, "ROTATOR_PROJECT": str(folder), "CI": "true"}
            _say(f"run {number + 1} of {options.runs}: rotator")
            with sandbox(environ):
                whole, own, same = time_rotator(folder, environ)
            _say(f"run {number + 1} of {options.runs}: shell runbook")
            with sandbox(environ):
                manual = time_manual(folder, environ)
        timings.append(Timing(whole, own, manual, same))
        _say(f"rotator {whole:.1f} s (own part {own:.1f} s), shell runbook {manual:.1f} s")
    print(report(timings))
    return 0


def time_rotator(folder: Path, environ: dict[str, str]) -> tuple[float, float, float]:
    """Wall seconds of `rotate` as seen from outside, the tool's own part as its summary says, and the same steps'."""
    subprocess.run(rotator("render", ENV), env=environ, check=True, stdout=subprocess.DEVNULL)
    began = time.monotonic()
    done = subprocess.run(rotator("rotate", ENV, "--yes", "--json"), env=environ, check=True, stdout=subprocess.PIPE)
    whole = time.monotonic() - began
    steps = json.loads((folder / "envs" / ENV / JOURNAL_FILE).read_text())["rotations"][-1]["steps"]
    same = sum(float(steps[name]["seconds"]) for name in SAME)
    return whole, float(json.loads(done.stdout)["own_seconds"]), same


def time_manual(folder: Path, environ: dict[str, str]) -> float:
    """Wall seconds of the shell runbook. Its stages' data is prepared before the clock starts."""
    subprocess.run(rotator("render", ENV), env=environ, check=True, stdout=subprocess.DEVNULL)
    os.environ["ROTATOR_PROJECT"] = str(folder)
    stages = folder / "stages"
    variables = prepare(stages)
    env = located(wiring.load(ENV))
    aws = {**terraform_env(env.config, folder / ".rotator", wiring.environment(env)), **variables}
    aws["PATH"] = f"{AWS_CLI}{os.pathsep}{aws['PATH']}"
    aws["TERRAFORM"] = str(find_terraform(env.config.terraform.binary, REPOSITORY, environ))
    aws.update(ROOT=str(env.path), STAGES=str(stages), AWS_PAGER="", AWS_EC2_METADATA_DISABLED="true")
    aws["AWS_DEFAULT_REGION"] = env.config.aws.region  # the AWS CLI's version 1 reads this name alone
    began = time.monotonic()
    subprocess.run([str(REPOSITORY / "bench" / "manual_runbook.sh")], env=aws, check=True, stdout=sys.stderr)
    return time.monotonic() - began


def prepare(stages: Path) -> dict[str, str]:
    """Write <stage>.json for every stage up to the cutover; give the runbook's other variables."""
    stages.mkdir()
    with wiring.workbench(ENV, "rotate", as_json=True, locked=True) as bench:
        now = bench.clock.now().isoformat("T", "seconds")
        journal, record = begin(bench.env, bench.keeper.load(), now, bench.nonce())
        memory = JournalMemory(Preview(journal), record.rotation.id)
        memory.decide_strategy(choose(bench.context(memory, record, Options())))
        record = memory.record
        ctx = bench.context(memory, record, Options())
        rotation_steps(record.rotation.strategy)[0].observe(ctx)
        start = first_data(ctx)
        for each in forecast(ctx, start, adopted=False):
            write_data(stages / f"{each.stage}.json", each.after)
            if each.stage is Stage.CUTOVER:
                break
        ungated(stages / f"{Stage.CUTOVER}.json")
        config, names = bench.env.config, record.rotation
        return {
            "BLUE": names.blue,
            "GREEN": names.green,
            "SOURCE": names.source_snapshot,
            "COPY": names.copy_snapshot,
            "KEY_ALIAS": names.new_alias,
            "OLD_TTL": str(start.endpoint.ttl),
            "POLL": str(config.rotation.poll_seconds),
            "RECORD": config.dns.record,
            "ZONE_ID": start.endpoint.zone_id,
        }


def ungated(file: Path) -> None:
    """Take the gate out of a stage's data: the runbook has no driver that could answer there."""
    data = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps({**data, "gate": None}, indent=2), encoding="utf-8")


def report(timings: Sequence[Timing]) -> str:
    """The table, with medians and the goals."""
    whole, manual = median(t.rotator for t in timings), median(t.manual for t in timings)
    same = median(t.same for t in timings)
    ratio, share = whole / manual, median(t.own / t.rotator for t in timings)
    rows = [
        f"rotator            {whole:8.1f} s   (median of {len(timings)})",
        f"  its own part     {median(t.own for t in timings):8.1f} s",
        f"shell runbook      {manual:8.1f} s",
        f"same steps         {same:8.1f} s   ({', '.join(SAME)})",
        f"  to the runbook   {same / manual:8.2f}",
        f"ratio              {ratio:8.2f}     goal: at most {RATIO_GOAL:.2f}, {_met(ratio <= RATIO_GOAL)}",
        f"own share          {share:8.1%}     goal: below {OWN_SHARE_GOAL:.0%}, {_met(share < OWN_SHARE_GOAL)}",
        "The runbook has no preflight, fence, firewall, comparison, gate, probe or journal.",
    ]
    return "\n".join(rows)


def _met(met: bool) -> str:
    return "met" if met else "MISSED"


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    if shutil.which("aws", path=str(AWS_CLI)) is None:
        sys.exit(f"error: no AWS CLI in {AWS_CLI}. fix: make bench-overhead installs it")
    try:
        raise SystemExit(main())
    except subprocess.CalledProcessError as fault:
        sys.exit(f"error: {' '.join(map(str, fault.cmd[-4:]))} ended with exit code {fault.returncode}; see above")
