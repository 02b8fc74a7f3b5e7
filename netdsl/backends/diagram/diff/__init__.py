"""What changes between two networks, drawn."""
