from __future__ import annotations

import numpy as np
import pytest

from clarion.errors import ArtifactCorruptError
from clarion.features import FitContext
from clarion.frames import Frame
from clarion.state import State
from clarion_detectors.hbos import FittedHbos, Hbos


def test_terms_are_what_counting_gives(context: FitContext) -> None:
    values = np.array([[0.0], [0.1], [0.2], [0.9], [1.0]])
    fitted = Hbos(bins=2).fit(Frame.of(values), None, context)
    shares = {0.05: 4, 0.75: 3, 1.0: 3, -0.1: 1, 1.1: 1}  # rows in the bin, and one more
    got = fitted.terms(Frame.of([[x] for x in shares]))[:, 0]
    np.testing.assert_allclose(got, -np.log(np.array(list(shares.values())) / 9.0))


def test_values_of_the_fit_are_inside(rng: np.random.Generator, context: FitContext) -> None:
    frame = Frame.of(np.round(rng.normal(size=(200, 3)), 2))
    fitted = Hbos().fit(frame, None, context)
    outside = -np.log(1 / 222)
    assert (fitted.terms(frame) < outside).all()


def test_a_constant_signal_has_one_full_bin(context: FitContext) -> None:
    fitted = Hbos(bins=4).fit(Frame.of([[5.0]] * 50), None, context)
    same, other = fitted.score(Frame.of([[5.0], [5.2]]))
    assert other > same + 2


def test_edges_that_do_not_ascend_are_refused(context: FitContext) -> None:
    state = Hbos(bins=4).fit(Frame.of([[1.0], [2.0]]), None, context).state()
    arrays = {**state.arrays, "edges": state.arrays["edges"][:, ::-1]}
    with pytest.raises(ArtifactCorruptError, match="does not ascend"):
        FittedHbos.from_state(State(1, state.parameters, arrays))
