"""Small files: the ones that newcomers change easily have a median near 100 lines and no giant."""

from statistics import median

from import_graph import PACKAGE

HARD_LIMIT = 400
MEDIAN_LIMIT = 150
SIZES = {str(path.relative_to(PACKAGE)): len(path.read_text().splitlines()) for path in PACKAGE.rglob("*.py")}


def test_no_file_is_a_giant() -> None:
    assert {name: size for name, size in SIZES.items() if size > HARD_LIMIT} == {}


def test_most_files_are_small() -> None:
    assert median(size for size in SIZES.values() if size > 1) <= MEDIAN_LIMIT
