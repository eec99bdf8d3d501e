"""What arrives when a page sends a widget a message, without a page."""


def message(widget, content, buffers=()):
    """Give a widget what its JavaScript would send by ``model.send(content, callbacks, buffers)``."""
    data = {"method": "custom", "content": content}
    widget.comm.handle_msg({"content": {"data": data}, "buffers": list(buffers)})
