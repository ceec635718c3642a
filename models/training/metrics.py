"""Measures of colour: CIEDE2000 and colourfulness."""

import math

import torch
from torch import Tensor


def ciede2000(lab1: Tensor, lab2: Tensor) -> Tensor:
    """CIEDE2000 colour difference of (…, 3, H, W) Lab pictures → (…, H, W), 0 = same.

    Sharma, Wu, Dalal, "The CIEDE2000 Color-Difference Formula", 2005, with kL = kC = kH = 1.
    """
    l1, a1, b1 = lab1.double().unbind(-3)
    l2, a2, b2 = lab2.double().unbind(-3)
    c_mean7 = ((torch.hypot(a1, b1) + torch.hypot(a2, b2)) / 2) ** 7
    g = 1.5 - 0.5 * torch.sqrt(c_mean7 / (c_mean7 + 25.0**7))
    a1, a2 = a1 * g, a2 * g
    c1, c2 = torch.hypot(a1, b1), torch.hypot(a2, b2)
    h1, h2 = torch.atan2(b1, a1) % math.tau, torch.atan2(b2, a2) % math.tau
    turn = h2 - h1
    turn = turn - math.tau * torch.round(turn / math.tau)
    chromatic = (c1 * c2) > 0
    turn = torch.where(chromatic, turn, torch.zeros_like(turn))
    d_l, d_c, d_h = l2 - l1, c2 - c1, 2 * torch.sqrt(c1 * c2) * torch.sin(turn / 2)
    l_mean, c_mean = (l1 + l2) / 2, (c1 + c2) / 2
    h_mean = torch.where(chromatic, h1 + turn / 2, h1 + h2)  # halfway along the shorter arc
    t = (
        1
        - 0.17 * torch.cos(h_mean - math.radians(30))
        + 0.24 * torch.cos(2 * h_mean)
        + 0.32 * torch.cos(3 * h_mean + math.radians(6))
        - 0.20 * torch.cos(4 * h_mean - math.radians(63))
    )
    s_l = 1 + 0.015 * (l_mean - 50) ** 2 / torch.sqrt(20 + (l_mean - 50) ** 2)
    s_c, s_h = 1 + 0.045 * c_mean, 1 + 0.015 * c_mean * t
    degrees = torch.rad2deg(h_mean) % 360
    rotation = torch.deg2rad(60 * torch.exp(-(((degrees - 275) / 25) ** 2)))
    c_mean7 = c_mean**7
    r_t = -2 * torch.sqrt(c_mean7 / (c_mean7 + 25.0**7)) * torch.sin(rotation)
    x_l, x_c, x_h = d_l / s_l, d_c / s_c, d_h / s_h
    return torch.sqrt((x_l**2 + x_c**2 + x_h**2 + r_t * x_c * x_h).clamp(min=0)).float()


def colorfulness(rgb: Tensor) -> Tensor:
    """Hasler & Süsstrunk 2003 (signed opponents) of R'G'B' (…, 3, H, W) in 0..1 → (…), 0 = grey."""
    r, g, b = (255 * rgb).unbind(-3)
    rg, yb = r - g, (r + g) / 2 - b
    spread = torch.hypot(rg.std((-2, -1)), yb.std((-2, -1)))
    return spread + 0.3 * torch.hypot(rg.mean((-2, -1)), yb.mean((-2, -1)))
