"""Checks of whole sections: settings that shut each other out, data, metrics, searches."""
