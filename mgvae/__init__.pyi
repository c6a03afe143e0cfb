from mgvae.sampler.oversampler import MGVAEOverSampler as MGVAEOverSampler

__version__: str
