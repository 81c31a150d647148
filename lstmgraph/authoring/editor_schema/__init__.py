"""The recipe schema for editors: one file, with `$search` and `$choose`, shaped for completion.

lstmgraph itself checks recipes against the files under schemas/, after replacing searches by
values. The published schema accepts the same recipes, but is structured for editors:

* a value that may be searched is an ``anyOf`` of the value, ``$search`` and ``$choose``;
* references point to definitions, never into them, as editors rewrite schemas on resolving them;
* a condition on ``type`` matches its whole text, as completion would otherwise match a prefix and
  offer the arguments of `conv1d_transpose` in a `conv1d`;
* each type has its own closed mapping, so that arguments of other types are not offered;
* the words that a value may be are in an ``enum`` where completion looks for them;
* mappings among the examples become snippets, as editors cannot show them as examples.
"""

from __future__ import annotations

from lstmgraph.authoring.editor_schema.publisher import published_schema

__all__ = ["published_schema"]
