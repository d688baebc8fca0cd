"""A real browser, driven by its own protocol: Chromium without a window, where one is installed."""

import asyncio
import base64
import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import aiohttp

__all__ = ["BROWSER", "visit"]

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
_OPTIONS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars")


class Visit:
    """A page in a browser; `complaints` are what its console said."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket, self._number, self.complaints = socket, 0, list[str]()

    async def call(self, method: str, **parameters: Any) -> Any:
        self._number += 1
        await self._socket.send_json({"id": self._number, "method": method, "params": parameters})
        while True:
            answer = json.loads((await asyncio.wait_for(self._socket.receive(), 60)).data)
            if answer.get("method") == "Log.entryAdded":
                self.complaints.append(answer["params"]["entry"]["text"])
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]

    async def value(self, expression: str) -> Any:
        """What an expression of JavaScript comes to, or the promise that it is."""
        found = await self.call(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True, userGesture=True
        )
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    async def press(self, key: str, times: int = 1) -> None:
        codes = {"Tab": 9, "Enter": 13, "Escape": 27, "ArrowRight": 39}
        for _ in range(times):
            for kind in ("keyDown", "keyUp"):
                named = {"key": key, "code": key, "windowsVirtualKeyCode": codes[key]}
                text = {"text": "\r"} if key == "Enter" and kind == "keyDown" else {}
                await self.call("Input.dispatchKeyEvent", type=kind, **named, **text)

    async def picture(self, path: Path) -> None:
        found = await self.call("Page.captureScreenshot", captureBeyondViewport=False)
        path.write_bytes(base64.b64decode(found["data"]))


def visit(page: Path, steps: Any, *, dark: bool = False, size: Sequence[int] = (1280, 900)) -> Any:
    """Open a file of HTML, and give what `steps`, a coroutine function of a `Visit`, does."""
    return asyncio.run(_visit(page, steps, dark, size))


async def _visit(page: Path, steps: Any, dark: bool, size: Sequence[int]) -> Any:
    assert BROWSER is not None
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [BROWSER, *_OPTIONS, f"--user-data-dir={profile}", "--remote-debugging-port=0", "about:blank"]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        try:
            assert process.stderr is not None
            port = next(found[1] for line in process.stderr if (found := re.search(r"ws://127\.0\.0\.1:(\d+)/", line)))
            async with aiohttp.ClientSession() as session:
                async with session.get(f"http://127.0.0.1:{port}/json") as answer:
                    target = next(one for one in await answer.json(content_type=None) if one["type"] == "page")
                async with session.ws_connect(target["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                    one = Visit(socket)
                    for domain in ("Page", "Runtime", "Log"):
                        await one.call(f"{domain}.enable")
                    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
                    await one.call("Emulation.setEmulatedMedia", features=[scheme])
                    shape = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": False}
                    await one.call("Emulation.setDeviceMetricsOverride", **shape)
                    await one.call("Page.navigate", url=page.resolve().as_uri())
                    await one.value("new Promise(done => document.readyState === 'complete' ? done() : onload = done)")
                    found = await steps(one)
                    assert one.complaints == []
                    return found
        finally:
            process.terminate()
            process.wait()
            if process.stderr is not None:
                process.stderr.close()
