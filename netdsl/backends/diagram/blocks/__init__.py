"""Units in rows: blocks and layers."""
