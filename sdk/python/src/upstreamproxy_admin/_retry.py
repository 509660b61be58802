"""Repetitions: few, with pauses that vary by chance, and all within one deadline."""

import random
import time
from typing import Callable, TypeVar

from .errors import AdminError

ATTEMPTS_MAX = 5
CALL_TIMEOUT = 60.0
FIRST_PAUSE = 0.2
PAUSE_MAX = 5.0

T = TypeVar("T")


def pause_before(repetition: int, error: AdminError) -> float:
    """Seconds before the n-th repetition, from 0; never shorter than the response asks for."""
    base = min(FIRST_PAUSE * 2.0 ** min(repetition, 20), PAUSE_MAX)
    own = min(base * 2.0 ** (2.0 * random.random() - 1.0), PAUSE_MAX)
    return max(own, error.retry_after or 0.0)


def retried(attempt: Callable[[float], T], timeout: float, sleep: Callable[[float], None]) -> T:
    """Tries until it succeeds, or fails in a way that stays. A pause that the deadline has no time for is not begun."""
    deadline = time.monotonic() + timeout
    tries = 0
    while True:
        tries += 1
        try:
            return attempt(deadline)
        except AdminError as error:
            if not error.is_passing or tries >= ATTEMPTS_MAX:
                raise
            seconds = pause_before(tries - 1, error)
            if time.monotonic() + seconds >= deadline:
                raise
        sleep(seconds)
