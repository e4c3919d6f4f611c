"""The rendered root under the real Terraform and provider, against the local AWS: what the first stages plan, exactly.

The whole rotation, with its long applies, is tests/e2e. Here are the stages whose applies are quick, and the refusals.
"""

import time
from dataclasses import replace

import pytest
from root_fixture import BLUE, GREEN, RECORD, Root, found_in

from rotator.aws.managed import secret_of
from rotator.aws.settings import as_adopted
from rotator.domain import root_edits as edits
from rotator.domain.aws import Deployment
from rotator.domain.errors import TerraformError
from rotator.domain.root import DatabaseSpec, KeySpec, RootData, Stage
from rotator.terraform.expected import expected

pytestmark = pytest.mark.terraform


def test_adopt_key_and_the_proof_of_greens_key(root: Root) -> None:
    begun = time.monotonic()
    adopted = root.apply(Stage.ADOPT, root.adopted, root.adopted)
    assert set(adopted) == {
        BLUE,
        RECORD,
        'module.key["g0"].aws_kms_key.this',
        'module.key["g0"].aws_kms_alias.this[0]',
    }
    assert adopted[BLUE] == adopted['module.key["g0"].aws_kms_key.this'] == ("update",)
    # An update that reaches RDS keeps the provider waiting for more than a minute.
    assert time.monotonic() - begun < 60
    after = root.aws.rds.instance(root.blue.identifier)
    assert after is not None
    # Times pass by themselves; all that a person can set is compared.
    assert replace(after, raw={}) == replace(root.blue, raw={}), "adopting must change nothing in the world"

    data = edits.without_imports(root.adopted)
    root.write(data)
    root.stages.check_clean()

    keyed = edits.with_generation(data, "g1", key=KeySpec("alias/shop-db-g1", "new", deletion_window_in_days=7))
    assert root.apply(Stage.KEY, data, keyed) == {
        'module.key["g1"].aws_kms_key.this': ("create",),
        'module.key["g1"].aws_kms_alias.this[0]': ("create",),
    }
    root.stages.check_clean()
    _greens_snapshot_is_proved(root, keyed)


def _greens_snapshot_is_proved(root: Root, data: RootData) -> None:
    key = root.aws.kms.key("alias/shop-db-g1")
    assert key is not None
    rds = root.rds("rds")
    rds.create_db_snapshot(DBSnapshotIdentifier="under-old", DBInstanceIdentifier=root.blue.identifier)
    rds.copy_db_snapshot(
        SourceDBSnapshotIdentifier="under-old", TargetDBSnapshotIdentifier="under-new", KmsKeyId=key.arn
    )
    green = DatabaseSpec("shop-db-g1", root.blue.settings, snapshot_identifier="under-old", deletion_protection=True)

    with pytest.raises(TerraformError) as refused:
        root.planned(edits.with_generation(data, "g1", database=green))
    assert "under-old" in " ".join((refused.value.what, refused.value.why, *refused.value.details))
    assert root.aws.rds.instance("shop-db-g1") is None

    right = replace(green, snapshot_identifier="under-new")
    assert root.planned(edits.with_generation(data, "g1", database=right)) == {GREEN: ("create",)}


def managed(root: Root) -> tuple[Deployment, RootData]:
    """Blue with a master password that RDS manages, and what adopt would write of it."""
    root.rds("rds").modify_db_instance(
        DBInstanceIdentifier=root.blue.identifier, ManageMasterUserPassword=True, ApplyImmediately=True
    )
    blue = root.aws.rds.instance(root.blue.identifier)
    assert blue is not None
    assert secret_of(blue)
    found = found_in(root.aws, blue)
    database = found.generations["g0"].database
    assert database is not None
    return blue, edits.edit_database(found, "g0", settings=as_adopted(database.settings))


def test_a_managed_master_password_is_adopted_without_a_change_of_it(root: Root) -> None:
    blue, data = managed(root)
    root.write(data)
    allowed = {item.address: item.attributes or frozenset() for item in expected(Stage.ADOPT, data, data)}
    for change in root.stages.inspect().changes:
        assert set(change.changed_attributes) <= allowed[change.address]
    named = edits.edit_database(data, "g0", settings=blue.settings)
    root.write(named)
    (changed,) = [change for change in root.stages.inspect().changes if change.address == BLUE]
    assert "manage_master_user_password" in changed.changed_attributes, "as_adopted is needed no more"


def test_without_its_data_a_plan_fails_instead_of_destroying(root: Root) -> None:
    root.terraform.init()
    with pytest.raises(TerraformError, match="data file is missing"):
        root.stages.inspect()
