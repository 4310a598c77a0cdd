"""The bank at 22,050 Hz, in six representations: five of them play beside the full band, all for small machines."""
