"""Inside networks with weights: filters, maps, what excites a layer, and what it knows"""
