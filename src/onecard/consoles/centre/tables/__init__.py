"""Lists and forms of single tables, on Unfold's ModelAdmin."""
