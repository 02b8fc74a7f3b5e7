"""A look inside a network with weights: filters, maps, what excites a layer, what it still knows"""
