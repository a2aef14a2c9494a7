"""What stands between the verbs and their users.

- ``parser``: help, and errors about what was typed. ``completion``: the same for shells.
- ``results``: what a verb gives back, printed as lines or as JSON.
- ``streams``: standard output and standard error, whatever they are.
- ``environment``: what the program runs on.
"""
