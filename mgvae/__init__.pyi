from mgvae.prediction.predictor import load_model as load_model
from mgvae.sampler.guided_classifier import MajorityGuidedClassifier as MajorityGuidedClassifier
from mgvae.sampler.oversampler import MGVAEOverSampler as MGVAEOverSampler

__version__: str
