from __future__ import annotations

import numpy as np
import pytest

from clarion.errors import ArtifactCorruptError, SignalMismatchError, TooFewRowsError
from clarion.features import FitContext
from clarion.frames import Frame, Signal, SignalKind
from clarion.state import State
from clarion.tables import from_columns
from clarion_features.encode import Encode, FittedEncode


def flows(
    services: list[str | None], sizes: list[float], words: str = "ftp http smtp ssh"
) -> Frame:
    vocabulary = tuple(words.split())
    codes = [-1 if service is None else vocabulary.index(service) for service in services]
    return Frame(
        signals=(
            Signal("service", SignalKind.CATEGORICAL, vocabulary=vocabulary),
            Signal("size", unit="B"),
        ),
        values=np.array(sizes, np.float64)[:, None],
        codes=np.array(codes, np.int32)[:, None],
    )


TRAINING = flows(["http", "ssh", "http", "ftp", "http"], [1, 2, 3, 4, 5])


def test_each_word_has_its_column(context: FitContext) -> None:
    fitted = Encode().fit(TRAINING, context)
    features = fitted.transform(TRAINING).frame
    assert features.names == (
        "service=http",
        "service=ftp",
        "service=ssh",
        "service=<other>",
        "size",
    )
    assert features.signals[-1].unit == "B"
    assert features.values[:3].tolist() == [[1, 0, 0, 0, 1], [0, 0, 1, 0, 2], [1, 0, 0, 0, 3]]
    assert fitted.reads["service=ssh"] == ("service",)
    assert fitted.reads["size"] == ("size",)


def test_words_never_seen_rare_or_missing_are_other(context: FitContext) -> None:
    fitted = Encode(max_categories=1).fit(TRAINING, context)
    given = flows(["telnet", "ssh", None, "http"], [0] * 4, words="http ssh telnet")
    features = fitted.transform(given).frame
    assert features.names == ("service=http", "service=<other>", "size")
    assert features.values[:, :2].tolist() == [[0, 1], [0, 1], [0, 1], [1, 0]]


def test_missing_has_its_column_if_it_was_seen(context: FitContext) -> None:
    fitted = Encode().fit(flows(["http", None], [1, 2]), context)
    features = fitted.transform(flows([None, "ftp", "http"], [0] * 3)).frame
    assert features.names[:3] == ("service=http", "service=<other>", "service=<missing>")
    assert features.values[:, :3].tolist() == [[0, 0, 1], [0, 1, 0], [1, 0, 0]]


def test_frequencies_are_smoothed_probabilities(context: FitContext) -> None:
    fitted = Encode(method="frequency").fit(flows(["http", "http", "ssh", None], [0] * 4), context)
    given = flows(["http", "ssh", "ftp", None], [0] * 4)
    features = fitted.transform(given).frame
    assert [(s.name, s.unit) for s in features.signals] == [
        ("service.surprise", "nat"),
        ("size", "B"),
    ]
    # 4 rows, 3 words with "missing", 1 for all others.
    probabilities = np.exp(-features.values[:, 0])
    np.testing.assert_allclose(probabilities, np.array([3, 2, 1, 2]) / 8)
    assert probabilities.sum() == pytest.approx(1.0)


def test_without_missing_cells_a_missing_one_is_as_rare_as_a_new_word(context: FitContext) -> None:
    fitted = Encode(method="frequency").fit(TRAINING, context)
    surprises = fitted.transform(flows([None, "smtp"], [0, 0])).frame.values[:, 0]
    np.testing.assert_allclose(np.exp(-surprises), 1 / (5 + 3 + 1))


def test_words_count_not_their_codes(context: FitContext) -> None:
    fitted = Encode().fit(TRAINING, context)
    wanted = fitted.transform(flows(["ftp", "ssh"], [1, 2])).frame.values
    other_codes = flows(["ftp", "ssh"], [1, 2], words="zzz ssh ftp")
    np.testing.assert_array_equal(fitted.transform(other_codes).frame.values, wanted)


def test_missing_numbers_pass(context: FitContext) -> None:
    fitted = Encode().fit(TRAINING, context)
    assert np.isnan(fitted.transform(flows(["ftp"], [np.nan])).frame.values[0, -1])


def test_the_lineage_leads_to_the_signal_in_the_order_of_the_frame(context: FitContext) -> None:
    fitted = Encode().fit(TRAINING, context)
    given = TRAINING.aligned_to(["size", "service"])
    features = fitted.transform(given)
    trace = features.lineage.rows(2)
    assert trace.linear.tolist() == [False] * 4 + [True]
    rows, columns = trace.weights.nonzero()
    size, service = 2 * 2, 2 * 2 + 1
    assert dict(zip(rows.tolist(), columns.tolist(), strict=True)) == {
        0: service,
        1: service,
        2: service,
        3: service,
        4: size,
    }
    assert set(trace.weights.data) == {1.0}


def test_numbers_for_words_are_refused(context: FitContext) -> None:
    fitted = Encode().fit(TRAINING, context)
    with pytest.raises(SignalMismatchError, match="'service' is numeric, and was categorical"):
        fitted.transform(Frame.of([[1.0, 2.0]], ["service", "size"]))


def test_no_rows_are_refused(context: FitContext) -> None:
    with pytest.raises(TooFewRowsError, match="an encoding"):
        Encode().fit(flows([], []), context)


@pytest.mark.parametrize("method", ["one_hot", "frequency"])
def test_the_state_gives_the_same_bits_back(context: FitContext, method: str) -> None:
    fitted = Encode(method=method).fit(flows(["http", "ssh", None], [1, 2, 3]), context)
    state = fitted.state()
    given = flows(["http", None, "smtp"], [1, 2, 3])
    wanted, got = (f.transform(given).frame for f in (fitted, FittedEncode.from_state(state)))
    assert got.signals == wanted.signals
    assert got.values.tobytes() == wanted.values.tobytes()
    short = {"table_0": state.arrays["table_0"][1:]}
    with pytest.raises(ArtifactCorruptError, match="table_0"):
        FittedEncode.from_state(State(1, state.parameters, short))
    with pytest.raises(ArtifactCorruptError, match="tables"):
        FittedEncode.from_state(State(1, {**state.parameters, "tables": {}}, state.arrays))


def test_the_state_survives_a_store_that_sorts_names(context: FitContext) -> None:
    words = {"verb": ["get", "put"], "flag": ["up", "down"]}
    frame = from_columns({name: np.array(cells, object) for name, cells in words.items()})
    fitted = Encode().fit(frame, context)
    state = fitted.state()
    tables = state.parameters["tables"]
    parameters = {**state.parameters, "tables": {name: tables[name] for name in sorted(tables)}}
    restored = FittedEncode.from_state(State(1, parameters, state.arrays))
    wanted, got = (f.transform(frame).frame for f in (fitted, restored))
    assert got.signals == wanted.signals
    assert got.values.tobytes() == wanted.values.tobytes()
