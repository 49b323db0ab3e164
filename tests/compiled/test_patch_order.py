"""The order of cells in which runs of them are patches."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from permagrid.compiled import patch_order


@settings(max_examples=30, deadline=None)
@given(rows=st.integers(1, 70), columns=st.integers(1, 70))
def test_the_order_of_patches_has_each_cell_once_beside_the_one_before(rows, columns):
    order = patch_order((rows, columns))
    assert np.array_equal(np.sort(order), np.arange(rows * columns))
    if rows == columns and rows & (rows - 1) == 0:
        down, across = np.divmod(order, columns)
        assert (np.abs(np.diff(down)) + np.abs(np.diff(across)) == 1).all()


def test_any_run_of_a_tile_lies_close_together():
    down, across = np.divmod(patch_order((256, 256)), 256)
    for start in range(0, 65536 - 4096, 1111):
        own = slice(start, start + 4096)
        assert np.ptp(down[own]) < 160
        assert np.ptp(across[own]) < 160
        assert np.ptp(down[own]) * np.ptp(across[own]) < 5 * 4096
