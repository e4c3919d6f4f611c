"""rotation.toml: what is taken, and that every fault is one clear message."""

from __future__ import annotations

import string
import tomllib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rotator.config.load import list_envs, load_env
from rotator.config.schema import soak_seconds
from rotator.domain.errors import ConfigError, ExitCode, RotatorError, UsageError

SOUND = """
[aws]
region = "eu-west-1"
endpoint_url = "http://127.0.0.1:4566"
profile = "prod"
account = "123456789012"

[database]
identifier = "orders-db"
access = "direct"
name = "orders"
username = "app"
sslmode = "verify-ca"
sslrootcert = "rds.pem"

[database.credentials]
secret_id = "orders/app"

[dns]
zone = "example.com"
record = "orders.db.example.com"
zone_id = "Z0123456789"
private_zone = true
rotation_ttl = 5
resolver = "127.0.0.1:53"

[key]
alias = "alias/orders"
administrators = ["arn:aws:iam::123456789012:role/admin"]
users = ["arn:aws-cn:iam::123456789012:user/ops/app"]
rotation_period_in_days = 365
deletion_window_in_days = 30
multi_region = false
adopt = true

[rotation]
strategy = "snapshot"
soak = "3d"
fence_budget = 20
on_failure = "lift-fence"
poll_seconds = 0.5
parity_ignore = ["CACertificateIdentifier"]

[retire]
delete_snapshots = ["orders-nightly-*"]
keep_automated_backups = true

[terraform]
binary = "terraform"

[canary]
report_url = "http://127.0.0.1:8080/report"

[sandbox]
seed_mb = 20
writers = 2
writes_per_second = 10
create_seconds = 0
snapshot_seconds = 0
copy_seconds = 0
restore_seconds = 0
"""
FREE = """
[terraform.backend]
type = "s3"
settings = { bucket = "state", encrypt = true }

[tags]
team = "orders"
"""
KEY_LINES = [i for i, line in enumerate(SOUND.splitlines()) if " = " in line or line.startswith("[")]


def write(root: Path, text: str | bytes, name: str = "prod") -> Path:
    folder = root / "envs" / name
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "rotation.toml"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return file


def fault_of(root: Path, text: str | bytes) -> ConfigError:
    write(root, text)
    with pytest.raises(ConfigError) as caught:
        load_env(root, "prod")
    assert caught.value.exit_code is ExitCode.USAGE
    return caught.value


def lines_of(root: Path, old: str, new: str) -> str:
    assert old in SOUND
    fault = fault_of(root, SOUND.replace(old, new, 1))
    return "\n".join((fault.what, *fault.details))


def test_everything_that_can_be_said_is_read(tmp_path):
    write(tmp_path, SOUND + FREE)
    env = load_env(tmp_path, "prod")
    assert env.name == "prod"
    assert env.path == tmp_path / "envs" / "prod"
    assert env.config.rotation.fence_budget == 20.0
    assert env.config.key.users == ("arn:aws-cn:iam::123456789012:user/ops/app",)
    assert env.config.retire.delete_snapshots == ("orders-nightly-*",)
    assert env.config.terraform.backend.settings == {"bucket": "state", "encrypt": True}
    assert env.config.tags == {"team": "orders"}
    assert env.config.sandbox is not None
    assert env.config.sandbox.seed_mb == 20


