"""The bank that plays unasked, at full band: data files only, read through `tnca_synth.engine.bank.bank`."""
