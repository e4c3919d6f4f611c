"""What still needs a key: everything under it is named once, nothing under another key is touched."""

from __future__ import annotations

from fnmatch import fnmatchcase

from aws_elements import NEW_KEY, OLD_KEY, OTHER_KEY, element
from hypothesis import given
from hypothesis import strategies as st

from rotator.aws.dependents import dependents, same_key
from rotator.aws.elements import instance_of
from rotator.domain.aws import AutomatedBackup, Snapshot


def snapshot(name, key=OLD_KEY, kind="manual"):
    return Snapshot(
        identifier=name,
        arn=f"arn:aws:rds:eu-west-1:1:snapshot:{name}",
        instance_identifier="orders",
        instance_resource_id="db-A",
        status="available",
        percent=100,
        kind=kind,
        kms_key_arn=key,
        encrypted=key is not None,
        source_arn=None,
        created=None,
        tags={},
    )


def under(snapshots=(), backups=(), instances=(), globs=(), own=()):
    return dependents(
        OLD_KEY,
        snapshots=snapshots,
        automated_backups=backups,
        instances=instances,
        database="orders",
        delete_globs=globs,
        own_snapshots=own,
    )


def test_nothing():
    assert under() == under(snapshots=[snapshot("a", NEW_KEY), snapshot("b", None)])
    assert under().kept == under().deletable == ()


def test_own_and_matched_snapshots_may_go_and_all_others_are_kept():
    found = under(
        snapshots=[snapshot("rotator-orders-g1-source"), snapshot("nightly-1"), snapshot("before-migration")],
        globs=["nightly-*"],
        own=["rotator-orders-g1-source"],
    )
    assert found.deletable == ("rotator-orders-g1-source", "nightly-1")
    assert found.kept == ("snapshot before-migration (manual, of orders)",)


def test_only_manual_snapshots_can_be_deleted():
    kinds = ["automated", "awsbackup", "shared", "public", "cluster-manual", "cluster-automated", ""]
    found = under(snapshots=[snapshot(f"s-{kind}", kind=kind) for kind in kinds], globs=["*"])
    assert found.deletable == ()
    assert len(found.kept) == len(kinds)
    assert "cluster snapshot s-cluster-manual (manual, of orders)" in found.kept


def test_backups_and_every_use_of_an_instance_are_named():
    blue = instance_of(element("mysql", PerformanceInsightsEnabled=True))
    backup = AutomatedBackup("gone", "db-Z", "retained", OLD_KEY)
    found = under(instances=[blue], backups=[backup, AutomatedBackup("other", "db-Y", "active", NEW_KEY)])
    assert found.kept == (
        "instance shop (available)",
        "instance shop: its Performance Insights data",
        "instance shop: its master password's secret",
        "automated backup of instance gone (retained)",
    )


def test_green_whose_insights_are_still_under_the_old_key_keeps_it():
    green = instance_of(element(KmsKeyId=NEW_KEY, PerformanceInsightsKMSKeyId=OLD_KEY))
    assert under(instances=[green]).kept == ("instance orders: its Performance Insights data",)


def test_a_bare_key_id_is_the_same_key():
    assert same_key(OLD_KEY, OLD_KEY.rpartition("/")[2])
    assert not same_key(OLD_KEY, None)
    assert not same_key(None, None)
    assert not same_key(OLD_KEY, OLD_KEY.replace("eu-west-1", "eu-west-2"))


def test_the_case_of_a_glob_counts_and_it_matches_the_whole_name():
    names = [snapshot("nightly-1"), snapshot("old-nightly-1")]
    assert under(snapshots=names, globs=["NIGHTLY-*"]).deletable == ()
    assert under(snapshots=names, globs=["nightly-*"]).deletable == ("nightly-1",)


names = st.text("abn-", min_size=1, max_size=6)
keys = st.sampled_from([OLD_KEY, NEW_KEY, OTHER_KEY, None])
kinds = st.sampled_from(["manual", "automated", "awsbackup", "cluster-manual"])
snapshots = st.lists(st.builds(snapshot, names, keys, kinds), max_size=12, unique_by=lambda s: s.identifier)
globs = st.lists(st.one_of(names, st.text("abn-*?", min_size=1, max_size=5)), max_size=3)


@given(snapshots, globs, st.lists(names, max_size=3))
def test_all_under_the_key_is_kept_or_deletable_and_nothing_else_is_either(found, patterns, own):
    result = under(snapshots=found, globs=patterns, own=own)
    mine = {s.identifier for s in found if s.kms_key_arn == OLD_KEY}
    kept = {line.split(" (")[0].rpartition(" ")[2] for line in result.kept}
    assert kept | set(result.deletable) == mine
    assert not kept & set(result.deletable)
    for name in result.deletable:
        assert name in own or any(fnmatchcase(name, pattern) for pattern in patterns)


@given(snapshots, globs, st.lists(names, max_size=3))
def test_nothing_under_another_key_is_ever_deletable(found, patterns, own):
    deletable = set(under(snapshots=found, globs=patterns, own=own).deletable)
    assert not deletable & {s.identifier for s in found if s.kms_key_arn != OLD_KEY}
