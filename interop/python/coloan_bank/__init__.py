"""A small bank that speaks the coloan specification with a fund centre. The README says in which order to read it."""
