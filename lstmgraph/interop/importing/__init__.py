"""Existing Keras models as recipes: `lstmgraph import`."""

from lstmgraph.interop.importing.conversion import Converted, convert
from lstmgraph.interop.importing.running import Imported, import_source

__all__ = ["Converted", "Imported", "convert", "import_source"]
