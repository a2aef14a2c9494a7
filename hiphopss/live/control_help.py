"""Help on commands and keys, in a module of its own so that `--help` need not import the rest."""

COMMANDS = """\
  vocals -6          gain in dB (also gain vocals -6); vocals +=1 is relative
  pan bass -0.2      -1 left, 1 right
  mute drums, unmute drums, solo vocals, unsolo vocals, unsolo
  reset, quit (or q)
  @12.5 mute drums   when 12.5 s have been mixed"""

EXAMPLES = "vocals -6, pan bass -0.2, mute drums, solo vocals, reset or quit"

KEYS = """\
1-4 mute; v b d o choose a source, then + - gain by 1 dB, < > pan by 0.1, m mute, s solo;
r reset, ? help, q quit"""
