"""What stands before changes that would stop mail: the guard, and the sentinel that holds `destroy`."""
