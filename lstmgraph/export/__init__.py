"""Models for other runtimes: written, run again, and compared before they get their name.

Importing this package, or its check of what a format cannot hold, imports no TensorFlow; `files`
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
