import hashlib
import io
import urllib.error
import urllib.request

import pytest
from fake_phone import tool_file

from benchmarks.phones.tools import Tool, check_abi, obtain
from train.errors import UserError
from train.files import file_hash

URL = "https://example.org/builds/executor_runner?v=1"
CONTENT = b"\x7fELF and more"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Web:
    """In place of urlopen: one file."""

    def __init__(self) -> None:
        self.content, self.fetched = CONTENT, 0

    def open(self, url, timeout):
        assert url == URL
        self.fetched += 1
        answer = io.BytesIO(self.content)
        answer.headers = {"Content-Length": str(len(self.content))}
        return answer


@pytest.fixture
def web(monkeypatch) -> Web:
    web = Web()
    monkeypatch.setattr(urllib.request, "urlopen", web.open)
    return web


def test_a_path_with_and_without_its_sum(tmp_path):
    path = tool_file(tmp_path / "runner")
    sha256 = file_hash(path)
    assert obtain("executor-runner", str(path), None, tmp_path) == Tool(path, sha256)
    assert obtain("executor-runner", str(path), sha256.upper(), tmp_path).sha256 == sha256
    with pytest.raises(UserError, match=rf"has the SHA-256 {sha256}, not {'0' * 64} of --executor-runner-sha256"):
        obtain("executor-runner", str(path), "0" * 64, tmp_path)
    with pytest.raises(UserError, match=r"^--executor-runner nowhere is no file"):
        obtain("executor-runner", "nowhere", None, tmp_path)
    with pytest.raises(UserError, match=r"^--executor-runner-sha256 abc is no SHA-256"):
        obtain("executor-runner", str(path), "abc", tmp_path)


def test_a_url_is_fetched_once(tmp_path, web):
    cache = tmp_path / "cache"
    tool = obtain("executor-runner", URL, SHA256, cache)
    assert tool.path.read_bytes() == CONTENT
    assert tool.path.name == f"{SHA256[:16]}-executor_runner"
    assert obtain("executor-runner", URL, SHA256, cache) == tool
    assert web.fetched == 1
    tool.path.write_bytes(b"damaged")
    assert obtain("executor-runner", URL, SHA256, cache).path.read_bytes() == CONTENT
    assert web.fetched == 2


def test_a_url_without_or_with_another_sum(tmp_path, web):
    with pytest.raises(
        UserError, match=r"^--benchmark-model is a URL; pin what it must give with --benchmark-mode"
    ):
        obtain("benchmark-model", URL, None, tmp_path)
    assert web.fetched == 0
    web.content = b"something else"
    with pytest.raises(UserError, match=rf"has the SHA-256 .*, not {SHA256} of .*; it was not kept"):
        obtain("benchmark-model", URL, SHA256, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []
    with pytest.raises(UserError, match="only http and https are fetched"):
        obtain("benchmark-model", "ftp://example.org/x", SHA256, tmp_path)


def test_a_url_that_does_not_answer(tmp_path, monkeypatch):
    def fail(url, timeout):
        raise urllib.error.URLError("no route to host")

    monkeypatch.setattr(urllib.request, "urlopen", fail)
    with pytest.raises(UserError, match=r"cannot be fetched .*no route to host.*; download it and give its path"):
        obtain("benchmark-model", URL, SHA256, tmp_path)


def test_a_program_for_another_processor(tmp_path):
    arm = tool_file(tmp_path / "arm")
    check_abi(Tool(arm, ""), ["arm64-v8a", "armeabi-v7a"])
    intel = tool_file(tmp_path / "intel", 0x3E)
    with pytest.raises(UserError, match="is built for x86_64, the phone runs arm64-v8a; build it for arm64-v8a"):
        check_abi(Tool(intel, ""), ["arm64-v8a"])
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\necho a script of more than twenty bytes")
    with pytest.raises(UserError, match="is no program for Android"):
        check_abi(Tool(script, ""), ["arm64-v8a"])
