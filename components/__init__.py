"""The program's parts: settings of a stack, and the components that turn them into resources."""
