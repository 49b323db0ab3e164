"""Fitted learners and ensembles as folders of plain files, which predict on any machine, without pickle."""

from permagrid.models.folder import load_model, save_model
from permagrid.models.forms import map_predictor
from permagrid.models.model import Column, Learner, Model, Target

__all__ = ["Column", "Learner", "Model", "Target", "load_model", "map_predictor", "save_model"]
