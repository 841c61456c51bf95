"""Between the messages of ``clarion_api`` and the values of the domain; nothing is decided here."""
