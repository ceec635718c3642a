"""Colour spaces and colour differences against scikit-image and kornia."""

import kornia
import numpy as np
import torch
from semcolor.models.training.lab import (
    lab_from_rgb,
    lightness_from_gray,
    linear_from_srgb,
    luma_from_rgb,
    rgb_from_lab,
    srgb_from_linear,
)
from semcolor.models.training.metrics import ciede2000, colorfulness
from skimage import color, data


def _photo() -> torch.Tensor:
    """(3, H, W) in 0..1."""
    return torch.from_numpy(data.astronaut()[::4, ::4].copy()).permute(2, 0, 1).float() / 255


def test_lab_agrees_with_scikit_image_and_kornia():
    rgb = _photo()
    ours = lab_from_rgb(rgb)
    reference = torch.from_numpy(color.rgb2lab(rgb.permute(1, 2, 0).numpy())).permute(2, 0, 1)
    assert (ours - reference).abs().max() < 0.02
    assert (ours - kornia.color.rgb_to_lab(rgb[None])[0]).abs().max() < 0.05


def test_lab_and_back_is_the_same_picture():
    rgb = torch.rand(2, 3, 32, 32)
    assert (rgb_from_lab(lab_from_rgb(rgb)) - rgb).abs().max() < 1e-4


def test_linear_light_agrees_with_kornia_and_comes_back():
    rgb = _photo()
    assert torch.allclose(linear_from_srgb(rgb), kornia.color.rgb_to_linear_rgb(rgb[None])[0], atol=1e-5)
    assert torch.allclose(srgb_from_linear(linear_from_srgb(rgb)), rgb, atol=1e-5)


def test_lightness_of_gray_is_that_of_its_rgb():
    gray = torch.linspace(0, 1, 256).reshape(1, 16, 16)
    assert torch.allclose(lightness_from_gray(gray), lab_from_rgb(gray.expand(3, -1, -1))[:1], atol=0.01)


def test_luma_is_that_of_bt601():
    rgb = torch.tensor([1.0, 0.5, 0.25])[:, None, None]
    assert torch.allclose(luma_from_rgb(rgb), torch.tensor(0.299 + 0.587 / 2 + 0.114 / 4))
    photo = _photo()
    assert torch.allclose(luma_from_rgb(photo), kornia.color.rgb_to_grayscale(photo[None])[0], atol=1e-3)


def test_ciede2000_agrees_with_scikit_image():
    rng = np.random.default_rng(0)
    one = rng.uniform([0, -100, -100], [100, 100, 100], (100, 100, 3))
    two = one + rng.normal(0, 12, one.shape)
    two[:10] = one[:10]  # the same colour
    two[10:20, :, 1:] = 0  # a neutral
    as_tensor = [torch.from_numpy(x).permute(2, 0, 1) for x in (one, two)]
    assert np.abs(ciede2000(*as_tensor).numpy() - color.deltaE_ciede2000(one, two)).max() < 1e-3


def test_colorfulness_is_none_of_gray_and_grows_with_chroma():
    rgb = _photo()
    gray = luma_from_rgb(rgb)
    assert colorfulness(gray.expand(3, -1, -1)) < 1e-3
    paler = gray + 0.5 * (rgb - gray)
    assert torch.allclose(colorfulness(paler), colorfulness(rgb) / 2, rtol=1e-3)
