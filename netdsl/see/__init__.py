"""Inside trained networks: filters, maps, what excites a layer, and what it knows"""
