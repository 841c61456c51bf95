"""The command ``clarion``: one file a command; what is heavy is imported inside the commands."""
