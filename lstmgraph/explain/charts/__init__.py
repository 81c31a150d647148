"""Charts as SVG: axes with round ticks, frames, lines and points."""
