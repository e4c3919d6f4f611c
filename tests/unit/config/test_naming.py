"""Names of a rotation: distinct, valid, derived from their inputs alone."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rotator.domain.errors import Blocked
from rotator.domain.naming import base_identifier, identifier_fault, plan_rotation
from rotator.domain.rotation import Strategy

RDS_NAME = re.compile(r"[a-z](-?[a-z0-9])*")
identifiers = st.from_regex(RDS_NAME, fullmatch=True).filter(lambda name: len(name) <= 63)
numbers = st.integers(min_value=0, max_value=200)


def rotation(blue="orders", source="g0", target="g1"):
    return plan_rotation("prod", blue, source, target, key_alias="alias/orders", strategy=Strategy.SNAPSHOT)


def test_names_of_a_first_rotation():
    names = rotation()
    assert names.id == "prod-g1"
    assert names.blue == "orders"
    assert names.green == "orders-g1"
    assert names.source_snapshot == "rotator-orders-g1-source"
    assert names.copy_snapshot == "rotator-orders-g1-reencrypted"
    assert names.final_snapshot == "rotator-orders-g0-final-g1"
    assert names.final_copy == "rotator-orders-g0-final-g1-reencrypted"
    assert names.rolled_back_snapshot == "rotator-orders-g1-rolled-back"
    assert names.new_alias == "alias/orders-g1"


def test_the_second_rotation_does_not_pile_up_generations():
    names = rotation("orders-g1", "g1", "g2")
    assert names.green == "orders-g2"
    assert names.final_snapshot == "rotator-orders-g1-final-g2"


def test_a_database_called_like_the_next_generation_keeps_its_name():
    assert rotation("orders-g1", "g0", "g1").green == "orders-g1-g1"


@given(identifiers.filter(lambda name: len(name) <= 58), numbers)
def test_every_name_is_one_that_rds_takes(blue, number):
    names = rotation(blue, f"g{number}", f"g{number + 1}")
    assert RDS_NAME.fullmatch(names.green)
    assert len(names.green) <= 63
    snapshots = {
        names.source_snapshot,
        names.copy_snapshot,
        names.final_snapshot,
        names.final_copy,
        names.rolled_back_snapshot,
    }
    assert len(snapshots) == 5
    assert all(RDS_NAME.fullmatch(name) and len(name) <= 255 for name in snapshots)


@given(identifiers.filter(lambda name: len(name) <= 58), numbers, numbers)
def test_green_is_never_blue(blue, source, target):
    assert rotation(blue, f"g{source}", f"g{target}").green != blue


@given(identifiers.filter(lambda name: len(name) <= 50), st.integers(min_value=1, max_value=50))
def test_generations_of_one_database_share_their_base(blue, number):
    first = rotation(blue, "g0", f"g{number}")
    second = rotation(first.green, f"g{number}", f"g{number + 1}")
    assert base_identifier(first.green) == base_identifier(second.green)


def test_too_long_says_which_how_long_and_the_limit():
    with pytest.raises(Blocked) as caught:
        rotation("a" * 61)
    assert caught.value.code == "identifier-too-long"
    assert "a" * 61 + "-g1" in caught.value.what
    assert "64 characters" in caught.value.what
    assert "63" in caught.value.what


def test_the_longest_identifier_that_fits_is_taken():
    assert len(rotation("a" * 60).green) == 63


def test_a_too_long_alias_is_named():
    with pytest.raises(Blocked, match="key alias"):
        plan_rotation("prod", "orders", "g0", "g1", key_alias="alias/" + "k" * 248, strategy=Strategy.SNAPSHOT)


@pytest.mark.parametrize("name", ["1orders", "orders-", "a--b", "or_ders", "", "-a", "a\n"])
def test_identifiers_that_rds_refuses(name):
    assert "begin with a letter" in (identifier_fault(name) or "")


def test_upper_case_is_told_its_lower_case():
    assert "'orders'" in (identifier_fault("Orders") or "")


@given(identifiers)
def test_sound_identifiers_have_no_fault(name):
    assert identifier_fault(name) is None
