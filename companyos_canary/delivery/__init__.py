"""Messages on their way to the services of notifications: what each is sent, and sending it."""
