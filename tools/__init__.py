"""What builds, sets up and documents this project; nothing here is imported by the Pulumi program."""
