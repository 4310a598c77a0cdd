"""What is known of recorded keys, as it is stored: arrays of many instruments, and the key table of one."""
