"""A real browser, without a window, driven through a pipe by the DevTools protocol."""

import base64
import json
import shutil
import subprocess
from pathlib import Path
from time import monotonic, sleep
from types import TracebackType
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium")
OPTIONS = ("--headless", "--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")
NO_ASSISTANT = "localStorage.setItem('mlflow.assistant.fab.autoOpenedOnFirstLoad_v1', 'true')"
"""Before MLflow's pages: what it would open over them at the first visit stays closed."""
WATCH = """
var errors = [];
addEventListener("error", (event) => errors.push(event.message));
addEventListener("unhandledrejection", (event) => errors.push(String(event.reason)));
addEventListener("securitypolicyviolation", (event) => errors.push(event.violatedDirective));
"""
"""Before the page: its errors are kept."""
MIDDLE = """
(() => {{
  const element = {0};
  element?.scrollIntoView({{ block: "center", behavior: "instant" }});
  const box = element?.getClientRects()[0];
  return box && {{ x: box.x + box.width / 2, y: box.y + box.height / 2 }};
}})()
"""
"""Scroll an element into view and return its middle."""


KEYS: dict[str, dict[str, Any]] = {
    "Enter": {"text": "\r", "windowsVirtualKeyCode": 13},
    "Tab": {"windowsVirtualKeyCode": 9},
    "Escape": {"windowsVirtualKeyCode": 27},
    "ArrowUp": {"windowsVirtualKeyCode": 38},
    "ArrowDown": {"windowsVirtualKeyCode": 40},
    "ArrowLeft": {"windowsVirtualKeyCode": 37},
    "ArrowRight": {"windowsVirtualKeyCode": 39},
}
"""Keys, as the protocol presses them."""


class Browser:
    """One page of Chromium.

    Args:
        profile: Folder of its own; made.
        width: Of the page, in pixels.
        height: Of the page, in pixels.
    """

    def __init__(self, profile: Path, width: int = 1440, height: int = 900) -> None:
        options = [f"--user-data-dir={profile}", f"--window-size={width},{height}", "--hide-scrollbars"]
        words = [str(CHROMIUM), *OPTIONS, *options, "--remote-debugging-pipe", "about:blank"]
        pipe, quiet = subprocess.PIPE, subprocess.DEVNULL
        plumbed = ["sh", "-c", 'exec "$@" 3<&0 4>&1', "sh", *words]  # the protocol's descriptors
        self._process = subprocess.Popen(plumbed, stdin=pipe, stdout=pipe, stderr=quiet)
        self._calls = 0
        self._session: str | None = None
        (page,) = [one for one in self._targets() if one["type"] == "page"]
        attached = self.call("Target.attachToTarget", targetId=page["targetId"], flatten=True)
        self._session = attached["sessionId"]
        self.call("Page.enable")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Call a method of the protocol and wait for its result."""
        assert self._process.stdin is not None
        self._calls += 1
        message = {"id": self._calls, "method": method, "params": params}
        message |= {"sessionId": self._session} if self._session else {}
        self._process.stdin.write(json.dumps(message).encode() + b"\0")
        self._process.stdin.flush()
        while True:
            answer = self._read()
            if answer.get("id") == self._calls:
                assert "error" not in answer, answer
                return dict(answer["result"])

    def before_pages(self, script: str) -> None:
        """Have a script run in every page before its own."""
        self.call("Page.addScriptToEvaluateOnNewDocument", source=script)

    def open(self, url: str) -> None:
        """Go to a page."""
        self.call("Page.navigate", url=url)

    def see(self, expression: str) -> Any:
        """Return the value of a JavaScript expression in the page."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def wait(self, expression: str, seconds: float = 60.0) -> Any:
        """Wait for an expression to be true of the page; what it is then."""
        until = monotonic() + seconds
        while not (value := self.see(expression)):
            assert monotonic() < until, f"{expression} in {self.see('document.body.innerText')[:2000]}"
            sleep(0.1)
        return value

    def click(self, expression: str) -> None:
        """Wait for an element that lies still, and click on it as a mouse does."""
        before, until = None, monotonic() + 60
        while (at := self.wait(MIDDLE.format(expression))) != before:  # the page may still be scrolling
            assert monotonic() < until, f"{expression} moves"
            before = at
            sleep(0.1)
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **at)

    def write(self, text: str) -> None:
        """Type a text where the cursor is."""
        self.call("Input.insertText", text=text)

    def press(self, key: str) -> None:
        """Press a key of ``KEYS``."""
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, **KEYS[key])

    def enter(self) -> None:
        """Press Enter."""
        self.press("Enter")

    def show(self, width: int, height: int, scheme: str) -> None:
        """Have pages laid out for a screen, in ``light`` or ``dark``, without animations."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1}
        self.call("Emulation.setDeviceMetricsOverride", mobile=False, **size)
        preferred = {"prefers-color-scheme": scheme, "prefers-reduced-motion": "reduce"}
        features = [{"name": name, "value": value} for name, value in preferred.items()]
        self.call("Emulation.setEmulatedMedia", features=features)

    def picture(self, path: Path) -> None:
        """Save what is seen as a PNG."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot")["data"]))

    def _targets(self) -> list[dict[str, Any]]:
        return list(self.call("Target.getTargets")["targetInfos"])

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        message = bytearray()
        while (byte := self._process.stdout.read(1)) != b"\0":
            assert byte, "the browser is gone"
            message += byte
        return dict(json.loads(message))

    def __enter__(self) -> "Browser":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait(30)
