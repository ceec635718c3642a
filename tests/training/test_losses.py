"""Each loss is 0 where it should be, and grows where it should."""

import pytest
import torch
from semcolor.models.labels import INDEX
from semcolor.models.training.losses import (
    color_difference,
    colorful_loss,
    correct,
    gamut_loss,
    label_loss,
    moved,
    pixel_weight,
    repaint,
    repaint_loss,
    steady_loss,
)
from semcolor.models.training.metrics import ciede2000
from torch import Tensor
from torch.nn.functional import avg_pool2d, one_hot


def test_label_loss_is_the_probability_of_the_allowed():
    logits = torch.randn(1, 62, 2, 2)
    allowed = torch.zeros(1, 62, 2, 2, dtype=torch.bool)
    allowed[:, :20] = True
    expected = -logits.softmax(1)[:, :20].sum(1).log().mean()
    assert torch.allclose(label_loss(logits, allowed), expected)
    allowed[:, 1:] = False
    assert torch.allclose(label_loss(logits, allowed), -logits.softmax(1)[:, 0].log().mean())
    assert label_loss(logits, torch.ones_like(allowed)) == 0  # nothing known, nothing learnt


def test_one_of_a_few_names_must_win():
    """Two allowed labels share .6, another has .4: the likelier of the two allowed ones grows."""
    logits = torch.full((1, 62, 1, 1), -30.0)
    logits[0, :3, 0, 0] = torch.tensor([0.35, 0.25, 0.4]).log()
    allowed = torch.zeros(1, 62, 1, 1, dtype=torch.bool)
    allowed[:, :2] = True
    for _ in range(60):
        logits.requires_grad_()
        label_loss(logits, allowed).backward()
        assert logits.grad is not None
        logits = (logits - logits.grad).detach()
    first, second, other = logits[0, :3, 0, 0].softmax(0).tolist()
    assert first > 3 * second > other


def test_correction_puts_in_what_is_known():
    labels = torch.full((1, 62, 1, 3), 0.4 / 61)
    labels[:, 5] = 0.6
    allowed = torch.zeros(1, 62, 1, 3, dtype=torch.bool)
    allowed[:, 7, :, 0] = True  # read as 5, but it is 7
    allowed[:, :, :, 1] = True  # nothing is known
    allowed[:, 5, :, 2] = True  # read rightly: as sure as it was
    fixed = correct(labels, allowed, 1.0)
    assert fixed[0, 7, 0, 0] == 1 and torch.equal(fixed[..., 1:], labels[..., 1:])
    assert torch.equal(correct(labels, allowed, 0.0), labels)


def test_color_difference_is_ciede2000_but_for_blue():
    torch.manual_seed(0)
    ab, truth = (55 * torch.rand(1, 2, 40, 40) for _ in range(2))  # no blues: R_T is left out
    light = torch.full((1, 1, 40, 40), 60.0)
    exact = ciede2000(torch.cat([light, ab], 1), torch.cat([light, truth], 1))
    ours = color_difference(ab, truth)
    assert (ours + 0.5 - exact).abs().max() < 0.6  # rounded off near nothing
    assert ((ours / exact)[exact > 10] - 1).abs().max() < 0.06


@pytest.mark.parametrize("point", [(0.0, 0.0), (1e-6, 0.0), (0.0, -40.0)])
def test_color_difference_has_a_gradient_everywhere(point):
    truth = torch.tensor(point).view(1, 2, 1, 1)
    for start in ((0.0, 0.0), point, (30.0, -5.0)):
        ab = torch.tensor(start).view(1, 2, 1, 1).requires_grad_()
        color_difference(ab, truth).sum().backward()
        assert ab.grad is not None and ab.grad.isfinite().all()


