"""The public verbs that join text, kernel and files, a file each. Nothing here prints.

A verb imports what it alone needs, and what only some of its calls need inside the function.
"""
