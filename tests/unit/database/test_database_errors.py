import psycopg
import pytest

from rotator.database.interface import Target
from rotator.database.postgres.errors import unreachable

TARGET = Target("db.example", 5432, "app", "shop", "10.0.0.1", "pa55word")


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ('FATAL:  password authentication failed for user "app"', "database-password"),
        ("fe_sendauth: no password supplied", "database-password"),
        ('FATAL:  database "shop" does not exist', "database-missing"),
        ("connection to server failed: Connection refused", "database-refused"),
        ("connection timeout expired", "database-timeout"),
        ("SSL error: certificate verify failed", "database-tls"),
        ("server does not support SSL, but SSL was required", "database-tls"),
        ('FATAL:  no pg_hba.conf entry for host "10.0.0.1", SSL off', "database-refused"),
        ("FATAL:  sorry, too many clients already", "database-full"),
        ("FATAL:  the database system is starting up", "database-starting"),
        ("something nobody has seen", "database-unreachable"),
    ],
)
def test_each_cause_has_its_code_and_a_fix(message: str, code: str) -> None:
    error = unreachable(TARGET, "shop", psycopg.OperationalError(message))
    assert error.code == code
    assert "shop" in error.what
    assert "db.example:5432" in error.what
    assert error.fix


def test_a_message_that_quotes_the_password_is_cleaned() -> None:
    error = unreachable(TARGET, None, psycopg.OperationalError("bad option in password=pa55word\n  host=x"))
    assert "pa55word" not in error.why
    assert "\n" not in error.why
