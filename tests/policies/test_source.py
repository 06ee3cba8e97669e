"""Lines and columns of what a policy file says, in every style that YAML has for texts."""

import pytest

from policies.source import Finding, Remark, Source, SourceError, spelled


@pytest.mark.parametrize(
    ("text", "offset", "place"),
    [
        ("when: a.b > 1 && x", 11, (1, 18)),
        ("when: 'a == \"q\" && x'", 12, (1, 20)),
        ("when: 'it''s && x'", 8, (1, 17)),
        ('when: "say \\"q\\" && x"', 11, (1, 21)),
        ('when: "a &&\\n x"', 6, (1, 15)),
        ('when: "\\u4e2d && x"', 5, (1, 18)),
        ("when: |\n  a.b > 1 &&\n    x\n", 13, (3, 5)),
        ("when: >-\n  a.b > 1\n  && x\n", 11, (3, 6)),
        ("when: |2\n    a\n  x\n", 4, (3, 3)),
        ("when: a &&\n  x", 5, (2, 3)),
        ("when: # why\n  x", 0, (2, 3)),
        ("when: |  # why\n\n  x\n", 1, (3, 3)),
    ],
)
def test_a_character_of_a_text_is_found_in_the_file(
    text: str, offset: int, place: tuple[int, int]
) -> None:
    """The marked character is the `x` of every one of these files."""
    source = Source(text)
    assert isinstance(source.content, dict)
    assert source.content["when"][offset] == "x"
    assert source.inside(("when",), offset) == place
    line, column = place
    assert text.splitlines()[line - 1][column - 1] == "x"


def test_the_end_of_a_text_has_a_place_too() -> None:
    """What is missing at the end is told right behind the last character."""
    assert Source("when: a >").inside(("when",), 3) == (1, 10)
    assert Source("when: |\n  a >\n").inside(("when",), 3) == (2, 6)


def test_what_has_no_text_has_the_line_of_what_encloses_it() -> None:
    """A default value's mistake points at its parent."""
    source = Source("a:\n  b: [1, 2]\n")
    assert source.line(("a", "b", 1)) == 2
    assert source.line(("a", "c", "d")) == 1
    assert source.inside(("a", "c"), 5) == (1, 0)
    assert source.finding(Remark(("a", "b"), "no", "warning")) == Finding(2, 0, "no", "warning")
    assert source.nearest(("a", "function-wrap", "b", 0)) == ("a", "b", 0)
    assert (spelled(("a", 0)), spelled(())) == ("a.0", "file")


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("a: " + "x" * 262_144, 1, "262144 characters"),
        ("a: " + "[" * 20 + "]" * 20, 1, "20 deep"),
        ("a: &x [1]\nb: *x\n", 2, "aliases"),
        ("a: 1\nb:\n  c: 1\n  c: 2\n", 4, "b.c: key is given twice"),
    ],
)
def test_what_is_refused_before_it_is_read(text: str, line: int, said: str) -> None:
    """Bombs and ambiguities never reach the checks."""
    with pytest.raises(SourceError) as caught:
        Source(text)
    (finding,) = caught.value.findings
    assert finding.line == line
    assert said in finding.message
