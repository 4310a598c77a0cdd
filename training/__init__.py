"""Learning from recordings: datasets, the NCA in torch, losses, trainers, evaluation."""
