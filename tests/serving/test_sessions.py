"""Which kernels are ended: those that a page left, not those that are kept ready for one."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from dgemma_viz.serving.sessions import IDLE, SessionManager


def test_a_preheated_kernel_lasts_until_a_page_has_had_and_left_it():
    async def kept_and_ended():
        manager = SessionManager(disconnected_seconds=60)
        kernel_id = await manager.start_kernel()
        kernel = manager.get_kernel(kernel_id)

        async def lasts_a_long_rest():
            kernel.execution_state, kernel.last_activity = "idle", datetime.now(UTC) - timedelta(hours=1)
            await manager.cull_kernel_if_idle(kernel_id)
            return kernel_id in manager

        async def warmed():
            return {"kernel_id": kernel_id}

        task = asyncio.ensure_future(warmed())
        await task
        manager._pools = {"page.ipynb": [task]}  # as Voila keeps them
        in_the_pool = await lasts_a_long_rest()
        manager._pools = {"page.ipynb": []}
        assert manager.admit("a visitor") is None
        manager.arrived("a visitor", kernel_id)
        await manager.cull_kernel_if_idle(kernel_id)
        on_its_way = kernel_id in manager
        left = await lasts_a_long_rest()
        return in_the_pool, on_its_way, left, await manager.state(kernel_id)

    # In a thread: where browser tests ran before, Playwright has a loop in this one.
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(asyncio.run, kept_and_ended()).result() == (True, True, False, IDLE)
