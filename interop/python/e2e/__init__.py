"""The whole life of an application against a running centre, then everything a bank may not do.

Prints one line for each step; ends with status 1 at the first that is wrong.
"""
