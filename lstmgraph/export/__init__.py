"""Models for other runtimes: written, run again, and compared before they get their name.

Importing this room, and asking what keeps a recipe from a format, imports no TensorFlow; `files`
does.
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
