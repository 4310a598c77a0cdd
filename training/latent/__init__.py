"""The latent representation."""
