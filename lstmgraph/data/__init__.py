"""Data files and arrays -> checked examples, by the recipe's names; tables by pyarrow."""
