"""How dates and numbers are written on pages; Django finds a language's formats by its name."""
