"""One instrument of a user's own, learned from a handful of notes on a foundation that stays as it is."""
