"""One stage: what is run, what is refused, and what the data file says afterwards."""

import json
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rotator.domain.addresses import GATE, RECORD, alias, database, key
from rotator.domain.env_files import DATA_FILE
from rotator.domain.errors import Blocked, Interrupted, LockedError, TerraformError
from rotator.domain.root import DatabaseSpec, EndpointSpec, Generation, Imports, KeySpec, RootData, Stage
from rotator.terraform.attempt import AtGate
from rotator.terraform.gate import Gate
from rotator.terraform.interface import ApplyEvent, OnEvent
from rotator.terraform.stages import TerraformStages

KEY = KeySpec("alias/a", "d")
BEFORE = RootData({"g0": Generation(KEY, DatabaseSpec("a", {}))}, "g0", EndpointSpec("Z", "n", 60))
AFTER = replace(BEFORE, generations={**BEFORE.generations, "g1": Generation(KEY, None)})
FLIPPED = replace(BEFORE, serving="g1")


def change(address: str, *actions: str, **more: Any) -> dict[str, Any]:
    """An entry of resource_changes."""
    return {"address": address, "mode": "managed", "change": {"actions": list(actions), "before": None, **more}}


NEW_KEY = [change(key("g1"), "create"), change(alias("g1"), "create")]
DONE = [change(key("g1"), "no-op"), change(alias("g1"), "no-op")]
FLIP = [
    change(RECORD, "update", before={"records": ["a"]}, after={"records": ["b"]}),
    change(GATE, "create"),
]


class FakeTerraform:
    """Plans what it is told, and records what it is asked."""

    def __init__(self, root: Path, plans: list[dict[str, Any]], outputs: bool = False) -> None:
        self.root = root
        self.calls: list[str] = []
        self.plan_paths: list[Path] = []
        self.apply_with: Callable[[OnEvent], None] = lambda on_event: None
        self.plan_error: BaseException | None = None
        self.checked: list[bool] = []
        self.saves = True
        self._plans = plans
        self._outputs = outputs

    @property
    def runs(self) -> tuple[tuple[str, float], ...]:
        return ()

    def version(self) -> str:
        return "1.11.4"

    def init(self) -> None:
        self.calls.append("init")

    def plan(self, out: Path) -> bool:
        self.calls.append("plan")
        out.write_text("secret" if self.saves else "")
        self.plan_paths.append(out)
        self.checked.append(stat.S_IMODE(out.parent.stat().st_mode) == 0o700)
        if self.plan_error is not None:
            raise self.plan_error
        return self._outputs or any(item["change"]["actions"] != ["no-op"] for item in self._plans)

    def show(self, plan: Path) -> dict[str, Any]:
        self.calls.append("show")
        assert plan == self.plan_paths[-1]
        return {
            "resource_changes": self._plans,
            "output_changes": {"o": {"actions": ["update"]}} if self._outputs else {},
        }

    def apply(self, plan: Path, on_event: OnEvent) -> None:
        self.calls.append("apply")
        assert plan == self.plan_paths[-1]
        self.apply_with(on_event)

    def state_addresses(self) -> frozenset[str]:
        return frozenset()

    def interrupt(self) -> None:
        """Nothing runs."""


class DataFile:
    """Writes data as the root's file, so that the runner can look at it; remembers what it wrote."""

    def __init__(self, root: Path) -> None:
        root.mkdir(exist_ok=True)
        self.path = root / DATA_FILE
        self.written: list[RootData] = []

    def write(self, data: RootData) -> None:
        self.written.append(data)
        names = {"generations": sorted(data.generations), "serving": data.serving, "gate": data.gate}
        self.path.write_text(json.dumps(names))


@pytest.fixture
def file(tmp_path: Path) -> DataFile:
    return DataFile(tmp_path / "root")


def runner(fake: FakeTerraform, tmp_path: Path, on_event: OnEvent = lambda happened: None) -> TerraformStages:
    return TerraformStages(fake, tmp_path / "work", on_event=on_event)


def started(address: str) -> ApplyEvent:
    return ApplyEvent("apply_start", address, "create", 0, "")


