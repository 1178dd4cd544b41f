"""BigGAN-deep through pytorch-pretrained-biggan: load one as a teacher, train one, store one.

The library is imported here and nowhere else.
"""

from pathlib import Path

import torch
import torch.nn.functional as F
from pytorch_pretrained_biggan import BigGAN, BigGANConfig
from pytorch_pretrained_biggan.model import BigGANBatchNorm
from torch import nn
from torch.nn.utils.spectral_norm import SpectralNorm, remove_spectral_norm

from train.errors import UserError
from train.files import check_state_dict, load_torch_file, save_torch, write_text
from train.generator import GeneratorConfig
from train.noise import consecutive_seeds, truncated_normal
from train.norm import batch_moments, normalised

WEIGHTS_FILE, CONFIG_FILE = "pytorch_model.bin", "config.json"
POWER_ITERATIONS = 20  # to settle the spectral norms of averaged weights before they are stored
STATISTICS_IMAGES = 500  # per row of the norms' statistics tables

# (upsample, width in, width out) per block, in multiples of the channel width; the position of attention.
_LAYERS = {
    32: ([(False, 16, 8), (True, 8, 4), (True, 4, 2), (True, 2, 1)], 2),
    64: (
        [
            (False, 16, 16),
            (True, 16, 8),
            (False, 8, 8),
            (True, 8, 4),
            (False, 4, 4),
            (True, 4, 2),
            (False, 2, 2),
            (True, 2, 1),
        ],
        6,
    ),
    128: (BigGANConfig().layers, BigGANConfig().attention_layer_position),
}


