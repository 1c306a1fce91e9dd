"""The derivations as one LaTeX document: theorems, numbered steps, verification notes, references; and its PDF."""
