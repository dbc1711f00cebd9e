"""Digital phantoms with known cement: truth for the analysis, made without knowing the analysis.

Nothing here imports `leakseg.stages` or `leakseg.analysis`: the examiner does not know the pupil.
Public names: `leakseg.phantom.implant.implant`, `leakseg.phantom.make.make`,
`leakseg.phantom.folders.write_phantom`.
"""
