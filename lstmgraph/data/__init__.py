"""Data files and arrays as checked examples, by the recipe's names."""
