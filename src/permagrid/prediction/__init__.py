"""Wall-to-wall prediction of a fitted learner over a covariate stack."""

from permagrid.prediction.blocks import Block, predict_blocks, row_wise

__all__ = ["Block", "predict_blocks", "row_wise"]
