"""The commands of `s1flow`, a module each; the table of them is in cli.py."""
