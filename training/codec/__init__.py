"""The audio codec of the latent representation."""
