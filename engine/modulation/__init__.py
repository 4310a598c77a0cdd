"""What moves a sounding note: controllers, clocks, morphing, growth."""
