import logging
import os
import sys
import warnings

import pytest

from deploy.quiet import quiet


def talk():
    print("of Python")
    print("a progress bar", file=sys.stderr)
    os.write(1, b"of native code\n")
    os.write(2, b"a native warning\n")
    warnings.warn("deprecated", stacklevel=1)
    logging.getLogger("a.library").warning("a hint")


def fail_after(action):
    with quiet():
        action()
        _ = 1 / 0


def test_talk_is_held_back(capfd):
    with quiet(), quiet():
        talk()
    print("after")
    os.write(2, b"after\n")
    assert capfd.readouterr() == ("after\n", "after\n")


def test_it_is_told_when_something_fails(capfd):
    with pytest.raises(ZeroDivisionError):
        fail_after(talk)
    out, err = capfd.readouterr()
    assert out == ""
    assert sorted(err.splitlines()) == ["a native warning", "a progress bar", "of Python", "of native code"]


def test_streams_that_are_no_descriptors_are_held_back_too(capsys):
    with quiet():
        talk()
    assert capsys.readouterr() == ("", "")


def test_errors_are_logged(caplog):
    with quiet():
        logging.getLogger("a.library").error("it failed")
    assert caplog.messages == ["it failed"]


def test_logging_is_as_before():
    root = logging.getLogger()
    before = root.level, list(root.handlers), root.manager.disable

    def change():
        root.setLevel(logging.DEBUG)
        root.addHandler(logging.NullHandler())

    with pytest.raises(ZeroDivisionError):
        fail_after(change)
    assert (root.level, root.handlers, root.manager.disable) == before