class BatchStatisticsNorm(BigGANBatchNorm):
    """The library's norm with the statistics of the batch at hand, which training needs.

    The library reads its statistics from tables over the truncation, in training too.
    """

    record_row: int | None = None
    """Row of the statistics tables to fill from the next batch."""

    def forward(
        self,
        x: torch.Tensor,
        truncation: float,  # noqa: ARG002 (the library's signature)
        condition_vector: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Normalise [N, C, H, W] in float32 and return it in its own precision; `truncation` selects nothing."""
        if self.record_row is not None:
            mean, variance = batch_moments(x, of_all_processes=False)
            self.get_buffer("running_means")[self.record_row] = mean
            self.get_buffer("running_vars")[self.record_row] = variance
        # Pictures and tables are made by one process alone, with no other to wait for.
        normed = normalised(x, self.eps, of_all_processes=self.training and self.record_row is None)
        if condition_vector is None:
            gain, bias = self.weight, self.bias
        else:
            gain, bias = 1 + self.scale(condition_vector).float(), self.offset(condition_vector).float()
        return torch.addcmul(bias[..., None, None], gain[..., None, None], normed).to(x.dtype)


class Float32SpectralNorm(SpectralNorm):
    """The library's spectral norm, which would fall to half precision inside autocast."""

    def compute_weight(self, module: nn.Module, do_power_iteration: bool) -> torch.Tensor:
        """Return the normalised weight, float32; in train mode after a power iteration."""
        with torch.autocast(next(module.parameters()).device.type, enabled=False):
            return super().compute_weight(module, do_power_iteration)


class TrainableBigGAN(nn.Module):
    """BigGAN-deep as a generator to train: (z, y) → images; its norms always use the batch at hand.

    `store` turns it into a folder that the library loads; `Generator` of train.generator is the other kind.
    """

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.config = config
        layers, attention = _LAYERS[config.image_size]
        self.model = BigGAN(
            BigGANConfig(
                output_dim=config.image_size,
                z_dim=config.z_dim,
                class_embed_dim=config.z_dim,  # the library ignores this field and uses z_dim
                channel_width=config.channels,
                num_classes=config.num_classes,
                layers=layers,
                attention_layer_position=attention,
            )
        )
        for module in self.model.modules():
            if isinstance(module, BigGANBatchNorm):
                module.__class__ = BatchStatisticsNorm  # the same parameters under another forward
            for hook in module._forward_pre_hooks.values():
                if isinstance(hook, SpectralNorm):
                    hook.__class__ = Float32SpectralNorm
        self._initialise()

    def _initialise(self) -> None:
        for name, parameter in self.model.named_parameters():
            if name.startswith("embeddings"):
                nn.init.normal_(parameter, std=0.5)
            elif name.endswith("generator.bn.weight"):
                nn.init.ones_(parameter)
            elif parameter.dim() > 1:
                nn.init.orthogonal_(parameter)
            else:
                nn.init.zeros_(parameter)

    def forward(self, z: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """z float [N, z_dim], truncation included, and y int64 [N] → images [N, 3, H, W] in [-1, 1]."""
        return self.model(z, F.one_hot(y, self.config.num_classes).to(z.dtype), 1.0)

    @torch.no_grad()
    def store(self, folder: Path, classes: list[int], seed: int) -> None:
        """Write `pytorch_model.bin` (half precision) and `config.json`, the library's own format.

        Fills the norms' statistics for every truncation from `STATISTICS_IMAGES` images each, with settled
        spectral norms.
        """
        self.train()
        device = next(self.parameters()).device
        labels = torch.tensor(statistics_labels(classes), device=device)
        seeds = consecutive_seeds(2**63 + seed, STATISTICS_IMAGES)
        unit = torch.from_numpy(truncated_normal(seeds, self.config.z_dim, 1.0)).to(device)
        norms = [m for m in self.model.modules() if isinstance(m, BatchStatisticsNorm)]
        for norm in norms:
            norm.record_row = 0
        for _ in range(POWER_ITERATIONS):
            self(unit[:2], labels[:2])
        self.eval()
        rows = self.model.config.n_stats
        for row in range(rows):
            for norm in norms:
                norm.record_row = row
            self(unit * (row / (rows - 1)), labels)
        for norm in norms:
            norm.record_row = None
        # A file is a function of its content, and not of the memory format that a run has trained in.
        plain = torch.contiguous_format
        state = {n: t.half().cpu().clone(memory_format=plain) for n, t in self.model.state_dict().items()}
        save_torch(folder / WEIGHTS_FILE, state)
        write_text(folder / CONFIG_FILE, self.model.config.to_json_string())


def statistics_labels(classes: list[int]) -> list[int]:
    """Return `STATISTICS_IMAGES` labels: the classes in turn, or of more classes some from all over them."""
    count = len(classes)
    if count <= STATISTICS_IMAGES:
        return (classes * (STATISTICS_IMAGES // count + 1))[:STATISTICS_IMAGES]
    return [classes[k * count // STATISTICS_IMAGES] for k in range(STATISTICS_IMAGES)]


def library_files(name: str) -> tuple[Path, Path]:
    """Return (weights, config) of a published model, downloading them through the library's cache.

    Raises:
        UserError: they are neither cached nor to be had.
    """
    from pytorch_pretrained_biggan.file_utils import cached_path
    from pytorch_pretrained_biggan.model import PRETRAINED_CONFIG_ARCHIVE_MAP, PRETRAINED_MODEL_ARCHIVE_MAP

    try:
        return (
            Path(cached_path(PRETRAINED_MODEL_ARCHIVE_MAP[name])),
            Path(cached_path(PRETRAINED_CONFIG_ARCHIVE_MAP[name])),
        )
    except OSError as error:  # requests' exceptions are OSErrors too
        raise UserError(
            f"{name} cannot be downloaded ({type(error).__name__}); put {CONFIG_FILE} and {WEIGHTS_FILE} into a "
            f"folder and pass it as the teacher"
        ) from None


def load_biggan(weights: Path, config_file: Path, truncation: float) -> BigGAN:
    """Load a BigGAN in eval mode, made cheaper with identical output, its norms fixed to one truncation.

    Spectral norms are folded into the weights and the RGB convolution keeps the 3 of its channels that are
    used: 11.32 → 8.96 GMAC at 128 px. Names and shapes are checked first; the library itself loads any file.

    Raises:
        UserError: a file is missing, damaged, or does not fit the other.
    """
    try:
        config = BigGANConfig.from_json_file(config_file)
        model = BigGAN(config)
    except FileNotFoundError:
        raise UserError(f"no {CONFIG_FILE} beside the teacher's weights at {config_file.parent}") from None
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RuntimeError) as error:
        raise UserError(f"{config_file} is not a BigGAN configuration ({error})") from None
    state = load_torch_file(weights, "BigGAN weights file")
    check_state_dict(state, model, weights)
    model.load_state_dict(state)
    return _for_inference(model, truncation)


@torch.no_grad()
def store_random_biggan_deep_128(folder: Path) -> None:
    """Write the published architecture with random weights, in the library's own format: for timing alone."""
    torch.manual_seed(0)
    model = BigGAN(BigGANConfig())
    # The library leaves these as memory was, and its spectral norms settle in training only.
    nn.init.ones_(model.generator.bn.weight)
    nn.init.zeros_(model.generator.bn.bias)
    for module in model.modules():
        for hook in module._forward_pre_hooks.values():
            if isinstance(hook, SpectralNorm):
                hook.n_power_iterations = POWER_ITERATIONS
                hook.compute_weight(module, do_power_iteration=True)
    save_torch(folder / WEIGHTS_FILE, {name: tensor.half() for name, tensor in model.state_dict().items()})
    write_text(folder / CONFIG_FILE, model.config.to_json_string())


def weightless_biggan_deep_128() -> BigGAN:
    """Return the published architecture on the meta device, as `load_biggan` would: for counting what it costs."""
    return _for_inference(BigGAN(BigGANConfig()).to("meta"), 1.0)


def _for_inference(model: BigGAN, truncation: float) -> BigGAN:
    model.eval()
    _fold_spectral_norms(model)
    _fix_truncation(model, truncation)
    _cut_rgb(model)
    return model.requires_grad_(False)


def _fold_spectral_norms(model: nn.Module) -> None:
    for module in model.modules():
        if any(isinstance(hook, SpectralNorm) for hook in module._forward_pre_hooks.values()):
            remove_spectral_norm(module)


def _fix_truncation(model: BigGAN, truncation: float) -> None:
    """Interpolate every norm's statistics at `truncation` and put them into all rows of its table.

    The library weights the two neighbouring rows the wrong way round, and for some values (0.14, 0.28, …)
    rounding makes it take the wrong row altogether. At the rows themselves, 0.5 and 1 among them, this
    changes nothing.
    """
    for norm in model.modules():
        if isinstance(norm, BigGANBatchNorm):
            rows = len(norm.get_buffer("running_means"))
            position = truncation * (rows - 1)
            lower = min(int(position + 1e-6), rows - 2)
            weight = position - lower
            for table in (norm.get_buffer("running_means"), norm.get_buffer("running_vars")):
                table.copy_(torch.lerp(table[lower], table[lower + 1], weight).expand_as(table))


def _cut_rgb(model: BigGAN) -> None:
    full = model.generator.conv_to_rgb
    cut = nn.Conv2d(full.in_channels, 3, 3, padding=1, device=full.weight.device)
    cut.load_state_dict({name: tensor[:3] for name, tensor in full.state_dict().items()})
    model.generator.conv_to_rgb = cut.eval()
