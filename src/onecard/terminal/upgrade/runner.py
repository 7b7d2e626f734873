"""Follows the list of tasks of a line: each device's tasks one after another, and an action that is off the list is given up."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import aclosing

from onecard.protocol.proto.device_pb2 import DeviceEvent, Task, Tasks
from onecard.terminal.upgrade.client import UpdateClient


class TaskRunner:
    """`NativeClient(listeners=Listeners(on_tasks=runner.on_tasks))`; a client by terminal id (0: the line's own)."""

    def __init__(self, clients: Mapping[int, UpdateClient], emit: Callable[[DeviceEvent], None]) -> None:
        """`emit` journals an event before it returns."""
        self._clients = clients
        self._emit = emit
        self._running: dict[int, tuple[bytes, asyncio.Task[None]]] = {}
        self._over: dict[int, bytes] = {}

    def on_tasks(self, tasks: Tasks) -> None:
        """The whole list as it is now. Call it in the event loop."""
        wanted = {task.action_id: (task.SerializeToString(deterministic=True), task) for task in tasks.tasks}
        for action_id, (content, running) in list(self._running.items()):
            if action_id not in wanted or wanted[action_id][0] != content:
                running.cancel()  # one that has begun to flash goes through with it all the same
                del self._running[action_id]
        self._over = {action: content for action, content in self._over.items() if action in wanted}
        for action_id, (content, task) in wanted.items():
            if task.terminal_id in self._clients and action_id not in self._running and self._over.get(action_id) != content:
                self._running[action_id] = (content, asyncio.create_task(self._run(task, content), name=f"update {action_id}"))

    async def stop(self) -> None:
        """Give up whatever is under way; it goes on where it stopped when the list comes again."""
        running = [task for _, task in self._running.values()]
        self._running.clear()
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def _run(self, task: Task, content: bytes) -> None:
        async with aclosing(self._clients[task.terminal_id].handle(task)) as events:
            async for event in events:
                self._emit(event)
        self._over[task.action_id] = content
        self._running.pop(task.action_id, None)
