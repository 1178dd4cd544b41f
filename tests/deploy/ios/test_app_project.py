"""What the stores and Xcode read of the app: project, property lists, icon, privacy manifests."""

import json
import plistlib
import re

import app_icon
import numpy as np
import pytest
import yaml
from PIL import Image

from train.commands import ROOT

IOS = ROOT / "deploy" / "ios"
APP = IOS / "App"
PROJECT = yaml.safe_load((APP / "project.yml").read_text())
SETTINGS = PROJECT["targets"]["TinyGAN"]["settings"]["base"]
INFO = plistlib.loads((APP / "Info.plist").read_bytes())
MANIFESTS = sorted(path for path in IOS.rglob("PrivacyInfo.xcprivacy") if ".build" not in path.parts)


@pytest.fixture(scope="session", autouse=True)
def _little_to_collect():
    """Nothing here converts, so nothing need wait for coremltools."""


def test_the_store_finds_its_keys():
    assert INFO["ITSAppUsesNonExemptEncryption"] is False
    assert SETTINGS["INFOPLIST_FILE"] == "Info.plist"
    assert SETTINGS["GENERATE_INFOPLIST_FILE"] is True, "Xcode adds names, versions and orientations"
    assert SETTINGS["PRODUCT_BUNDLE_IDENTIFIER"].startswith(PROJECT["options"]["bundleIdPrefix"])
    assert SETTINGS["INFOPLIST_KEY_NSPhotoLibraryAddUsageDescription"]
    base = PROJECT["settings"]["base"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", base["MARKETING_VERSION"])
    assert base["CURRENT_PROJECT_VERSION"].isdecimal()


def test_every_build_setting_of_the_property_list_is_there():
    known = {"PRODUCT_BUNDLE_IDENTIFIER", *PROJECT["settings"]["base"], *SETTINGS}
    assert set(re.findall(r"\$\((\w+)\)", (APP / "Info.plist").read_text())) <= known
    used = re.findall(r'infoDictionary\?\["(\w+)"\]', (APP / "Sources" / "DeviceInfo.swift").read_text("utf-8"))
    assert {key for key in used if not key.startswith("CF")} == {key for key in INFO if key.startswith("TinyGAN")}


def test_links_open_the_app():
    (kind,) = INFO["CFBundleURLTypes"]
    recipe = (IOS / "Sources" / "TinyGANCore" / "Recipe.swift").read_text("utf-8")
    assert kind["CFBundleURLSchemes"] == re.findall(r'static let scheme = "(\w+)"', recipe)


def test_times_are_measured_in_release():
    measured = PROJECT["schemes"]["TinyGAN Release"]
    assert measured["run"] == {"config": "Release", "debugEnabled": False}
    assert {scheme["archive"]["config"] for scheme in PROJECT["schemes"].values()} == {"Release"}
    assert PROJECT["schemes"]["TinyGAN"]["test"]["config"] == "Release"
    warning = (APP / "Sources" / "Controls.swift").read_text("utf-8")
    assert "Use the scheme TinyGAN Release" in warning
    for screen in ("BenchmarkView", "RaceView"):
        assert "DebugWarning()" in (APP / "Sources" / f"{screen}.swift").read_text("utf-8")


def test_the_icon_is_one_that_the_store_takes():
    name = SETTINGS["ASSETCATALOG_COMPILER_APPICON_NAME"]
    folder = APP / "Resources" / "Assets.xcassets" / f"{name}.appiconset"
    (entry,) = json.loads((folder / "Contents.json").read_text())["images"]
    assert entry == {
        "filename": app_icon.ICON.name,
        "idiom": "universal",
        "platform": "ios",
        "size": f"{app_icon.SIZE}x{app_icon.SIZE}",
    }
    assert app_icon.ICON.parent == folder
    assert app_icon.ICON.stat().st_size < 100_000
    with Image.open(app_icon.ICON) as stored:
        assert (stored.mode, stored.size) == ("RGB", (1024, 1024)), "no transparency"
        difference = np.asarray(stored, np.int16) - np.asarray(app_icon.draw_icon(), np.int16)
    # Another processor may round a level differently.
    assert np.abs(difference).max() <= 2, "draw it anew with: python tests/support/app_icon.py"


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.parent.name)
def test_privacy_manifests_say_that_nothing_is_collected(path):
    content = plistlib.loads(path.read_bytes())
    assert content["NSPrivacyTracking"] is False
    assert content["NSPrivacyTrackingDomains"] == content["NSPrivacyCollectedDataTypes"] == []
    accessed = {
        entry["NSPrivacyAccessedAPIType"]: entry["NSPrivacyAccessedAPITypeReasons"]
        for entry in content["NSPrivacyAccessedAPITypes"]
    }
    of_runtime = {"NSPrivacyAccessedAPICategoryFileTimestamp": ["C617.1"]}
    assert accessed == (of_runtime if "ExecuTorch" in path.parts else {})


def test_both_privacy_manifests_are_packed():
    assert [path.parent.name for path in MANIFESTS] == ["Resources", "TinyGANExecuTorch"]
    assert "Resources" in PROJECT["targets"]["TinyGAN"]["sources"]
    package = (IOS / "ExecuTorch" / "Package.swift").read_text("utf-8")
    assert 'resources: [.copy("PrivacyInfo.xcprivacy")]' in package


def test_the_code_needs_no_reason_that_the_app_does_not_state():
    """Apple's list of APIs that need a stated reason, by the names that Swift and C know them by."""
    needs = re.compile(
        r"UserDefaults|@AppStorage|@SceneStorage|systemUptime|mach_absolute_time|\bstatfs?\b|fstatfs|volumeAvailable"
        r"|systemFreeSize|creationDate|contentModificationDate|modificationDate|\bl?f?stat\(|activeInputModes"
    )
    sources = [*IOS.glob("App/Sources/*.swift"), *IOS.glob("Sources/*/*.swift"), *IOS.glob("Sources/*/*.c")]
    assert len(sources) > 30
    assert [path.name for path in sources if needs.search(path.read_text("utf-8"))] == []


def test_the_app_carries_its_licence():
    (licence,) = [entry for entry in PROJECT["targets"]["TinyGAN"]["sources"] if isinstance(entry, dict)]
    assert (APP / licence["path"]).resolve().read_text().lstrip().startswith("Apache License")
    assert licence["buildPhase"] == "resources"
    assert 'forResource: "LICENSE"' in (APP / "Sources" / "AboutView.swift").read_text("utf-8")
