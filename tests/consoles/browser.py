"""Debian's Chromium driven by playwright, and the consoles served by their real server for it."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Page, sync_playwright

from tests.support.postgres import TestDatabase

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
# As root there is no sandbox; without the rest Chromium looks for hosts of its own at every start.
_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def chromium() -> str:
    """Chromium's path; skips the test where there is none, but fails it where everything must be tested."""
    if CHROMIUM is None:
        reason = "no chromium on the path: apt-get install chromium fonts-noto-cjk"
        if os.environ.get("ONECARD_TEST_ALL"):
            pytest.fail(reason)
        pytest.skip(reason)
    return CHROMIUM


@dataclass
class Seen:
    """What a page did that nobody asked for."""

    errors: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)


@contextmanager
def browser_page(base: str) -> Iterator[tuple[Page, Seen]]:
    """A page of a fresh browser, and a record of its errors and of requests that left for another host."""
    seen = Seen()
    path = chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=_FLAGS)
        page = browser.new_context(viewport={"width": 1280, "height": 800}, accept_downloads=True, base_url=base).new_page()
        page.on("console", lambda message: seen.errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: seen.errors.append(str(error)))
        page.on(
            "request",
            lambda request: None if request.url.startswith((base, "blob:", "data:")) else seen.foreign.append(request.url),
        )
        try:
            yield page, seen
        finally:
            browser.close()


@contextmanager
def role(database: TestDatabase, *words: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A process of `onecard serve` on the test's database."""
    process = subprocess.Popen(
        [sys.executable, "-m", "onecard", "serve", *words],
        env={**database.environment, "ONECARD_APP_DATABASE": database.app_dsn},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def served(database: TestDatabase) -> Iterator[str]:
    """`onecard serve web` on a free port; gives its address once it answers."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with role(database, "web", "--port", str(port)) as process:
        deadline = time.monotonic() + 30
        while process.poll() is None and time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
            except OSError:
                time.sleep(0.05)  # granian announces itself in its log only: its socket is what can be waited for
            else:
                yield f"http://127.0.0.1:{port}"
                return
        raise AssertionError(f"the web server did not come up: exit code {process.poll()}")
