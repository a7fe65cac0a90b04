# SPDX-License-Identifier: GPL-2.0-or-later
"""Bisection of a size."""

import functools


def smallest(saves, low, high, most=1024):
    """The least number that saves, taking it that every larger one does too.

    The bracket only saves time: it moves when `high` fails or `low` saves.
    """
    saves = functools.cache(saves)
    while not saves(high):
        low, high = high, high + 2 * (high - low)
        if high > most:
            return None
    while saves(low):
        low, high = low - (high - low), low
        if low <= 0:
            return high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if saves(middle) else (middle, high)
    return high
