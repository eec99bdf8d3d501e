"""Node.js, which runs our JavaScript without a page: Playwright brings one along, and tells nobody where."""

from playwright._impl._driver import compute_driver_executable

NODE, _ = compute_driver_executable()
