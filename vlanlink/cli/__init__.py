"""The command line: one file a verb. It uses the library's public names, and alone prints."""