def test_a_stage_is_three_runs_and_leaves_no_plan(tmp_path: Path, file: DataFile) -> None:
    fake = FakeTerraform(file.path.parent, NEW_KEY)
    seen: list[ApplyEvent] = []
    fake.apply_with = lambda on_event: on_event(started("x"))
    summary = runner(fake, tmp_path, seen.append).apply_stage(Stage.KEY, BEFORE, AFTER, file.write)
    assert fake.calls == ["init", "plan", "show", "apply"]
    assert {item.address for item in summary.changes} == {key("g1"), alias("g1")}
    assert file.written == [AFTER]
    assert seen == [started("x")]
    assert fake.checked == [True]
    assert list((tmp_path / "work").iterdir()) == []


@pytest.mark.parametrize("plans", [NEW_KEY, FLIP])
def test_nothing_is_applied_by_a_run_that_has_lost_the_env(
    tmp_path: Path, file: DataFile, plans: list[dict[str, Any]]
) -> None:
    """Asked after the plan, which may take minutes, and before anything is changed."""
    fake = FakeTerraform(file.path.parent, plans)

    def lost() -> None:
        assert fake.calls[-1] == "show"
        raise LockedError("lost")

    stages = TerraformStages(fake, tmp_path / "work", before_apply=lost)
    stage, after = (Stage.KEY, AFTER) if plans is NEW_KEY else (Stage.CUTOVER, replace(FLIPPED, gate="/g"))
    with Gate(tmp_path / "g") as gate, pytest.raises(LockedError):
        stages.apply_stage(stage, BEFORE, after, file.write, AtGate(gate, lambda: True))
    assert "apply" not in fake.calls
    assert file.written[-1] == BEFORE


def test_what_is_done_already_is_not_applied(tmp_path: Path, file: DataFile) -> None:
    fake = FakeTerraform(file.path.parent, DONE)
    assert runner(fake, tmp_path).apply_stage(Stage.KEY, BEFORE, AFTER, file.write).changes == ()
    assert "apply" not in fake.calls
    assert file.written == [AFTER]


def test_outputs_that_lag_behind_are_applied(tmp_path: Path, file: DataFile) -> None:
    fake = FakeTerraform(file.path.parent, DONE, outputs=True)
    runner(fake, tmp_path).apply_stage(Stage.KEY, BEFORE, AFTER, file.write)
    assert fake.calls[-1] == "apply"


def test_a_refused_plan_is_not_applied_and_the_data_goes_back(tmp_path: Path, file: DataFile) -> None:
    replaced = change(database("g0"), "delete", "create", replace_paths=[["kms_key_id"]])
    fake = FakeTerraform(file.path.parent, [*NEW_KEY, replaced])
    with pytest.raises(Blocked, match="kms_key_id"):
        runner(fake, tmp_path).apply_stage(Stage.KEY, BEFORE, AFTER, file.write)
    assert "apply" not in fake.calls
    assert file.written == [AFTER, BEFORE]
    assert list((tmp_path / "work").iterdir()) == []


def broken(code: str, *entries: dict[str, Any], root: Path, saved: bool = True) -> FakeTerraform:
    """A plan that fails on a condition, after having found what it found."""
    fake = FakeTerraform(root, list(entries))
    fake.plan_error = TerraformError("a condition failed", code=code)
    fake.saves = saved
    return fake


REPLACED = change(database("g0"), "delete", "create", replace_paths=[["kms_key_id"]])


def test_a_plan_that_fails_because_of_a_forbidden_change_is_a_refusal(tmp_path: Path, file: DataFile) -> None:
    fake = broken("terraform-plan", REPLACED, *NEW_KEY, root=file.path.parent)
    with pytest.raises(Blocked, match="kms_key_id"):
        runner(fake, tmp_path).apply_stage(Stage.KEY, BEFORE, AFTER, file.write)
    with pytest.raises(Blocked, match="kms_key_id"):
        runner(fake, tmp_path).check_clean()
    assert file.written == [AFTER, BEFORE]


@pytest.mark.parametrize("entries", [NEW_KEY, []], ids=["only what is expected", "nothing"])
def test_a_condition_that_fails_in_the_plan_is_a_guards_no(
    tmp_path: Path, file: DataFile, entries: list[dict[str, Any]]
) -> None:
    fake = broken("terraform-condition", *entries, root=file.path.parent)
    with pytest.raises(Blocked) as caught:
        runner(fake, tmp_path).apply_stage(Stage.KEY, BEFORE, AFTER, file.write)
    assert caught.value.code == "plan-condition"
    assert isinstance(caught.value.__cause__, TerraformError)


