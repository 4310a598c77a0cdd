"""Send effects at the internal rate: what channels send to them comes back in stereo, added to the mix."""
