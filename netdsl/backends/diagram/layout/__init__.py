"""Where things stand in a whole network: a layout for each shape."""
