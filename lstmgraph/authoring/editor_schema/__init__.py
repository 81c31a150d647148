"""The recipe schema as editors read it: one file, with `$search` and `$choose`, made to complete.

lstmgraph itself checks a recipe by the files under schemas/, with values in place of what searches
them. The published schema gives the same verdict, but is of another shape, for what editors do:

* a value that may be searched is an ``anyOf`` of the value, ``$search`` and ``$choose``;
* references lead to definitions and never into them, as editors rewrite schemas while they resolve;
* a ``type`` is asked for by its whole text: completion takes the beginning of one for the whole,
  and would offer `conv1d_transpose`'s arguments in a `conv1d`;
* each type has its own closed mapping, so that no argument of another one is offered;
* single words that a value may be stand in an ``enum`` where completion looks for them;
* mappings among examples are snippets, as an editor cannot show them as examples.
"""

from __future__ import annotations

from lstmgraph.authoring.editor_schema.publisher import published_schema

__all__ = ["published_schema"]
