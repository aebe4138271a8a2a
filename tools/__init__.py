"""What an agent can do: plain typed functions that answer text. No AutoGen here."""
