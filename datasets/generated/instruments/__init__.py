"""Instruments of the generated songs: bass, drum sounds, drummers, and keys with loops."""