def test_the_least_that_must_be_said(tmp_path):
    write(
        tmp_path,
        """
        aws = { region = "us-gov-west-1" }
        database = { identifier = "orders" }
        dns = { zone = "Example.com.", record = "ORDERS.example.com." }
        key = { alias = "alias/orders" }
        """,
    )
    config = load_env(tmp_path, "prod").config
    assert config.dns.record == "orders.example.com"
    assert config.dns.zone == "example.com"
    assert config.sandbox is None
    assert config.rotation.soak == "72h"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            'identifier = "orders-db"',
            'identifer = "orders-db"',
            "[database] identifer: unknown key; did you mean identifier?",
        ),
        (
            'secret_id = "orders/app"',
            'secretid = "x"',
            "[database.credentials] secretid: unknown key; did you mean secret_id?",
        ),
        (
            "[database.credentials]",
            "[database.credential]",
            "[database] credential: unknown table; did you mean credentials?",
        ),
        ("[canary]", "[canry]", "[canry]: unknown table; did you mean canary?"),
        ('profile = "prod"', 'zone = "x"', "[aws] zone: unknown key here; it belongs in [dns]."),
        ('profile = "prod"', "qqqq = 1", "[aws] qqqq: unknown key; known are region,"),
        ('identifier = "orders-db"', "", '[database] identifier is missing; add for example identifier = "orders-db"'),
        (
            "rotation_ttl = 5",
            'rotation_ttl = "5"',
            '[dns] rotation_ttl: expected a whole number such as 5, found the string "5".',
        ),
        (
            "rotation_ttl = 5",
            "rotation_ttl = 5.5",
            "[dns] rotation_ttl: expected a whole number such as 5, found the number 5.5.",
        ),
        (
            "rotation_ttl = 5",
            "rotation_ttl = 301",
            "[dns] rotation_ttl: expected at most 300, found the whole number 301.",
        ),
        ('name = "orders"', "name = 7", "[database] name: expected a string, found the whole number 7."),
        ('name = "orders"', 'name = ""', "[database] name: it is empty"),
        ('name = "orders"', "name = 2024-01-01", "[database] name: expected a string, found a date."),
        (
            "adopt = true",
            'adopt = "yes"',
            '[key] adopt: expected true or false (no quotes) such as true, found the string "yes".',
        ),
        (
            'delete_snapshots = ["orders-nightly-*"]',
            'delete_snapshots = "x"',
            'expected a list such as ["orders-nightly-*"]',
        ),
        (
            'delete_snapshots = ["orders-nightly-*"]',
            'delete_snapshots = ["a", 4]',
            "[retire] delete_snapshots, item 2: expected a string",
        ),
        ('access = "direct"', 'access = "dirct"', '"direct", "none", found the string "dirct"; did you mean direct?'),
        ('account = "123456789012"', "account = 123456789012", "[aws] account: expected a string such as"),
        ("poll_seconds = 0.5", "poll_seconds = nan", "[rotation] poll_seconds: expected"),
        ("poll_seconds = 0.5", "poll_seconds = inf", "[rotation] poll_seconds: expected"),
        (
            'soak = "3d"',
            'soak = "3 days"',
            '[rotation] soak: expected a whole number and s, m, h or d such as "72h", found the string "3 days".',
        ),
        ('resolver = "127.0.0.1:53"', 'resolver = "127.0.0.1"', "[dns] resolver: '127.0.0.1' is not HOST:PORT"),
        ('resolver = "127.0.0.1:53"', 'resolver = "127.0.0.1:0"', "is not HOST:PORT"),
        ('resolver = "127.0.0.1:53"', 'resolver = "[::1:53"', "is not HOST:PORT"),
        ('"http://127.0.0.1:4566"', '"127.0.0.1:4566"', "[aws] endpoint_url: it is not a URL such as http://"),
        ('"http://127.0.0.1:4566"', '"http://127.0.0.1:99999"', "[aws] endpoint_url: it is not a URL"),
        (
            'record = "orders.db.example.com"',
            'record = "orders.example.org"',
            "[dns]: record orders.example.org is not in zone",
        ),
        ('record = "orders.db.example.com"', 'record = "notexample.com"', "is not in zone example.com"),
        ('record = "orders.db.example.com"', 'record = "example.com"', "where DNS allows no CNAME"),
        ('record = "orders.db.example.com"', 'record = "a..example.com"', "is not a DNS name"),
        ('identifier = "orders-db"', 'identifier = "Orders"', "write 'orders'"),
        ('identifier = "orders-db"', 'identifier = "a--b"', "single hyphens"),
        ('identifier = "orders-db"', f'identifier = "{"a" * 61}"', "at most 60 are left"),
        (
            'alias = "alias/orders"',
            'alias = "orders"',
            "[key] alias: 'orders' is not a KMS alias name such as alias/orders",
        ),
        ('alias = "alias/orders"', 'alias = "alias/aws/rds"', "reserved for AWS"),
        (
            '"arn:aws:iam::123456789012:role/admin"',
            '"*"',
            "[key] administrators, item 1: '*' is not the ARN of a principal",
        ),
        ('secret_id = "orders/app"', 'secret_id = "a"\npassword_env = "PW"', "a password has one source"),
    ],
)
def test_each_fault_is_named_with_its_place_and_what_would_be_right(tmp_path, old, new, said):
    assert said in lines_of(tmp_path, old, new)


def test_the_file_is_named(tmp_path):
    fault = fault_of(tmp_path, SOUND.replace("[canary]", "[canry]"))
    assert str(tmp_path / "envs" / "prod" / "rotation.toml") in fault.what


def test_a_missing_table_says_what_to_put_into_it(tmp_path):
    fault = fault_of(tmp_path, SOUND[: SOUND.index("[key]")] + '[rotation]\nsoak = "1h"\n')
    assert '[key] is missing; add the table with alias = "alias/orders"' in fault.what


def test_all_problems_of_a_file_come_together(tmp_path):
    text = SOUND.replace("rotation_ttl = 5", "rotation_ttl = 0").replace('access = "direct"', "access = 1")
    fault = fault_of(tmp_path, text.replace("[canary]", "[canry]"))
    assert "has 3 problems" in fault.what
    assert len(fault.details) == 3


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ('[tags]\n"aws:x" = "y"', "reserved"),
        ('[tags]\n"rotator:env" = "y"', "reserved"),
        ("[tags]\nteam = 5", "[tags] team: expected a string"),
        ('[tags]\nteam = "a;b"', "AWS allows letters"),
        ('[terraform.backend.settings]\nsecret_key = "x"', "committed file"),
        (
            "[terraform.backend.settings]\nbucket = 5",
            "[terraform.backend.settings] bucket: expected a string or true or",
        ),
    ],
)
def test_faults_in_free_tables(tmp_path, table, said):
    fault = fault_of(tmp_path, f"{SOUND}\n{table}\n")
    assert said in fault.what


