"""Data files and arrays to checked examples, named as in the recipe; pyarrow reads the tables."""
