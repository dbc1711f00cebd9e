"""The method's steps: values in, one value out; none knows another, `leakseg.analysis` knows the order."""
