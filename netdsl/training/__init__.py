"""Training of a network over many image sizes, on Lightning, with exact resuming."""
