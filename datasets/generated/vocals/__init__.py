"""Voices of the generated songs: speech (espeak-ng), rap, and singing with its melodies."""