def test_gamut_loss_holds_chroma_where_colors_are():
    ab = torch.tensor([[100.0, -2000.0], [-109.0, 120.0]]).view(1, 2, 2, 1).requires_grad_()
    loss = gamut_loss(ab)
    assert torch.isclose(loss, torch.tensor((1890 + 10) / 4 / 10))
    loss.backward()
    assert ab.grad is not None and ab.grad.flatten().sign().tolist() == [0, -1, 0, 1]


def test_colorful_loss_is_the_share_that_is_missing():
    torch.manual_seed(0)
    truth = 20 * torch.randn(3, 2, 16, 16)
    assert colorful_loss(truth, truth) == 0 and colorful_loss(1.5 * truth, truth) == 0
    assert colorful_loss(0.5 * truth, truth).item() == pytest.approx(0.5, abs=0.01)


def test_a_few_impossible_pixels_are_not_colorful():
    torch.manual_seed(0)
    truth = 20 * torch.randn(1, 2, 64, 64)
    cheat = torch.zeros_like(truth)
    cheat[..., -2:, -2:] = 2000
    assert colorful_loss(cheat, truth) > 0.95


def test_skin_weighs_more():
    allowed = torch.ones(1, 62, 2, 2, dtype=torch.bool)
    allowed[0, :, 0, 0] = False
    allowed[0, INDEX["skin"], 0, 0] = True
    assert pixel_weight(allowed, (4, 4), 3.0)[0].tolist() == [[3, 3, 1, 1]] * 2 + [[1, 1, 1, 1]] * 2


def _halves() -> Tensor:
    """(4, 62, 8, 8): sky above, grass below."""
    names = torch.full((8, 8), INDEX["sky"])
    names[4:] = INDEX["grass"]
    return one_hot(names, 62).permute(2, 0, 1).float().expand(4, -1, -1, -1)


def test_repainting_changes_one_region_to_an_offered_name():
    torch.manual_seed(0)
    offered = torch.tensor([INDEX["road"], INDEX["water"]])
    for _ in range(20):
        done = repaint(_halves(), offered)
        assert set(done.name.tolist()) <= set(offered.tolist())
        for i in range(4):
            region = done.region[i]
            assert region.any() and not (region[:4].any() and region[4:].any())
            assert (done.labels[i].argmax(0)[region] == done.name[i]).all()
            assert torch.equal(done.labels[i][:, ~region], _halves()[i][:, ~region])


def test_repaint_loss_wants_the_usual_color_inside_and_no_change_outside():
    torch.manual_seed(0)
    done = repaint(_halves(), torch.tensor([INDEX["road"]]))
    usual = torch.zeros(62, 11, 2)
    usual[INDEX["road"], :, 0] = torch.arange(11.0)  # a = lightness / 10
    lightness = torch.full((4, 1, 16, 16), 45.0)
    before = torch.full((4, 2, 16, 16), 20.0)
    inside = done.region.repeat_interleave(2, 1).repeat_interleave(2, 2)[:, None]
    target = torch.tensor([4.5, 0.0]).view(1, 2, 1, 1)
    assert repaint_loss(torch.where(inside, target, before), before, lightness, done, usual) < 1e-4
    ignored = repaint_loss(before, before, lightness, done, usual)
    leaking = repaint_loss(target.expand_as(before), before, lightness, done, usual)
    assert ignored > 0.01 and leaking > 0.01


def test_a_coloring_that_moves_with_the_picture_is_steady():
    torch.manual_seed(1)
    gray = avg_pool2d(torch.rand(2, 1, 72, 72), 9, 1, 4).clamp(0.1, 0.9)

    def paint(picture: Tensor) -> Tensor:
        return 100 * avg_pool2d(picture, 2).expand(-1, 2, -1, -1)

    for _ in range(10):
        view, displacement = moved(gray)
        assert view.shape == gray.shape
        follows = steady_loss(paint(gray), paint(view), displacement)
        stays = steady_loss(paint(gray), paint(gray).flip(3), displacement)
        assert follows < 0.75 * stays
