"""Constants of sRGB (IEC 61966-2-1) and CIE Lab (CIE 15), white D65 (2° observer). This module imports no torch."""

XYZ_FROM_RGB = ((0.412453, 0.357580, 0.180423), (0.212671, 0.715160, 0.072169), (0.019334, 0.119193, 0.950227))
"""Linear sRGB → XYZ."""

WHITE = (0.95047, 1.0, 1.08883)
"""XYZ of the white point."""

F_THRESHOLD = 216 / 24389
"""t above which f(t) is the cube root; below, f(t) = F_SLOPE · t + F_OFFSET."""

F_INVERSE_THRESHOLD = 6 / 29
"""f(F_THRESHOLD)."""

F_SLOPE = 24389 / 27 / 116
F_INVERSE_SLOPE = 116 * 27 / 24389
"""1 / F_SLOPE, rounded as the formula is written."""

F_OFFSET = 16 / 116

SRGB_THRESHOLD = 0.04045
"""Sample above which sRGB's curve is a power; below, it is a line."""

LINEAR_THRESHOLD = 0.0031308
"""Linear light above which sRGB's curve is a power."""
