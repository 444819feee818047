"""The terminal screens: they show and ask, and know no SQL and no business rule."""
