"""What quantization-aware training is for; minutes long."""

import pytest
from stand_ins import replace

from compress.comparison import CONTROL_ROWS, POST_TRAINING_OF_CONTROL_ROW, Comparison
from compress.config import QatConfig
from compress.evaluate import Judge
from compress.float_run import open_run
from compress.quality_table import QAT_ROW, Table
from train import judging
from train.presets import PRESETS
from train.run import train
from train.sources import open_sources


@pytest.mark.slow
def test_with_four_bits_training_beats_post_training_beyond_the_spread_of_seeds(tmp_path, world, monkeypatch):
    monkeypatch.setattr(judging, "JUDGED_IMAGES", 2000)
    losses = {"rounded": [], "trained": []}
    for seed in (0, 1, 2):
        config = replace(PRESETS["digits"][1], seed=seed)
        folder = tmp_path / str(seed)
        train(config, folder, world)
        run = open_run(folder)
        settings = QatConfig(run=folder, bits="W4A8")
        sources = open_sources(settings.float_settings(config), folder, world)
        table = Table(settings.folder / "report.json", run, Judge(run, sources))
        Comparison(settings, run, sources, world, table).family("W4A8")
        level = {name: row["l1_to_teacher"] for name, row in table.rows.items()}
        control = level[CONTROL_ROWS[False]]
        losses["rounded"].append(level[POST_TRAINING_OF_CONTROL_ROW.format(bits="W4A8")] - control)
        losses["trained"].append(level[QAT_ROW.format(bits="W4A8")] - control)
    spread = max(max(values) - min(values) for values in losses.values())
    assert min(losses["rounded"]) - max(losses["trained"]) > spread, losses