@pytest.mark.parametrize(
    ("code", "entries", "saved"),
    [("terraform-plan", NEW_KEY, True), ("terraform-plan", [REPLACED], False), ("terraform-auth", [REPLACED], True)],
    ids=["only what is expected", "nothing saved", "for another cause"],
)
def test_a_plan_that_fails_otherwise_is_a_failure(
    tmp_path: Path, file: DataFile, code: str, entries: list[dict[str, Any]], saved: bool
) -> None:
    fake = broken(code, *entries, root=file.path.parent, saved=saved)
    with pytest.raises(TerraformError, match="condition"):
        runner(fake, tmp_path).apply_stage(Stage.KEY, BEFORE, AFTER, file.write)


@pytest.mark.parametrize("error", [TerraformError("no"), Interrupted("stop"), KeyboardInterrupt()])
def test_a_failed_plan_puts_the_data_back(tmp_path: Path, file: DataFile, error: BaseException) -> None:
    fake = FakeTerraform(file.path.parent, NEW_KEY)
    fake.plan_error = error
    with pytest.raises(type(error)):
        runner(fake, tmp_path).apply_stage(Stage.KEY, BEFORE, AFTER, file.write)
    assert file.written == [AFTER, BEFORE]
    assert list((tmp_path / "work").iterdir()) == []


def test_a_failed_plan_after_a_kill_leaves_the_data_since_nobody_knows(tmp_path: Path, file: DataFile) -> None:
    file.write(AFTER)
    fake = FakeTerraform(file.path.parent, NEW_KEY)
    fake.plan_error = TerraformError("no network")
    with pytest.raises(TerraformError):
        runner(fake, tmp_path).apply_stage(Stage.KEY, BEFORE, AFTER, file.write)
    assert file.written[-1] == AFTER


def test_that_the_gate_is_another_each_time_does_not_hide_a_killed_run(tmp_path: Path, file: DataFile) -> None:
    file.write(replace(FLIPPED, gate="/gate-1"))
    fake = FakeTerraform(file.path.parent, FLIP)
    fake.plan_error = TerraformError("no network")
    with pytest.raises(TerraformError):
        runner(fake, tmp_path).apply_stage(Stage.CUTOVER, BEFORE, replace(FLIPPED, gate="/gate-2"), file.write)
    assert file.written[-1] == replace(FLIPPED, gate="/gate-2")


def failing(*events: ApplyEvent) -> Callable[[OnEvent], None]:
    def apply(on_event: OnEvent) -> None:
        for event in events:
            on_event(event)
        raise TerraformError("apply failed")

    return apply


def test_an_apply_that_began_leaves_the_data_so_that_a_plan_goes_on(tmp_path: Path, file: DataFile) -> None:
    fake = FakeTerraform(file.path.parent, NEW_KEY)
    fake.apply_with = failing(started(key("g1")))
    with pytest.raises(TerraformError):
        runner(fake, tmp_path).apply_stage(Stage.KEY, BEFORE, AFTER, file.write)
    assert file.written == [AFTER]


def test_an_apply_that_never_began_puts_the_data_back(tmp_path: Path, file: DataFile) -> None:
    fake = FakeTerraform(file.path.parent, NEW_KEY)
    fake.apply_with = failing(ApplyEvent("state_lock_acquire", "", "", 0, ""))
    with pytest.raises(TerraformError):
        runner(fake, tmp_path).apply_stage(Stage.KEY, BEFORE, AFTER, file.write)
    assert file.written == [AFTER, BEFORE]


def test_a_failed_import_leaves_the_data_although_it_tells_no_start(tmp_path: Path, file: DataFile) -> None:
    adopting = replace(BEFORE, imports=Imports(databases={"g0": "a"}))
    fake = FakeTerraform(file.path.parent, [change(database("g0"), "no-op", importing={"id": "a"})])
    fake.apply_with = failing()
    with pytest.raises(TerraformError):
        runner(fake, tmp_path).apply_stage(Stage.ADOPT, BEFORE, adopting, file.write)
    assert file.written == [adopting]


def arriving(gate: Gate, heard: list[str]) -> Callable[[OnEvent], None]:
    """An apply that stands at the gate and obeys."""

    def apply(on_event: OnEvent) -> None:
        on_event(started(GATE))
        with (gate.path / "arrived").open("w") as arrived, (gate.path / "answer").open() as answer:
            arrived.write("arrived\n")
            arrived.flush()
            heard.append(answer.readline().strip())
        if heard[-1] != "go":
            raise TerraformError("the gate said abort")
        on_event(started(RECORD))

    return apply


