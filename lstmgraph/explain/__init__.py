"""Descriptions of a recipe's models: tables, pictures, comparisons and memory estimates."""
