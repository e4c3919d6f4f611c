"""Terraform's addresses of what a root holds. The only place that writes them. Pure."""

from __future__ import annotations

RECORD_TYPE, KEY_TYPE = "aws_route53_record", "aws_kms_key"

RECORD = f"module.endpoint.{RECORD_TYPE}.this"
"""The applications' record."""
GATE = "module.endpoint.terraform_data.gate[0]"
NOTHING = "terraform_data.nothing_of_that_name"
"""No root has it: a command on it waits for the state's lock, and changes nothing."""


def also(key: str) -> str:
    """Address of a further record that flips with the applications' own."""
    return f'module.endpoint.{RECORD_TYPE}.also["{key}"]'


def key(generation: str) -> str:
    """Address of a generation's key."""
    return f'module.key["{generation}"].{KEY_TYPE}.this'


def alias(generation: str) -> str:
    """Address of a generation's alias."""
    return f'module.key["{generation}"].aws_kms_alias.this[0]'


def database(generation: str) -> str:
    """Address of a generation's instance."""
    return f'module.database["{generation}"].aws_db_instance.this'
