"""A gateway with AsyncOS's command line over real SSH, for practice and for tests.

Built from the published facts alone: nothing here knows how the driver asks.
"""
