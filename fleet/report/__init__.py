"""`fleet report`: one page over all stacks."""
