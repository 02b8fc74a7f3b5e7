"""What can't be looked at, and why."""

from __future__ import annotations


class SeeError(ValueError):
    """A place, a class or an image that is not there, or does not go with the network."""
