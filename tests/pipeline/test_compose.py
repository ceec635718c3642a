"""Chroma planes: right colours, right edges, in the gamut, neutral where it must be."""

import cv2
import numpy as np
import pytest
import torch
from semcolor.models.labels import INDEX, NAMES
from semcolor.models.training.lab import lab_from_rgb
from semcolor.pipeline.compose import Layer, Layered, chroma_planes
from semcolor.pipeline.edits.orders import chroma_of
from semcolor.pipeline.overlay import overlay, overlay_size
from semcolor.pipeline.ycbcr import PlaneFormat, chroma_at_luma, fit_gamut, reachable
from skimage import color
from support.films import photo

MATRICES = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722), "bt2020": (0.2627, 0.0593)}


def _to_rgb(luma: np.ndarray, chroma: np.ndarray, matrix: str) -> np.ndarray:
    """Y', Cb, Cr (h, w) and (2, h, w) → R'G'B' (h, w, 3), from the standards' definition."""
    kr, kb = MATRICES[matrix]
    red, blue = luma + (2 - 2 * kr) * chroma[1], luma + (2 - 2 * kb) * chroma[0]
    return np.stack([red, (luma - kr * red - kb * blue) / (1 - kr - kb), blue], -1)


@pytest.mark.parametrize("matrix", MATRICES)
def test_true_chroma_at_true_luma(matrix):
    kr, kb = MATRICES[matrix]
    rgb = photo("astronaut", (128, 128)).astype(np.float32) / 255
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
    rgb = photo("astronaut")
    fmt = PlaneFormat("bt709", bits, full_range)
    kr, kb = MATRICES["bt709"]
    true_luma = rgb.astype(np.float32) @ np.array([kr, 1 - kr - kb, kb], np.float32) / 255
    top = (1 << bits) - 1
    scale, low = (top, 0) if full_range else (219 << (bits - 8), 16 << (bits - 8))
    luma = np.rint(true_luma * scale + low).astype(np.uint8 if bits == 8 else np.uint16)
    thumb = np.rint(255 * cv2.resize(true_luma, (256, 256), interpolation=cv2.INTER_AREA)).astype(np.uint8)
    small = torch.from_numpy(photo("astronaut", (128, 128))).permute(2, 0, 1).float() / 255
    rows = 512 // sampling
    planes = chroma_planes(lab_from_rgb(small)[1:].numpy(), thumb, luma, (rows, rows), fmt)
    assert planes.shape == (2, rows, rows) and planes.dtype == luma.dtype
    middle, span = 1 << (bits - 1), top if full_range else 224 << (bits - 8)
    chroma = (planes.astype(np.float32) - middle) / span
    chroma = np.stack([cv2.resize(c, (512, 512), interpolation=cv2.INTER_LINEAR) for c in chroma])
    back = np.clip(_to_rgb(fmt.luma(luma), chroma, "bt709"), 0, 1)
    assert color.deltaE_ciede2000(color.rgb2lab(back), color.rgb2lab(rgb)).mean() < 2.6


def test_bars_and_gray_stay_neutral():
    """Black bars take no colour whatever the network says, and no colour gives no colour."""
    luma = np.full((128, 128), 16, np.uint8)
    luma[32:96] = 120
    thumb = cv2.resize(np.where(luma == 16, 0, 121).astype(np.uint8), (64, 64), interpolation=cv2.INTER_AREA)
    fmt = PlaneFormat("bt601", 8, False)
    loud = chroma_planes(np.full((2, 32, 32), 60, np.float16), thumb, luma, (64, 64), fmt)
    assert (loud[:, :16] == 128).all() and (loud[:, 48:] == 128).all()
    assert (loud[1, 20:44] > 150).all()
    assert (chroma_planes(np.zeros((2, 32, 32), np.float16), thumb, luma, (64, 64), fmt) == 128).all()


def test_color_stops_at_the_edge_that_luma_draws():
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


def _lab(luma: np.ndarray, chroma: np.ndarray, matrix: str) -> np.ndarray:
    return color.rgb2lab(np.clip(_to_rgb(luma, chroma, matrix), 0, 1))


