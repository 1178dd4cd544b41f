import dataclasses

import pytest

from train.errors import UserError, at_least, check_ranges, first_line, listed


@dataclasses.dataclass(frozen=True)
class Part:
    rounds: int = 1


@dataclasses.dataclass(frozen=True)
class Flags:
    per_class: int | None = None
    share: float = 0.5
    part: Part = Part()


RANGES = at_least(1, "per_class", "part.rounds") | {"share": (0, 1)}


def test_numbers_in_their_ranges_pass_and_so_does_none():
    check_ranges(Flags(), RANGES)
    check_ranges(Flags(1, 0, Part(9)), RANGES)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (Flags(per_class=0), "--per-class must be at least 1, not 0"),
        (Flags(share=1.5), r"--share must be in \[0, 1\], not 1\.5"),
        (Flags(share=float("nan")), r"--share must be in \[0, 1\], not nan"),
        (Flags(part=Part(0)), r"--part\.rounds must be at least 1, not 0"),
    ],
)
def test_a_number_out_of_its_range_is_named_by_its_flag(flags, message):
    with pytest.raises(UserError, match=message):
        check_ranges(flags, RANGES)


def test_an_errors_first_line_is_its_type_where_it_says_nothing():
    assert first_line(ValueError("\n  bad shape\nat line 7")) == "bad shape"
    assert first_line(RuntimeError()) == "RuntimeError"


def test_a_list_is_cut_and_says_so():
    assert listed([1, 2, 3], 3) == "1, 2, 3"
    assert listed("abcd", 3) == "a, b, c, …"
