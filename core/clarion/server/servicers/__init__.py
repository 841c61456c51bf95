"""One servicer a service: each converts and delegates."""
