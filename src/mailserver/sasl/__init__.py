"""Authentication mechanisms as engines: challenge and response, no transport."""
