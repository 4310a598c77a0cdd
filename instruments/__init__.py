"""The shipped bank: data files only, read through `tnca_synth.engine.bank.bank`."""