@pytest.mark.parametrize("colour", ["#8a3324", "#6b7a3a", "#2f6fb0", "#e8a020", "#ef1d79", "#0000ff", "#ffff00"])
@pytest.mark.parametrize("fmt", [PlaneFormat("bt601", 8, True), PlaneFormat("bt709", 10, True)], ids=lambda f: f.matrix)
def test_an_asked_color_is_reached_or_come_near_to_at_each_luma(colour, fmt):
    ab = chroma_of(colour)
    luma = fmt.luma(np.arange(1 << fmt.bits))
    chroma = reachable(ab, fmt)
    rgb = _to_rgb(luma, chroma, fmt.matrix)
    assert chroma.shape == (2, luma.size) and rgb.min() > -1e-4 and rgb.max() < 1 + 1e-4
    assert not chroma[:, [0, -1]].any(), "black and white carry no colour"
    wide = np.broadcast_to(np.array(ab, np.float32)[:, None, None], (2, 1, luma.size))
    exact = chroma_at_luma(wide, luma[None], fmt.matrix, steps=8)
    scaled = fit_gamut(exact.copy(), luma[None], fmt.matrix)[:, 0]
    error, before = (np.hypot(*(_lab(luma[None], c[:, None], fmt.matrix)[0, :, 1:] - ab).T) for c in (chroma, scaled))
    free = (np.abs(exact[:, 0] - scaled) < 1e-6).all(0)
    around = (32 << (fmt.bits - 8)) + 1  # it is smoothed along luma
    free = np.convolve(free, np.ones(around), "same") == around
    assert free.any() or colour in ("#ef1d79", "#0000ff", "#ffff00"), "only these are hardly reached at any luma"
    assert (error[free] < 0.5).all()
    assert error.mean() < 1.01 * before.mean()
    steps = 224 * np.hypot(*np.diff(chroma, axis=1)) * (1 << (fmt.bits - 8))
    assert steps.max() < 8, "a smooth shade shows no contour"


def test_a_region_gets_its_color_to_the_pixel_and_nothing_else_does():
    """A disc at four times the size of its mask: its edge is the luma's, which the mask does not know so well."""
    y, x = np.mgrid[:256, :256]
    disc = np.hypot(x - 127.5, y - 127.5) < 70
    rng = np.random.default_rng(0)
    luma = (np.where(disc, 90, 170) + rng.normal(0, 2, disc.shape)).round().astype(np.uint8)
    thumb = cv2.resize(luma, (128, 128), interpolation=cv2.INTER_AREA)
    mask = cv2.resize(disc.astype(np.float32), (64, 64), interpolation=cv2.INTER_AREA)
    mask = cv2.GaussianBlur(mask, (0, 0), 0.7)
    fmt, ab = PlaneFormat("bt601", 8, True), chroma_of("#8a3324")
    below = np.full((2, 64, 64), -12, np.float16)
    plain = chroma_planes(below, thumb, luma, disc.shape, fmt)
    planes = chroma_planes(Layered(below, (Layer(mask, ab),)), thumb, luma, disc.shape, fmt)
    kernel = np.ones((5, 5), np.uint8)  # two pixels to both sides
    core, outside = cv2.erode(disc.astype(np.uint8), kernel) > 0, cv2.dilate(disc.astype(np.uint8), kernel) == 0
    chroma = (planes.astype(np.float32) - 128) / 255
    error = np.hypot(*(_lab(fmt.luma(luma), chroma, "bt601")[..., 1:] - ab).transpose(2, 0, 1))
    assert error[core].mean() < 0.7 and error[core].max() < 2 and error[disc].mean() < 1.5
    assert np.abs(planes.astype(int) - plain)[:, outside].mean() < 0.1
    softer = np.clip(cv2.resize(mask, (256, 256)), 0, 1)[..., None]  # a mask only enlarged
    painted = np.abs(planes.astype(int) - plain).sum(0) / np.abs(planes.astype(int) - plain).sum(0)[core].mean()
    assert np.abs(painted - disc).mean() < 0.5 * np.abs(softer[..., 0] - disc).mean()


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
