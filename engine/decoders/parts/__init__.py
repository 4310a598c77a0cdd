"""Parts that decoders share."""
