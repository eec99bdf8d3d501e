"""Interactive views: ipywidgets, Plotly FigureWidgets and one anywidget; state and wiring only, no statistics."""
