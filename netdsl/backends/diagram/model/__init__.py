"""What is drawn, apart from where: the shape of a network, and its idea."""
