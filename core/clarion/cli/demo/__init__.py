"""``clarion demo``: the real server on recorded data, from the fit to a report with pictures."""
