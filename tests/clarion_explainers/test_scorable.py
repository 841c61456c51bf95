import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np

from clarion.arrays import FloatArray
from clarion.explainers import Scorable
from clarion.frames import Frame


def test_what_is_made_once_is_the_same_object_for_every_thread() -> None:
    case, meet = Scorable(lambda f: np.zeros(len(f)), Frame.of([[1.0]])), Barrier(4)

    def make() -> object:
        turn = meet.wait(timeout=10)  # all four are in the making before any is done
        time.sleep(0.02 * turn)
        return object()

    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: case.once("thing", make), range(4)))
    assert len({id(thing) for thing in made}) == 1
    assert case.once("thing", object) is made[0]
    assert case.once("other", object) is not made[0]


def test_the_background_is_scored_once_for_all_explainers() -> None:
    calls: list[int] = []

    def score(frame: Frame) -> FloatArray:
        calls.append(len(frame))
        return frame.numeric()[:, 0]

    case = Scorable(score, Frame.of([[1.0], [2.0], [6.0]]))
    assert [case.mean_score(), case.mean_score()] == [3.0, 3.0]
    assert case.background_scores().tolist() == [1.0, 2.0, 6.0]
    assert calls == [3]


def test_each_scorable_remembers_for_itself() -> None:
    first, second = (Scorable(lambda f: f.numeric()[:, 0], Frame.of([[x]])) for x in (1.0, 2.0))
    assert (first.mean_score(), second.mean_score()) == (1.0, 2.0)
