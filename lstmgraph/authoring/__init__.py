"""Help with writing recipes: formatting, migration, first recipes, the schema for editors."""
