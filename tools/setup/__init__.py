"""The set-up behind `make setup`: virtual environment and Pulumi engine. Standard library only."""
