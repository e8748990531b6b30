"""What listens: asyncio loops around the engines."""
