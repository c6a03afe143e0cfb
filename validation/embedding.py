"""The embedding of rows by its former name, see `mgvae.cohort.embedding`."""

from mgvae.cohort.embedding import Floats as Floats
from mgvae.cohort.embedding import fit_embedding as fit_embedding
from mgvae.cohort.embedding import nearest as nearest
from mgvae.cohort.embedding import nearest_other as nearest_other
from mgvae.cohort.embedding import numbers as numbers
from mgvae.cohort.embedding import plain_matrix as plain_matrix
