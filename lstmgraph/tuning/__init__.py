"""``tune``: from a searched recipe and its data to the best concrete recipe and its model."""
