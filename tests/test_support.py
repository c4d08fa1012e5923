"""The page of supported models says what the tables say, and its links lead somewhere."""

import re

from .support import PAGE, page


def test_the_page_is_what_the_tables_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m tests.support"


def test_links_of_the_documentation_lead_somewhere() -> None:
    for file in [*PAGE.parent.glob("*.md"), PAGE.parents[1] / "README.md"]:
        for target in re.findall(r"\]\(([^)#:]+\.md)[)#]", file.read_text(encoding="utf-8")):
            assert (file.parent / target).exists(), f"{file.name} links to {target}"
