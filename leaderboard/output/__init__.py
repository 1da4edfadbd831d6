"""A board as text, Markdown, LaTeX, HTML, CSV, JSON, as a folder of pages and as figures."""
