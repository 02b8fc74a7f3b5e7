"""The benchmarks themselves: that they find faults, end in time and lose nothing."""
