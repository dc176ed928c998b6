"""A line search for the strong Wolfe conditions, with cubic interpolation.

Nocedal and Wright, Numerical Optimization, algorithms 3.5 and 3.6, with the safeguards
of minFunc that PyTorch's L-BFGS has as well: the same steps are tried.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from tinytorch._core.tensor import Tensor

__all__ = ["Point", "strong_wolfe"]

DECREASE = 1e-4  # Wolfe's c1
CURVATURE = 0.9  # Wolfe's c2
TOLERANCE = 1e-9
MOST_TRIALS = 25


class Point(NamedTuple):
    """What is known at a distance along the line."""

    step: float
    loss: float
    gradient: Tensor
    slope: float


def cubic_minimum(
    a: Point, b: Point, bounds: tuple[float, float] | None = None
) -> float:
    """Return where the cubic through both losses and slopes is least."""
    low, high = bounds or (min(a.step, b.step), max(a.step, b.step))
    d1 = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.step - b.step)
    square = d1 * d1 - a.slope * b.slope
    if not square >= 0:
        return (low + high) / 2.0
    d2 = math.sqrt(square)
    if a.step > b.step:
        a, b = b, a
    turn = (b.slope + d2 - d1) / (b.slope - a.slope + 2 * d2)
    return min(max(b.step - (b.step - a.step) * turn, low), high)


def strong_wolfe(
    evaluate: Callable[[float], Point], start: Point, step: float, largest: float
) -> tuple[Point, int]:
    """Return the point found and the number of evaluations.

    Args:
        evaluate: what is at a step along the line.
        start: what is at step 0.
        step: the first trial.
        largest: the largest element of the direction; scales the tolerance.
    """

    def rises(point: Point) -> bool:
        """Whether Wolfe's first condition, a sufficient decrease, fails."""
        return point.loss > start.loss + DECREASE * point.step * start.slope

    def is_flat(point: Point) -> bool:
        """Whether Wolfe's second condition holds."""
        return abs(point.slope) <= -CURVATURE * start.slope

    # go outwards until two points enclose a minimum
    previous, new, trials = start, evaluate(step), 0
    while trials < MOST_TRIALS:
        if rises(new) or (trials > 1 and new.loss >= previous.loss):
            ends = [previous, new]
            break
        if is_flat(new):
            return new, trials + 1
        if new.slope >= 0:
            ends = [previous, new]
            break
        reach = (new.step + 0.01 * (new.step - previous.step), new.step * 10)
        previous, new = new, evaluate(cubic_minimum(previous, new, reach))
        trials += 1
    else:
        ends = [start, new]
    best, trials = narrow(evaluate, ends, rises, is_flat, largest, trials)
    return best, trials + 1


def narrow(
    evaluate: Callable[[float], Point],
    ends: list[Point],
    rises: Callable[[Point], bool],
    is_flat: Callable[[Point], bool],
    largest: float,
    trials: int,
) -> tuple[Point, int]:
    """Shrink an interval around a minimum until a point fulfils both conditions."""
    low = 0 if ends[0].loss <= ends[1].loss else 1
    slow = False
    while trials < MOST_TRIALS:
        if abs(ends[1].step - ends[0].step) * largest < TOLERANCE:
            break
        left = min(ends[0].step, ends[1].step)
        right = max(ends[0].step, ends[1].step)
        step = cubic_minimum(ends[0], ends[1])
        margin = 0.1 * (right - left)
        near = min(right - step, step - left) < margin
        if near and (slow or step >= right or step <= left):
            # twice in a row close to an end: step inside
            closer_right = abs(step - right) < abs(step - left)
            step = right - margin if closer_right else left + margin
            near = False
        slow = near
        new = evaluate(step)
        trials += 1
        if rises(new) or new.loss >= ends[low].loss:
            ends[1 - low] = new
            low = 0 if ends[0].loss <= ends[1].loss else 1
            continue
        done = is_flat(new)
        if not done and new.slope * (ends[1 - low].step - ends[low].step) >= 0:
            ends[1 - low] = ends[low]
        ends[low] = new
        if done:
            break
    return ends[low], trials
