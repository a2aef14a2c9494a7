"""What tests of several rooms have in common. Nothing here is a test."""
