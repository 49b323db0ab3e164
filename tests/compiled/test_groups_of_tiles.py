"""Tiles that walk together through a large forest say what each of them says by itself."""

import numpy as np
import pytest
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor

from permagrid.compiled import compile_trees
from permagrid.compiled.groups import TILES
from permagrid.compiled.sums import NEAR
from permagrid.compiled.tiles import CELLS


@pytest.mark.parametrize("kind", ["values", "shares"])
def test_tiles_together_say_what_the_estimator_says(kind):
    random = np.random.default_rng(0)
    rows, noise = random.normal(0, 1, (1500, 3)), random.normal(0, 1, 1500)
    if kind == "values":
        model = ExtraTreesRegressor(40, random_state=0).fit(rows, noise)
    else:
        # Leaves of several rows name no class, but say the shares of all three.
        model = ExtraTreesClassifier(150, min_samples_leaf=2, random_state=0)
        model.fit(rows, np.digitize(noise, [-0.5, 0.5]))
    compiled = compile_trees(model)
    assert compiled is not None
    assert len(compiled.forest.nodes) > NEAR
    say = model.predict if kind == "values" else model.predict_proba
    asked = random.normal(0, 1, (CELLS * (TILES + 2) + 5, 3)).astype(np.float32)
    asked = asked[np.argsort(asked[:, 0])]
    expected = say(asked)
    for count in (1, CELLS + 1, CELLS * TILES, len(asked)):
        np.testing.assert_array_equal(compiled.predict(asked[:count]), expected[:count])
