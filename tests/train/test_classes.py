import pytest

from train.classes import class_names, classes_text, find_class, parse_classes
from train.errors import UserError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("7", [7]),
        ("0-3,9", [0, 1, 2, 3, 9]),
        (" 9 , 2 - 4, 3 ", [2, 3, 4, 9]),
        ("5,5,5-5", [5]),
        ("007", [7]),
    ],
)
def test_parse_classes(text, expected):
    assert parse_classes(text, 10) == expected


def test_indices_are_written_as_they_are_read():
    assert classes_text([0, 1, 2, 3, 7, 9, 10]) == "0-3,7,9-10"
    assert parse_classes(classes_text(list(range(398))), 1000) == list(range(398))


def test_parse_the_papers_animals():
    assert parse_classes("0-397", 1000) == list(range(398))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "'' is no index or range"),
        ("3,", "'' is no index or range"),
        ("cat", "'cat' is no index or range"),
        ("-1", "'-1' is no index or range"),
        ("1-2-3", "'1-2-3' is no index or range"),
        ("1.5", "'1.5' is no index or range"),
        ("²", "'²' is no index or range"),
        ("5-2", "write 2-5"),
        ("10", "10 is too large; 10 classes have indices 0-9"),
        ("0-999999999", "999999999 is too large"),
        ("9" * 5000, "is no index or range"),
    ],
)
def test_parse_classes_refuses(text, complaint):
    with pytest.raises(UserError) as caught:
        parse_classes(text, 10)
    assert complaint in str(caught.value)
    assert repr(text) in str(caught.value)


def test_class_names():
    assert class_names(10) == ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]
    assert class_names(3) == ["class 0", "class 1", "class 2"]
    imagenet = class_names(1000)
    assert len(imagenet) == 1000
    assert imagenet[0] == "tench, Tinca tinca"
    assert imagenet[207] == "golden retriever"
    assert imagenet[397] == "puffer, pufferfish, blowfish, globefish"


@pytest.mark.parametrize(
    ("folder_name", "expected"),
    [
        ("n01440764", 0),
        ("N01440764", 0),
        ("tench, Tinca tinca", 0),
        ("tench,_tinca_tinca", 0),
        ("tench", 0),
        ("Tinca_Tinca", 0),
        ("GOLDEN_RETRIEVER", 207),
        ("207", 207),
        ("0207", 207),
        ("maillot, tank suit", 639),
        ("red_panda", 387),
    ],
)
def test_find_class_of_imagenet(folder_name, expected):
    assert find_class(folder_name, 1000) == expected


def test_every_whole_name_with_a_comma_and_every_index_finds_its_class():
    for index, name in enumerate(class_names(1000)):
        assert find_class(str(index), 1000) == index
        if "," in name:
            assert find_class(name.replace(" ", "_"), 1000) == index


@pytest.mark.parametrize(
    ("folder_name", "choices"),
    [
        ("crane", "134 (n02012849) or 517 (n03126707)"),
        ("Maillot", "638 (n03710637) or 639 (n03710721)"),
        ("Panda", "387 (n02509815) or 388 (n02510455)"),
    ],
)
def test_a_name_of_several_classes_is_refused(folder_name, choices):
    with pytest.raises(UserError) as caught:
        find_class(folder_name, 1000)
    assert repr(folder_name) in str(caught.value)
    assert choices in str(caught.value)


def test_an_unknown_name_suggests_the_nearest():
    with pytest.raises(UserError, match=r"'golden_retreiver' is no class \(did you mean golden retriever\?\)"):
        find_class("golden_retreiver", 1000)
    with pytest.raises(UserError, match="'xqzw' is no class; name it by index, WordNet ID or ImageNet name"):
        find_class("xqzw", 1000)


def test_few_classes():
    assert find_class("3", 10) == 3
    assert find_class("class_3", 5) == 3
    assert find_class("Class 3", 5) == 3
    with pytest.raises(UserError, match="'n01440764' is no class; name it by index 0-9"):
        find_class("n01440764", 10)
    with pytest.raises(UserError, match="class '10' is too large; 10 classes have indices 0-9"):
        find_class("10", 10)