@pytest.mark.parametrize(
    "line", ['password_env = "hunter-2!"', 'password = "hunter-2!"', "secret_id = 'hunter-2!'\nx = 1"]
)
def test_what_may_be_a_password_is_never_repeated(tmp_path, line):
    fault = fault_of(tmp_path, SOUND.replace('secret_id = "orders/app"', line))
    assert "hunter" not in "".join((fault.what, fault.why, fault.fix, *fault.details))


def test_a_url_with_a_password_is_refused_without_repeating_it(tmp_path):
    fault = fault_of(tmp_path, SOUND.replace("http://127.0.0.1:4566", "http://me:hunter2@127.0.0.1"))
    assert "user name or password" in fault.what
    assert "hunter" not in fault.what


def test_broken_toml_names_the_line(tmp_path):
    fault = fault_of(tmp_path, "[aws]\nregion = eu-west-1\n")
    assert fault.code == "config-syntax"
    assert "line 2" in fault.what


@pytest.mark.parametrize("text", [b"\xff\xfe", "a = " + "1" * 5000, "a = " + "[" * 5000, "[aws]\n[aws]\n", "\x00"])
def test_what_is_no_toml_at_all(tmp_path, text):
    assert fault_of(tmp_path, text).code == "config-syntax"


def test_an_unknown_env_lists_all_and_the_nearest(tmp_path):
    write(tmp_path, SOUND, "prod")
    write(tmp_path, SOUND, "staging")
    (tmp_path / "envs" / "empty").mkdir()
    assert list_envs(tmp_path) == ("prod", "staging")
    with pytest.raises(UsageError) as caught:
        load_env(tmp_path, "stagin")
    assert caught.value.exit_code is ExitCode.USAGE
    assert "prod, staging" in caught.value.why
    assert "staging" in caught.value.fix
    with pytest.raises(UsageError, match="empty") as caught:
        load_env(tmp_path, "empty")
    assert "has no rotation.toml" in caught.value.why


@pytest.mark.parametrize("name", ["", ".", "..", "../envs/prod", "prod/", "/etc", "a b", "prod\n", "p\x00"])
def test_a_name_that_is_a_path_is_no_env(tmp_path, name):
    write(tmp_path, SOUND)
    with pytest.raises(UsageError):
        load_env(tmp_path, name)


def test_no_envs_at_all(tmp_path):
    assert list_envs(tmp_path) == ()
    with pytest.raises(UsageError, match="holds none"):
        load_env(tmp_path, "prod")


@pytest.mark.parametrize(("soak", "seconds"), [("0s", 0), ("90s", 90), ("15m", 900), ("72h", 259200), ("3d", 259200)])
def test_durations(soak, seconds):
    assert soak_seconds(soak) == seconds


@pytest.mark.parametrize("soak", ["", "3", "h", "-1h", "1.5h", "1h30m", "1h\n", "٣h"])
def test_no_durations(soak):
    with pytest.raises(ValueError, match="not a duration"):
        soak_seconds(soak)


LETTERS = string.ascii_letters + string.digits + "_-"


@st.composite
def one_typo(draw):
    """The sound file with one character of one key or table name removed, added, changed, or swapped with the next."""
    lines = SOUND.splitlines()
    row = draw(st.sampled_from(KEY_LINES))
    line = lines[row]
    start, end = (1, line.index("]")) if line.startswith("[") else (0, line.index(" = "))
    at = draw(st.integers(start, end - 1))
    letter = draw(st.sampled_from(LETTERS))
    kind = draw(st.sampled_from(["remove", "add", "change", "swap"]))
    changed = {
        "remove": line[:at] + line[at + 1 :],
        "add": line[:at] + letter + line[at:],
        "change": line[:at] + letter + line[at + 1 :],
        "swap": line[:at] + line[at + 1 : at + 2] + line[at] + line[at + 2 :],
    }[kind]
    return "\n".join((*lines[:row], changed, *lines[row + 1 :]))


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(one_typo())
def test_any_typo_in_a_key_is_a_config_error(tmp_path, text):
    try:
        same = tomllib.loads(text) == tomllib.loads(SOUND)
    except tomllib.TOMLDecodeError:
        same = False
    if not same:
        fault_of(tmp_path, text)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_a_config_error(tmp_path, content):
    fault_of(tmp_path, content)


SCALARS = st.one_of(st.integers(), st.floats(), st.booleans(), st.text(string.printable.replace('"', ""), max_size=9))


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.sampled_from([i for i in KEY_LINES if "=" in SOUND.splitlines()[i]]), SCALARS)
def test_any_value_is_taken_or_a_config_error(tmp_path, row, value):
    lines = SOUND.splitlines()
    said = f'"{value}"' if isinstance(value, str) else str(value).lower()
    lines[row] = f"{lines[row].split(' = ')[0]} = {said}"
    write(tmp_path, "\n".join(lines))
    try:
        load_env(tmp_path, "prod")
    except RotatorError as fault:
        assert isinstance(fault, ConfigError), fault  # noqa: PT017
