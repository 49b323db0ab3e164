"""Ice in cores: excess ice as a bounded share, visible ice as classes, columns for covariates beside them."""

from pathlib import Path

import numpy as np
import pytest
from test_readers_made import make_castagner_excess_ice, make_castagner_visible_ice

from permagrid.errors import PermagridError
from permagrid.sites.readers import READERS


def test_excess_ice_is_in_percent_by_borehole(tmp_path: Path) -> None:
    sites = READERS["castagner_excess_ice"](make_castagner_excess_ice(tmp_path))
    assert sites["value"].tolist() == [0.0, 62.0]
    assert sites["site_id"].unique().tolist() == ["castagner:HUS_P (NTGS 8)"]
    assert sites["depth"].tolist() == [2.75, 3.25]
    assert sites["depth_top"].tolist() == [2.5, 3.0]
    assert sites["material"].tolist() == ["Fine", "Organics"]
    assert sites["visible_ice"].tolist() == [3.0, 75.0]
    assert sites["latitude"].isna().all()


def test_layers_without_a_class_are_no_observations(tmp_path: Path) -> None:
    sites = READERS["castagner_visible_ice"](make_castagner_visible_ice(tmp_path))
    assert sites["value"].tolist() == [2.0, 0.0]
    assert set(sites["variable"]) == {"visible_ice_class"}
    assert sites["holocene_deposit"].tolist() == ["Organics", "None"]
    assert sites["row"].tolist() == [2, 3]


@pytest.mark.parametrize(
    ("reader", "builder", "old", "new", "message"),
    [
        (
            "castagner_excess_ice",
            make_castagner_excess_ice,
            "0.62",
            "62",
            "column 'EI', row 3: '62' is no share",
        ),
        ("castagner_excess_ice", make_castagner_excess_ice, "Site ID", "Hole", "Site ID"),
        ("castagner_excess_ice", make_castagner_excess_ice, "S2,3,3.5", "S2,4,3.5", "row 3: the bottom"),
        (
            "castagner_visible_ice",
            make_castagner_visible_ice,
            "Medium to high",
            "Much",
            "'Much' is none of No",
        ),
        ("castagner_visible_ice", make_castagner_visible_ice, "174-18,1.5", ",1.5", "row 2: '' is no name"),
    ],
)
def test_strange_cores_are_named(reader, builder, old, new, message, tmp_path) -> None:
    path = builder(tmp_path)
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(PermagridError, match=message):
        READERS[reader](path)


def test_castagner(real_data: Path) -> None:
    folder = real_data / "castagner2022-excess-ice"
    samples = READERS["castagner_excess_ice"](folder / "SentinelBHdata.csv")
    assert (len(samples), samples["site_id"].nunique()) == (354, 15)
    assert samples["value"].max() == pytest.approx(97.7)
    assert (samples["value"] == 0).mean() == pytest.approx(0.613, abs=1e-3)
    layers = READERS["castagner_visible_ice"](folder / "CryostratigraphyBHdata.csv")
    assert (len(layers), layers["site_id"].nunique()) == (1483, 350)
    assert np.bincount(layers["value"].astype(int)).tolist() == [379, 505, 537, 62]
    assert set(layers["material"]) == {"Coarse", "Fine", "Till", "Organics"}
