"""The method's steps: values in, one value out; none knows another, `tracing` and `analysis` know the order."""
