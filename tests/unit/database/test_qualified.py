"""Names of several parts as one text: two different names never give the same one."""

from itertools import product

import pytest

from rotator.domain.qualified import qualified

ALPHABET = ("a", ".", '"', " ", "A", ",")


def parts() -> list[str]:
    return ["", *("".join(letters) for size in (1, 2, 3) for letters in product(ALPHABET, repeat=size))]


def test_no_two_names_give_the_same_text() -> None:
    some = [part for part in parts() if len(part) < 3]
    names = [*product(parts()), *product(some, repeat=2), *product(some[:16], repeat=3)]
    assert len({qualified(*name) for name in names}) == len(names)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (("shop", "public", "item"), "shop.public.item"),
        (("_x1", "a$b"), "_x1.a$b"),
        (("a", "b.c"), 'a."b.c"'),
        (("a.b", "c"), '"a.b".c'),
        (("Shop", 'odd "name"'), '"Shop"."odd ""name"""'),
        (("1st", ""), '"1st".""'),
        (("a\n",), '"a\n"'),
    ],
)
def test_usual_names_stay_as_they_are(name: tuple[str, ...], text: str) -> None:
    assert qualified(*name) == text
