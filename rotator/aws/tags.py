"""Tags as the rest of the program sees them. Pure."""

from __future__ import annotations

from collections.abc import Iterable


def own_tags(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Tags without those of AWS itself ('aws:...'), which nobody else may set and Terraform does not show."""
    return {name: value for name, value in sorted(pairs) if not name.startswith("aws:")}
