"""Files that can be read at one sitting."""

from statistics import median

from import_graph import PACKAGE

SIZES = {str(path.relative_to(PACKAGE)): len(path.read_text().splitlines()) for path in PACKAGE.rglob("*.py")}


def test_no_file_has_more_than_300_lines() -> None:
    assert {name: size for name, size in SIZES.items() if size > 300} == {}


def test_half_of_the_files_have_less_than_110_lines() -> None:
    assert median(size for size in SIZES.values() if size) < 110
