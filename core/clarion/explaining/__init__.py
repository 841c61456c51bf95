"""Why a row has the score it has: ladder, pull-back, culprits, summary."""
