"""How far explanations can be trusted, measured: sums, enumeration, removal, stability, sanity."""
