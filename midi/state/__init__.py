"""What messages do: channels, keys and pedals."""
