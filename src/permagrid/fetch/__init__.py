"""Downloads of known data sets: resumed, checked, and recorded with licence and citation."""

from permagrid.fetch.plan import Choice, Plan, Remote, make_plan
from permagrid.fetch.run import Fetched, fetch
from permagrid.fetch.web import Web

__all__ = ["Choice", "Fetched", "Plan", "Remote", "Web", "fetch", "make_plan"]
