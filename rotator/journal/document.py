"""The journal: what was intended, done and proved. Pure documents; keeper.py keeps them.

The root's data (generations, serving, endpoint) lives here; generations.auto.tfvars.json is derived from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any

from pydantic import TypeAdapter, ValidationError

from rotator.domain.errors import Blocked, ConfigError
from rotator.domain.root import RootData
from rotator.domain.root_json import from_json, to_json
from rotator.domain.rotation import Rotation
from rotator.journal.read import damaged
from rotator.journal.results import R
from rotator.journal.results_retire import RetireDatabaseResult
from rotator.journal.scrub import scrubbed
from rotator.journal.step_record import Status, StepRecord, step_from_json, step_to_json, typed

VERSION = 1


class Phase(StrEnum):
    """Where a rotation as a whole stands."""

    ROTATING = "rotating"
    SOAKING = "soaking"
    RETIRING = "retiring"
    KEY_KEPT = "key-kept"
    KEY_DISABLED = "key-disabled"
    RETIRED = "retired"
    ROLLING_BACK = "rolling-back"
    ROLLED_BACK = "rolled-back"


OPEN = frozenset({Phase.ROTATING, Phase.ROLLING_BACK})
BLUE_GONE = frozenset({Phase.KEY_KEPT, Phase.KEY_DISABLED, Phase.RETIRED})
RETIRABLE = frozenset({Phase.SOAKING, Phase.RETIRING, Phase.KEY_KEPT, Phase.KEY_DISABLED})


@dataclass(frozen=True)
class Run:
    """A command that worked on the rotation: `who` is the caller's ARN by STS, "unknown" where STS did not say.

    `place` is USER@HOST, `version` the tool's. The same one run `times` in a row is one entry: `at` is its first time,
    `last` its last. Times are ISO 8601 in UTC.
    """

    verb: str
    who: str
    place: str
    version: str
    at: str
    last: str
    times: int = 1

    @property
    def words(self) -> str:
        """For people."""
        often = f", {self.times} times since {self.at}" if self.times > 1 else ""
        return f"{self.verb} by {self.who} from {self.place} at {self.last}, rotator {self.version}{often}"

    def follows(self, before: Run) -> bool:
        """Whether it is the same command of the same caller again."""
        return replace(self, at="", last="", times=0) == replace(before, at="", last="", times=0)


@dataclass(frozen=True)
class RotationRecord:
    """One rotation with its steps, and the commands that worked on it."""

    rotation: Rotation
    phase: Phase
    started: str
    steps: Mapping[str, StepRecord] = field(default_factory=dict)
    runs: tuple[Run, ...] = ()
    fixed: Mapping[str, str] | None = None
    """What of rotation.toml may not change meanwhile; None in journals of older versions."""

    def result(self, kind: type[R]) -> R:
        """What the step of that kind has recorded; an empty one where it has nothing."""
        found = self.step(kind.step).result
        return found if isinstance(found, kind) else kind()

    def step(self, name: str) -> StepRecord:
        """The record of a step; an empty one when it never began."""
        return self.steps.get(name, StepRecord())

    @property
    def blue_gone(self) -> bool:
        """Whether at most the old key is left of it; a kill on the way leaves the phase behind."""
        deleted = self.step(RetireDatabaseResult.step).status is Status.DONE
        return self.phase in BLUE_GONE or (self.phase is Phase.RETIRING and deleted)

    def with_run(self, run: Run) -> RotationRecord:
        """A copy with that command noted."""
        if self.runs and run.follows(self.runs[-1]):
            last = self.runs[-1]
            return replace(self, runs=(*self.runs[:-1], replace(last, last=run.last, times=last.times + 1)))
        return replace(self, runs=(*self.runs, run))

    def with_step(self, name: str, record: StepRecord) -> RotationRecord:
        """A copy with that step's record."""
        return replace(self, steps={**self.steps, name: record})


