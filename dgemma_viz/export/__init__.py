"""Take it along: a trace or a comparison as one self-contained HTML file, and its token canvas as an animation."""
