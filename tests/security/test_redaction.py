"""Whoever is sent a crash file with a bug report: they must find no password, key or token in it, however written.

They gain the login of the database, or of the AWS account, from a line that somebody pasted into an issue.
"""

from __future__ import annotations

import pytest

from rotator.redaction import redact

ID, KEY = "AKIA" + "IOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCY" + "EXAMPLEKEY"
TOKEN = "IQoJb3JpZ2luX2VjEJr" * 12


@pytest.mark.parametrize(
    ("text", "secrets"),
    [
        ("pwd=hunter2 host=db", ["hunter2"]),
        ("PGPASSWORD=sekret-1", ["sekret-1"]),
        ("password=two words, and a comma", ["words", "comma"]),
        ("host=db password='it\\'s a secret here' dbname=x", ["secret here", "it\\"]),
        ("ALTER ROLE app PASSWORD 'it''s here'", ["s here", "it'"]),
        ("--password hunter2", ["hunter2"]),
        ('{"password": "a b \\"c\\" hunter2", "host": "db"}', ["a b", "hunter2"]),
        ('SecretString=\'{"username": "u", "password": "top secret x"}\'', ["top", "secret x"]),
        (r'"{\"password\": \"top secret x\"}"', ["top", "secret x"]),
        ("Target(host='h', password='two words', sslmode='require')", ["two words"]),
        ("passphrase: correct horse battery", ["horse"]),
        ("MasterUserPassword=abc def", ["abc", "def"]),
        ("postgresql://app:p@ss/w:rd@db.example/shop", ["p@ss", "w:rd"]),
        (f"The key {ID} is not known", [ID]),
        (f"the session of ASIA{ID[4:]} is over", [ID[4:]]),
        (f"AWS_SECRET_ACCESS_KEY={KEY}", [KEY]),
        (f"signed with {KEY} today", [KEY]),
        (f"a token like {TOKEN} in a sentence", [TOKEN]),
        (f"X-Amz-Security-Token: {TOKEN}", [TOKEN]),
        ("Authorization: AWS4-HMAC-SHA256 Credential=x/y, Signature=deadbeef", ["deadbeef"]),
        ("?X-Amz-Expires=60&X-Amz-Signature=deadbeef", ["deadbeef"]),
    ],
)
def test_a_secret_is_blotted_out(text: str, secrets: list[str]) -> None:
    found = redact(text)
    assert [secret for secret in secrets if secret in found] == []
    assert "***" in found


@pytest.mark.parametrize(
    "text",
    [
        "https://rds.eu-west-1.amazonaws.com/ did not answer",
        'File "/srv/rotator/steps/base.py", line 7, in act',
        "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
        "commit 279f08bc18ff25398cde0a673b644892ca0c1d2e",
        "table shop.public.item: 3 rows differ",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact(text) == text
