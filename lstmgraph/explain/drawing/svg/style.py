"""The style sheet of the SVG: common shapes, and colours for each theme.

Colours are in separate rules, not in variables, which some SVG viewers do not support.
"""

from __future__ import annotations

THEMES = ("auto", "light", "dark")

_SHAPES = """
.lstmgraph text{font-family:"Segoe UI",Helvetica,Arial,"DejaVu Sans",sans-serif;font-size:11px}
.lstmgraph .heading{font-size:15px;font-weight:bold}
.lstmgraph .name{font-size:13px;font-weight:bold}
.lstmgraph .badge text,.lstmgraph .label{font-size:10px}
.lstmgraph .group text{font-weight:bold}
.lstmgraph .line{fill:none;stroke-width:1.4}
.lstmgraph .state .line{stroke-dasharray:5 3}
.lstmgraph .mask .line{stroke-dasharray:1 3;stroke-linecap:round}
.lstmgraph .outline{stroke-width:1.2}
.lstmgraph .operation .outline{stroke-dasharray:4 3}
.lstmgraph .recurrent .outline{stroke-width:1.8}
.lstmgraph .label,.lstmgraph .group text{paint-order:stroke;stroke-width:3px;stroke-linejoin:round}
"""

_COLOURS = """
.lstmgraph .page{{fill:{page}}}
.lstmgraph text{{fill:{ink}}}
.lstmgraph .side{{fill:{faint}}}
.lstmgraph .outline{{fill:{box};stroke:{edge}}}
.lstmgraph .recurrent .outline{{fill:{recurrent};stroke:{recurrent_edge}}}
.lstmgraph .input .outline{{fill:{input};stroke:{input_edge}}}
.lstmgraph .output .outline{{fill:{output};stroke:{output_edge}}}
.lstmgraph .group rect{{fill:{group};stroke:{group_edge}}}
.lstmgraph .group text{{fill:{faint};stroke:{group}}}
.lstmgraph .line{{stroke:{line}}}
.lstmgraph .head{{fill:{line}}}
.lstmgraph .label{{fill:{faint};stroke:{page}}}
.lstmgraph .state .line{{stroke:{state}}}
.lstmgraph .state .head,.lstmgraph .state .label{{fill:{state}}}
.lstmgraph .mask .line{{stroke:{mask}}}
.lstmgraph .mask .label{{fill:{mask}}}
.lstmgraph .mask .ring{{fill:{page};stroke:{mask}}}
.lstmgraph .badge rect{{fill:{group};stroke:{group_edge}}}
.lstmgraph .badge.state rect{{fill:{state_badge};stroke:{state}}}
.lstmgraph .badge.mask rect{{fill:{mask_badge};stroke:{mask}}}
"""

_LIGHT = {
    "page": "#ffffff", "ink": "#1b2330", "faint": "#566173", "line": "#4a5568",
    "box": "#ffffff", "edge": "#7b8798", "group": "#f4f6f9", "group_edge": "#d3d9e2",
    "recurrent": "#e9f1fd", "recurrent_edge": "#2f6fc4",
    "input": "#e8f6ec", "input_edge": "#3c8a57", "output": "#fdf0e3", "output_edge": "#b8691d",
    "state": "#7a3fb0", "state_badge": "#f4ebfb", "mask": "#8a6100", "mask_badge": "#fdf5d8",
}  # fmt: skip
_DARK = {
    "page": "#12171f", "ink": "#e8edf4", "faint": "#a3afbf", "line": "#a9b4c4",
    "box": "#1e2631", "edge": "#7c899b", "group": "#181f29", "group_edge": "#353f4d",
    "recurrent": "#1b2f4b", "recurrent_edge": "#6ba6f2",
    "input": "#193325", "input_edge": "#5fb881", "output": "#3a2a18", "output_edge": "#e0994d",
    "state": "#c79bf0", "state_badge": "#33234a", "mask": "#e0b84a", "mask_badge": "#3a3115",
}  # fmt: skip


def style(theme: str) -> str:
    """Return the style sheet of ``light``, ``dark``, or of the theme that the reader prefers."""
    first = _DARK if theme == "dark" else _LIGHT
    rules = _SHAPES + _COLOURS.format(**first).lstrip()
    if theme == "auto":
        dark = _COLOURS.format(**_DARK)
        rules += f"@media (prefers-color-scheme:dark){{{dark}}}\n"
    return rules.replace(".lstmgraph", f".lstmgraph-{theme}")