def through(
    tmp_path: Path, file: DataFile, decide: Callable[[], bool], then: BaseException | None = None
) -> tuple[RootData, list[str]]:
    fake, heard = FakeTerraform(file.path.parent, FLIP), list[str]()
    with Gate(tmp_path / "gates") as gate:
        after = replace(FLIPPED, gate=str(gate.path))
        obey = arriving(gate, heard)

        def apply(on_event: OnEvent) -> None:
            obey(on_event)
            if then is not None:
                raise then

        fake.apply_with = apply
        try:
            runner(fake, tmp_path).apply_stage(Stage.CUTOVER, BEFORE, after, file.write, AtGate(gate, decide))
        finally:
            heard.append("after" if file.written[-1] == after else "before")
    return file.written[-1], heard


def test_through_the_gate(tmp_path: Path, file: DataFile) -> None:
    _, heard = through(tmp_path, file, lambda: True)
    assert heard == ["go", "after"]


def test_a_no_without_a_reason_is_a_bug_and_the_data_goes_back(tmp_path: Path, file: DataFile) -> None:
    with pytest.raises(ValueError, match="raises why not"):
        through(tmp_path, file, lambda: False)
    assert file.written[-1] == BEFORE


def test_an_error_at_the_gate_is_raised_and_the_data_goes_back(tmp_path: Path, file: DataFile) -> None:
    def decide() -> bool:
        raise Blocked("rows are missing", code="not-drained")

    with pytest.raises(Blocked, match="rows are missing"):
        through(tmp_path, file, decide)
    assert file.written[-1] == BEFORE


def test_a_failure_after_go_leaves_the_data_since_the_flip_may_have_happened(tmp_path: Path, file: DataFile) -> None:
    with pytest.raises(TerraformError, match="INSYNC"):
        through(tmp_path, file, lambda: True, TerraformError("INSYNC timeout"))
    assert file.written[-1].serving == "g1"


def test_a_gate_that_nobody_attends_is_never_planned_into_an_apply(tmp_path: Path, file: DataFile) -> None:
    fake = FakeTerraform(file.path.parent, FLIP)
    with pytest.raises(ValueError, match="somebody"):
        runner(fake, tmp_path).apply_stage(Stage.CUTOVER, BEFORE, replace(FLIPPED, gate="/g"), file.write)
    assert "apply" not in fake.calls


def test_plans_that_a_killed_run_left_are_removed(tmp_path: Path, file: DataFile) -> None:
    left = tmp_path / "work" / "plan-old"
    left.mkdir(parents=True)
    (left / "tfplan").write_text("secret")
    runner(FakeTerraform(file.path.parent, DONE), tmp_path).check_clean()
    assert not left.exists()


def test_a_clean_root_is_one_run(tmp_path: Path, file: DataFile) -> None:
    fake = FakeTerraform(file.path.parent, DONE)
    runner(fake, tmp_path).check_clean()
    assert fake.calls == ["init", "plan"]


def test_a_root_that_is_not_clean_names_the_addresses(tmp_path: Path, file: DataFile) -> None:
    drifted = change(RECORD, "update", before={"ttl": 1}, after={"ttl": 2})
    with pytest.raises(Blocked) as caught:
        runner(FakeTerraform(file.path.parent, [drifted], outputs=True), tmp_path).check_clean()
    assert caught.value.code == "plan-not-clean"
    assert caught.value.details == (f"{RECORD}: update ttl", "output o")


def test_a_root_that_is_not_clean_for_a_key_that_was_switched_says_what_takes_note_of_it(
    tmp_path: Path, file: DataFile
) -> None:
    drifted = change(
        'module.key["g0"].aws_kms_key.this', "update", before={"is_enabled": True}, after={"is_enabled": False}
    )
    with pytest.raises(Blocked) as caught:
        runner(FakeTerraform(file.path.parent, [drifted]), tmp_path).check_clean()
    assert "run the same command again" in caught.value.fix


def test_inspect_shows_and_applies_nothing(tmp_path: Path, file: DataFile) -> None:
    fake = FakeTerraform(file.path.parent, NEW_KEY)
    assert len(runner(fake, tmp_path).inspect().changes) == 2
    assert fake.calls == ["init", "plan", "show"]
