from pathlib import Path

import pytest
from feature_networks import Inception, Pooled, save_script


@pytest.fixture(scope="session")
def inception_file(tmp_path_factory) -> Path:
    return save_script(Inception(), tmp_path_factory.mktemp("inception") / "standard.pt")


@pytest.fixture(scope="session")
def pooled_file(tmp_path_factory) -> Path:
    return save_script(Pooled(), tmp_path_factory.mktemp("pooled") / "Pooled-cells_48.pt")
