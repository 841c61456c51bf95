"""The gRPC server: converts and delegates; what is scored and why is decided below it."""
