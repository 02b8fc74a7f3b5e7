"""What a network, a block, a layer or a neuron is, in numbers; and the terms to tell it in."""
