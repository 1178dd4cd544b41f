"""What the models cost and what they can do."""
