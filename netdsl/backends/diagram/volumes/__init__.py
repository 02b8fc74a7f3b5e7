"""Feature maps as boxes to scale."""
