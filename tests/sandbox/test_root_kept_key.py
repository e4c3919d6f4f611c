"""A key in the root's data that somebody else has scheduled for deletion, under the real Terraform and provider."""

import pytest
from root_fixture import Root

from rotator.domain import root_edits as edits
from rotator.domain.errors import Blocked
from rotator.domain.root import KeySpec, Stage

pytestmark = pytest.mark.terraform

KEY, ALIAS = 'module.key["g1"].aws_kms_key.this', 'module.key["g1"].aws_kms_alias.this[0]'


@pytest.mark.parametrize("alias", ["left", pytest.param("deleted", marks=pytest.mark.matrix)])
def test_a_key_that_is_pending_deletion_leaves_the_data(root: Root, alias: str) -> None:
    root.apply(Stage.ADOPT, root.adopted, root.adopted)
    data = edits.without_imports(root.adopted)
    kept = edits.with_generation(data, "g1", key=KeySpec("alias/shop-db-g1", "kept", deletion_window_in_days=7))
    root.apply(Stage.KEY, data, kept)
    key, kms = root.aws.kms.key("alias/shop-db-g1"), root.rds("kms")
    assert key is not None
    kms.schedule_key_deletion(KeyId=key.key_id)
    if alias == "deleted":
        kms.delete_alias(AliasName="alias/shop-db-g1")

    with pytest.raises(Blocked) as refused:  # to the provider it is gone: every plan would make a new one
        root.stages.check_clean()
    assert any(KEY in line and "create" in line for line in refused.value.details)

    assert set(root.apply(Stage.RETIRE_KEY, kept, data)) <= {ALIAS}
    root.stages.check_clean()
    found = root.aws.kms.key(key.arn)
    assert found is not None
    assert found.state == "PendingDeletion"
