"""Every representation and decoder of a bank side by side: how near to the recordings, and at what cost."""
