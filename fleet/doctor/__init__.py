"""What is wrong with a stack's surroundings, before anything is touched. Looks only."""
