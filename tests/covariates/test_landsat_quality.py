"""The quality bands of Landsat Collection 2: every bit and every confidence, in one scene."""

import numpy as np
import pytest
from made_rasters import made
from made_scenes import CLEAR, write_landsat

from permagrid.covariates import Covariate
from permagrid.covariates.surface.landsat_quality import BITS, CONFIDENCES, confidence, masked, saturated
from permagrid.grid import make_geobox

EVERY = np.arange(65536, dtype="uint16").reshape(256, 256)
SCENE = make_geobox("EPSG:32652", 30, bounds=(500_000, 7_000_000, 507_680, 7_007_680))

# Common values of QA_PIXEL of Landsat 8 and 9 as the USGS lists them, and what it says of each.
LISTED = {
    1: {"fill"},
    21824: set(),
    21826: {"dilated_cloud"},
    21888: {"water"},
    21890: {"dilated_cloud", "water"},
    22080: {"medium"},
    22144: {"medium", "water"},
    22280: {"cloud"},
    23888: {"cloud_shadow"},
    23952: {"cloud_shadow", "water"},
    24344: {"cloud", "cloud_shadow"},
    30048: {"snow"},
    54596: {"cirrus"},
    54852: {"cirrus", "medium"},
    55052: {"cirrus", "cloud"},
}


def _hidden(root, mask, **keywords):
    """Return where the scene of all values of QA_PIXEL is nodata, at its own resolution."""
    covariate = Covariate(
        "ndvi",
        "landsat_index",
        "1",
        {"path": ".", "index": "ndvi", "mask": mask, "resampling": "nearest", **keywords},
    )
    return np.isnan(made(covariate, SCENE, root).values)


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    folder = tmp_path_factory.mktemp("all_bits")
    write_landsat(folder, SCENE, quality=EVERY)
    return folder


@pytest.mark.parametrize(
    ("flag", "bit"),
    [
        ("fill", 0),
        ("dilated_cloud", 1),
        ("cirrus", 2),
        ("cloud", 3),
        ("cloud_shadow", 4),
        ("snow", 5),
        ("water", 7),
    ],
)
def test_each_flag_masks_its_own_bit_and_no_other(scene, flag, bit):
    np.testing.assert_array_equal(_hidden(scene, [flag]), (EVERY // 2**bit) % 2 == 1)


def test_no_mask_hides_nothing(scene):
    assert not _hidden(scene, []).any()


def test_flags_add_up(scene):
    expected = (EVERY % 2 == 1) | ((EVERY // 2**3) % 2 == 1) | ((EVERY // 2**4) % 2 == 1)
    np.testing.assert_array_equal(_hidden(scene, ["fill", "cloud", "cloud_shadow"]), expected)


def test_clouds_of_medium_confidence_can_be_masked_as_well(scene):
    """Bits 8 and 9 are 00 none, 01 low, 10 medium and 11 high: medium is 512 alone, high 512 and 256."""
    level = (EVERY // 256) % 4
    flagged = (EVERY // 2**3) % 2 == 1
    np.testing.assert_array_equal(
        _hidden(scene, ["cloud"], cloud_confidence="medium"), flagged | (level == 2) | (level == 3)
    )
    np.testing.assert_array_equal(_hidden(scene, ["cloud"], cloud_confidence="high"), flagged)
    # It is a matter of clouds alone.
    np.testing.assert_array_equal(
        _hidden(scene, ["snow"], cloud_confidence="medium"), (EVERY // 2**5) % 2 == 1
    )


@pytest.mark.parametrize(
    ("flag", "low_bit"), [("cloud", 8), ("cloud_shadow", 10), ("snow", 12), ("cirrus", 14)]
)
@pytest.mark.parametrize("level", range(4))
def test_each_confidence_is_read_from_its_own_two_bits(flag, low_bit, level):
    alone = np.array([level << low_bit], dtype="uint16")
    assert {name: int(confidence(alone, name)[0]) for name in CONFIDENCES} == {
        name: level if name == flag else 0 for name in CONFIDENCES
    }


@pytest.mark.parametrize("value", LISTED)
def test_the_values_that_the_usgs_lists(value):
    one = np.array([float(value)])
    seen = {flag for flag in BITS if flag != "clear" and masked(one, [flag], cloud_confidence="high")[0]}
    doubtful = masked(one, ["cloud"], cloud_confidence="medium")[0] and "cloud" not in seen
    assert seen | ({"medium"} if doubtful else set()) == LISTED[value]


def test_declared_nodata_of_the_quality_band_is_fill():
    np.testing.assert_array_equal(
        masked(np.array([np.nan, float(CLEAR)]), ["fill"], cloud_confidence="high"), [True, False]
    )


@pytest.mark.parametrize("band", range(1, 8))
def test_saturation_has_a_bit_for_each_band(band):
    bit = np.array([float(2 ** (band - 1))])
    assert [bool(saturated(bit, [str(other)])[0]) for other in range(1, 8)] == [
        other == band for other in range(1, 8)
    ]
    # Landsat 7 numbers its thermal band twice, Landsat 8 has no bit for its own.
    assert saturated(np.array([32.0]), ["6_VCID_1"])[0]
    assert not saturated(np.array([65535.0 - 127.0]), ["10"])[0]


@pytest.mark.parametrize(("satellite", "red", "nir"), [(8, 3, 4), (5, 2, 3)])
def test_only_saturation_of_the_bands_that_are_used_is_masked(tmp_path, satellite, red, nir):
    """Bit 3 is band 4: red of Landsat 8, near infrared of Landsat 5."""
    write_landsat(tmp_path, SCENE, satellite=satellite, saturation=EVERY)
    expected = ((EVERY >> red) & 1 == 1) | ((EVERY >> nir) & 1 == 1)
    np.testing.assert_array_equal(_hidden(tmp_path, ["saturation"]), expected)
