"""Pictures: small, cut to what is drawn, and exact where a legend needs it."""

import io

import numpy as np
from PIL import Image

from permagrid.report.png import small_png


def noise(height=120, width=160):
    return np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8)


def opened(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def test_a_picture_of_few_colours_is_unchanged():
    pixels = np.zeros((50, 60, 3), dtype=np.uint8)
    pixels[:25] = (31, 95, 153)
    np.testing.assert_array_equal(opened(small_png(pixels)), pixels)


def test_colours_to_keep_stay_exact_among_many_others():
    pixels, kept = noise(), np.array([[1, 2, 3], [250, 128, 7]], dtype=np.uint8)
    pixels[40, 50], pixels[60, 70] = kept
    found = opened(small_png(pixels, kept))
    np.testing.assert_array_equal(found[[40, 60], [50, 70]], kept)
    assert len(np.unique(found.reshape(-1, 3), axis=0)) <= 256
    assert np.abs(found.astype(int) - pixels).mean() < 30


def test_frequent_colours_stay_exact_too():
    pixels = noise()
    pixels[:20, :40] = (12, 34, 56)
    assert (opened(small_png(pixels))[:20, :40] == (12, 34, 56)).all()


def test_the_white_edge_is_cut_to_a_margin():
    pixels = np.full((300, 400, 3), 255, dtype=np.uint8)
    pixels[100:150, 200:260] = 0
    assert opened(small_png(pixels)).shape == (50 + 24, 60 + 24, 3)
    assert opened(small_png(np.full((30, 40, 3), 255, dtype=np.uint8))).shape == (30, 40, 3)


def test_the_same_pixels_give_the_same_bytes():
    assert small_png(noise()) == small_png(noise())
