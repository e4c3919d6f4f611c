"""Validate: green holds exactly what blue holds. Nothing that was not compared is called passed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from rotator.database import compare
from rotator.database.interface import DatabaseServer
from rotator.domain.database import Table, TableDigest
from rotator.domain.errors import Blocked
from rotator.domain.progress import Progress
from rotator.journal.results import KeyResult, ValidateResult
from rotator.rotation.steps.context import Context
from rotator.rotation.steps.observation import Observation, absent, satisfied, skipped
from rotator.rotation.steps.step import Step
from rotator.rotation.steps.world import instance, server


class Validate(Step[ValidateResult]):
    """Connect as the application does; compare schema, extensions, sequences, and every table's rows and checksum."""

    name = "validate"
    records = ValidateResult
    title = "Validate green against blue"
    once = True
    estimate_seconds = 30

    def observe(self, ctx: Context) -> Observation:
        """Satisfied once this run's comparison has been noted; skipped where the tool may not connect."""
        if ctx.databases is None:
            return skipped('database.access is "none": nothing inside the database was compared')
        noted = ctx.memory.result(ValidateResult)
        return satisfied(noted) if noted.compared else absent("not compared yet")

    def act(self, ctx: Context) -> None:
        """Compare; raises Blocked with every difference found."""
        blue, green = server(ctx, ctx.rotation.blue), server(ctx, ctx.rotation.green)
        if blue is None or green is None:
            raise Blocked("Validation needs a connection.", fix='Set [database] access = "direct".', code="no-access")
        version = green.ping()
        schema = blue.schema()
        refuse("schema", compare.compare_schema(schema, green.schema()))
        refuse("extensions", compare.compare_extensions(blue.extensions(), green.extensions()))
        refuse("sequences", compare.compare_sequences(blue.counters(), green.counters()))
        tables = blue.tables()
        rows = _compare_tables(ctx, blue, green, tables)
        result = ValidateResult(
            compared=True,
            version=version,
            tables=len(tables),
            rows=rows,
            schema=fingerprint(schema),
            encryption=str(green.encryption()),
        )
        ctx.memory.note(ValidateResult, lambda _: result)

    def verify(self, ctx: Context, result: ValidateResult) -> ValidateResult:
        """Prove green's key once more, from RDS."""
        green, key = instance(ctx, ctx.rotation.green), ctx.memory.result(KeyResult).key_arn
        if green.kms_key_arn != key:
            raise Blocked(
                f"Green is under {green.kms_key_arn}, not under the new key {key}.",
                fix=f"rotator rollback {ctx.env.name}",
                code="wrong-key",
            )
        return result

    def words(self, result: ValidateResult) -> str:
        return f"{result.tables} tables, {result.rows or 0:,} rows, schema, sequences and extensions are equal"


def fingerprint(schema: Mapping[str, str]) -> str:
    """One digest of a whole schema."""
    return hashlib.sha256(json.dumps(sorted(schema.items())).encode()).hexdigest()


def _compare_tables(ctx: Context, blue: DatabaseServer, green: DatabaseServer, tables: tuple[Table, ...]) -> int:
    weights = {t: max(t.size_bytes, 8192) for t in tables}
    total, past = sum(weights.values()) * 2, 0
    ours: dict[str, TableDigest] = {}
    theirs: dict[str, TableDigest] = {}
    for table in tables:
        for side, digests in ((blue, ours), (green, theirs)):
            digests[str(table)] = side.checksum(table, _part(ctx, table, past / total, weights[table] / total))
            past += weights[table]
    refuse("contents", compare.compare_digests(ours, theirs))
    return sum(d.rows for d in ours.values())


def _part(ctx: Context, table: Table, start: float, share: float) -> Progress:
    """One table's progress as its part of the whole."""
    return lambda fraction, _: ctx.progress(start + (fraction or 0.0) * share, f"checksum of {table}")


def refuse(what: str, found: tuple[str, ...], ddl: tuple[str, ...] = (), by_key: tuple[str, ...] = ()) -> None:
    """Raise Blocked when differences were found; `ddl` is what was recorded meanwhile, and may be why.

    `by_key` names the rows: for a person at a terminal alone.
    """
    if found:
        raise Blocked(
            f"Green's {what} differs from blue's.",
            why="Green must hold exactly what blue holds before applications are pointed at it.",
            fix="Take the rotation back with rollback; green and its snapshot stay for a look until then.",
            details=(*found, *(f"recorded DDL: {line}" for line in ddl)),
            on_terminal=by_key,
            code=f"validate-{what}",
        )
