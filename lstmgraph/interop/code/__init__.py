"""Prints models as plain Keras code: recipes, and existing files of Keras."""

from lstmgraph.interop.code.errors import CodeError
from lstmgraph.interop.code.files import is_keras_file, keras_code
from lstmgraph.interop.code.source_file import Code
from lstmgraph.interop.notes import Note

__all__ = ["Code", "CodeError", "Note", "is_keras_file", "keras_code"]
