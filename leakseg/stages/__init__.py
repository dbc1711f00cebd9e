"""The method's steps: values in, one value out; none knows another, `leakseg.tracing` and `leakseg.analysis` know the order."""
