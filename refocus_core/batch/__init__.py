"""Many pictures by one recipe: what is to be done, what is done already, and processes that do the rest.

recipes        options as a JSON file, and those of one picture in a file beside it
jobs           pictures and where their results go; two results of one name are refused
journal        which results are whole, so that a run that was killed goes on where it was
workers        processes that each do one picture after the other
storage        pictures and results at addresses (s3://, gs://, folders), and what is done there
remote         a picture at an address: fetched, done, its results brought to their place
on_ray         such pictures by Ray Data, on this machine or on a cluster

Nothing here knows what is done to a picture, nor how options are parsed: a composer hands that in (`cli/batch_command.py`).
"""

from .jobs import RESULT, Failure, Job, Naming, plan
from .journal import Journal, stamp
from .recipes import SIDECAR_SUFFIX, Recipe, Value, merged, read_recipe, write_recipe
from .workers import Outcome, Work, processors, run_jobs

__all__ = [
    "RESULT",
    "SIDECAR_SUFFIX",
    "Failure",
    "Job",
    "Journal",
    "Naming",
    "Outcome",
    "Recipe",
    "Value",
    "Work",
    "merged",
    "plan",
    "processors",
    "read_recipe",
    "run_jobs",
    "stamp",
    "write_recipe",
]
