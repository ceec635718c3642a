"""Chroma planes: right colours, right edges, in the gamut, neutral where it must be."""

import cv2
import numpy as np
import pytest
import torch
from semcolor.models.lab import lab_from_rgb
from semcolor.models.labels import INDEX, NAMES
from semcolor.pipeline.compose import PlaneFormat, chroma_at_luma, chroma_planes, fit_gamut
from semcolor.pipeline.overlay import overlay, overlay_size
from skimage import color, data

MATRICES = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722), "bt2020": (0.2627, 0.0593)}


def _to_rgb(luma: np.ndarray, chroma: np.ndarray, matrix: str) -> np.ndarray:
    """Y', Cb, Cr (h, w) and (2, h, w) → R'G'B' (h, w, 3), from the standards' definition."""
    kr, kb = MATRICES[matrix]
    red, blue = luma + (2 - 2 * kr) * chroma[1], luma + (2 - 2 * kb) * chroma[0]
    return np.stack([red, (luma - kr * red - kb * blue) / (1 - kr - kb), blue], -1)


def _photo(height: int, width: int) -> np.ndarray:
    return cv2.resize(data.astronaut(), (width, height), interpolation=cv2.INTER_AREA)


@pytest.mark.parametrize("matrix", MATRICES)
def test_true_chroma_at_true_luma(matrix):
    kr, kb = MATRICES[matrix]
    rgb = _photo(128, 128).astype(np.float32) / 255
    lab = lab_from_rgb(torch.from_numpy(rgb).permute(2, 0, 1)).numpy()
    luma = rgb @ np.array([kr, 1 - kr - kb, kb], np.float32)
    true = np.stack([(rgb[..., 2] - luma) / (2 - 2 * kb), (rgb[..., 0] - luma) / (2 - 2 * kr)])
    error = np.abs(chroma_at_luma(lab[1:], luma, matrix) - true)
    assert error.mean() < 1e-3 and error.max() < 0.03


@pytest.mark.parametrize("matrix", MATRICES)
def test_gamut_is_kept_at_fixed_luma_and_hue(matrix):
    rng = np.random.default_rng(0)
    luma = rng.uniform(0, 1, (64, 64)).astype(np.float32)
    wild = rng.uniform(-0.5, 0.5, (2, 64, 64)).astype(np.float32)
    fitted = fit_gamut(wild.copy(), luma, matrix)
    rgb = _to_rgb(luma, fitted, matrix)
    assert rgb.min() > -1e-4 and rgb.max() < 1 + 1e-4
    assert np.allclose(fitted[0] * wild[1], fitted[1] * wild[0], atol=1e-6)  # same direction
    inside = (_to_rgb(luma, wild, matrix).min(-1) > 0.01) & (_to_rgb(luma, wild, matrix).max(-1) < 0.99)
    assert inside.any() and np.array_equal(fitted[:, inside], wild[:, inside])


@pytest.mark.parametrize(
    ("bits", "full_range", "sampling"), [(8, False, 2), (8, True, 2), (10, False, 2), (12, False, 1)]
)
def test_planes_bring_a_photo_back(bits, full_range, sampling):
    """From true ab at a quarter of the size, the whole picture comes back to about 2 CIEDE2000."""
    rgb = _photo(512, 512)
    fmt = PlaneFormat("bt709", bits, full_range)
    kr, kb = MATRICES["bt709"]
    true_luma = rgb.astype(np.float32) @ np.array([kr, 1 - kr - kb, kb], np.float32) / 255
    top = (1 << bits) - 1
    scale, low = (top, 0) if full_range else (219 << (bits - 8), 16 << (bits - 8))
    luma = np.rint(true_luma * scale + low).astype(np.uint8 if bits == 8 else np.uint16)
    thumb = np.rint(255 * cv2.resize(true_luma, (256, 256), interpolation=cv2.INTER_AREA)).astype(np.uint8)
    small = torch.from_numpy(_photo(128, 128)).permute(2, 0, 1).float() / 255
    rows = 512 // sampling
    planes = chroma_planes(lab_from_rgb(small)[1:].numpy(), thumb, luma, (rows, rows), fmt)
    assert planes.shape == (2, rows, rows) and planes.dtype == luma.dtype
    middle, span = 1 << (bits - 1), top if full_range else 224 << (bits - 8)
    chroma = (planes.astype(np.float32) - middle) / span
    chroma = np.stack([cv2.resize(c, (512, 512), interpolation=cv2.INTER_LINEAR) for c in chroma])
    back = np.clip(_to_rgb(fmt.luma(luma), chroma, "bt709"), 0, 1)
    assert color.deltaE_ciede2000(color.rgb2lab(back), color.rgb2lab(rgb)).mean() < 2.6


def test_bars_and_grey_stay_neutral():
    """Black bars take no colour whatever the network says, and no colour gives no colour."""
    luma = np.full((128, 128), 16, np.uint8)
    luma[32:96] = 120
    thumb = cv2.resize(np.where(luma == 16, 0, 121).astype(np.uint8), (64, 64), interpolation=cv2.INTER_AREA)
    fmt = PlaneFormat("bt601", 8, False)
    loud = chroma_planes(np.full((2, 32, 32), 60, np.float16), thumb, luma, (64, 64), fmt)
    assert (loud[:, :16] == 128).all() and (loud[:, 48:] == 128).all()
    assert (loud[1, 20:44] > 150).all()
    assert (chroma_planes(np.zeros((2, 32, 32), np.float16), thumb, luma, (64, 64), fmt) == 128).all()


def test_colour_stops_at_the_edge_that_luma_draws():
    """A blurred ab map over a sharp luma edge: the chroma plane is about as sharp as luma."""
    luma = np.full((256, 256), 60, np.uint8)
    luma[:, 128:] = 190
    thumb = cv2.resize(luma, (64, 64), interpolation=cv2.INTER_AREA)
    thumb = ((thumb.astype(np.float32) - 16) * 255 / 219).astype(np.uint8)
    ab = np.zeros((2, 32, 32), np.float32)
    ab[0, :, :16] = 40
    ab = np.stack([cv2.GaussianBlur(plane, (0, 0), 1.0) for plane in ab])
    planes = chroma_planes(ab, thumb, luma, (128, 128), PlaneFormat("bt601", 8, False)).astype(int)
    row = planes[1, 64]
    step = np.abs(np.diff(row)).max()
    assert step > 0.45 * (row.max() - row.min()), "no sharper than plain enlarging, which gives about a tenth"


def test_overlay_shows_each_label_in_place_and_its_name():
    thumb = np.full((64, 96), 128, np.uint8)
    labels = np.zeros((62, 16, 24), np.uint8)
    labels[INDEX["sky"], :8] = 255
    labels[INDEX["grass"], 8:] = 255
    picture = overlay(thumb, labels)
    width, height = overlay_size((64, 96))
    assert picture.shape == (height, width, 3) and picture.dtype == np.uint8 and not (height % 2 or width % 2)
    above, below = picture[height // 4, 300].astype(int), picture[3 * height // 4, 300].astype(int)
    assert above[2] > above[0] and below[1] > below[2]
    empty = np.zeros_like(labels)
    empty[NAMES.index("wall")] = 255
    legend = np.abs(picture.astype(int) - overlay(thumb, empty))[:, 768:]
    assert legend.any(), "the legend must tell which labels are there"
