"""Where the standard Inception is found; nothing here reaches the network."""

import tempfile

import pytest

from benchmarks.quality.inception_file import INCEPTION_FILE, find_inception
from train.errors import UserError

helper = pytest.importorskip("cleanfid.downloads_helper", reason="needs the extra benchmarks")


@pytest.fixture
def cached(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path / INCEPTION_FILE


def test_the_stated_file_the_cached_one_or_none(cached, inception_file, tmp_path):
    assert find_inception(None, download=False) is None
    cached.write_bytes(inception_file.read_bytes())
    assert find_inception(None, download=False) == find_inception(None, download=True) == cached
    assert find_inception(tmp_path / "other.pt", download=True) == tmp_path / "other.pt"


def test_a_download_says_its_size_and_origin_and_mends_a_damaged_cache(
    cached, inception_file, monkeypatch, capsys
):
    monkeypatch.setattr(helper, "inception_url", inception_file.as_uri())
    cached.write_bytes(inception_file.read_bytes()[:-100])
    with pytest.raises(UserError, match="is damaged; fetch it again with --download, or delete it"):
        find_inception(None, download=False)
    assert find_inception(None, download=True) == cached
    assert cached.read_bytes() == inception_file.read_bytes()
    (line,) = capsys.readouterr().out.splitlines()
    size = f"{inception_file.stat().st_size / 1e6:.0f} MB"
    assert line == f"downloading {INCEPTION_FILE}, {size}, from {inception_file.as_uri()} to {cached}"


@pytest.mark.parametrize("content", [None, b"<html>not found</html>"])
def test_a_download_that_fails_leaves_nothing(cached, tmp_path, monkeypatch, content):
    origin = tmp_path / "origin"
    if content is not None:
        origin.write_bytes(content)
    monkeypatch.setattr(helper, "inception_url", origin.as_uri())
    with pytest.raises(UserError, match="give the file with --inception") as error:
        find_inception(None, download=True)
    assert "\n" not in str(error.value)
    assert [path.name for path in tmp_path.iterdir()] == ["origin"] * (content is not None)