@dataclass(frozen=True)
class Journal:
    """A whole env. `next_generation` only grows: a generation's name is never used twice, also after a rollback.

    `root` is the data of the last stage that was applied; `pending` the data of one that is being applied (the data
    file then holds it), so that after a kill the firewall still knows what the stage may change.
    """

    env: str
    next_generation: int = 1
    root: RootData | None = None
    pending: RootData | None = None
    rotations: tuple[RotationRecord, ...] = ()

    def current(self) -> RotationRecord | None:
        """The rotation that is under way, if any."""
        return next((r for r in reversed(self.rotations) if r.phase in OPEN), None)

    def latest(self) -> RotationRecord | None:
        """The youngest rotation, whatever became of it."""
        return self.rotations[-1] if self.rotations else None

    def find(self, rotation_id: str) -> RotationRecord:
        """The rotation with that id; raises LookupError."""
        for record in self.rotations:
            if record.rotation.id == rotation_id:
                return record
        raise LookupError(rotation_id)

    def with_rotation(self, record: RotationRecord) -> Journal:
        """A copy in which that rotation's record is replaced, or added at the end."""
        ids = [r.rotation.id for r in self.rotations]
        if record.rotation.id not in ids:
            return replace(self, rotations=(*self.rotations, record))
        return replace(
            self, rotations=tuple(record if r.rotation.id == record.rotation.id else r for r in self.rotations)
        )


def journal_to_json(journal: Journal) -> dict[str, Any]:
    """The document as stored."""
    return {
        "version": VERSION,
        "env": journal.env,
        "next_generation": journal.next_generation,
        "root": to_json(journal.root) if journal.root else None,
        "pending": to_json(journal.pending) if journal.pending else None,
        "rotations": [_rotation_to_json(r) for r in journal.rotations],
    }


def journal_from_json(document: Mapping[str, Any]) -> Journal:
    """Read a stored document; raises Blocked when it is damaged or of a newer version."""
    version = document.get("version")
    if version != VERSION:
        raise Blocked(
            f"The journal has version {version!r}; this rotator reads version {VERSION}.",
            why="A newer rotator wrote it, or the file is damaged.",
            fix="Use the rotator that wrote it, or take the file from version control.",
            code="journal-version",
        )
    try:
        if not isinstance(document["rotations"], list):
            raise TypeError("rotations is not a list")
        return Journal(
            env=_TEXT.validate_python(document["env"], strict=True),
            next_generation=_NUMBER.validate_python(document["next_generation"], strict=True),
            root=from_json(document["root"]) if document["root"] is not None else None,
            pending=from_json(document["pending"]) if document["pending"] is not None else None,
            rotations=tuple(_rotation_from_json(r) for r in document["rotations"]),
        )
    except ValidationError as fault:
        places = sorted({".".join(map(str, item["loc"])) for item in fault.errors(include_input=False)})
        raise damaged("The journal cannot be read.", f"Of the wrong type: {', '.join(places[:5])}.") from None
    except ConfigError as fault:
        raise damaged("The journal cannot be read.", f"{fault.what}.") from None
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as fault:
        raise damaged(
            "The journal cannot be read.", f"A field is missing or damaged ({type(fault).__name__}: {fault})."
        ) from None


_NAMES, _RUN = TypeAdapter(Rotation), TypeAdapter(Run)
_FIXED: TypeAdapter[Mapping[str, str] | None] = TypeAdapter(Mapping[str, str] | None)
_TEXT, _NUMBER = TypeAdapter(str), TypeAdapter(int)


def _rotation_to_json(record: RotationRecord) -> dict[str, Any]:
    return {
        "rotation": asdict(record.rotation),
        "phase": record.phase,
        "started": record.started,
        "runs": [asdict(run) for run in record.runs],
        **({"fixed": dict(record.fixed)} if record.fixed is not None else {}),
        "steps": {name: step_to_json(step) for name, step in record.steps.items()},
    }


def _rotation_from_json(document: Mapping[str, Any]) -> RotationRecord:
    steps = {name: step_from_json(name, step) for name, step in scrubbed(document["steps"]).items()}
    started = _TEXT.validate_python(document["started"], strict=True)
    runs = tuple(typed(_RUN, run) for run in document.get("runs") or ())
    fixed = _FIXED.validate_python(document.get("fixed"))
    return RotationRecord(typed(_NAMES, document["rotation"]), Phase(document["phase"]), started, steps, runs, fixed)
