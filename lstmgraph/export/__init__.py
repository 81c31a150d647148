"""Export of models to other runtimes; each file is run and compared before it gets its name.

Importing this package, or asking what prevents the export of a recipe, does not import TensorFlow;
the module `files` does.
"""

from lstmgraph.export.formats import FORMATS, ExportFormat, ExportOptions, target_path
from lstmgraph.export.obstacles import check_obstacles
from lstmgraph.export.report import ExportReport, OutputCheck

__all__ = [
    "FORMATS",
    "ExportFormat",
    "ExportOptions",
    "ExportReport",
    "OutputCheck",
    "check_obstacles",
    "target_path",
]
