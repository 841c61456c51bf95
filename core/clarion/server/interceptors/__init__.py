"""What happens around every call: errors, logs, request ids, limits, parsing, validation."""
