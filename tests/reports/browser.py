"""A real browser for the tests: Chromium without a window, offline, with a profile of its own."""

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

CHROMIUM = next((p for n in ("chromium", "chromium-browser", "google-chrome") if (p := shutil.which(n))), None)
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--virtual-time-budget=4000",
]
NARROWEST = 500
"""Windows are no narrower; narrower pages stand in a frame."""

WATCH = """<script>
window.problems = [];
addEventListener("error", e => problems.push(String(e.message)));
addEventListener("securitypolicyviolation", e => problems.push(`blocked: ${e.violatedDirective} ${e.blockedURI}`));
for (const name of ["error", "warn"]) console[name] = (...all) => problems.push(all.join(" "));
</script>"""
TELL = """<script>
addEventListener("load", () => {
  const tell = () => { %s };
  let result; try { result = tell(); } catch (e) { problems.push(String(e)); }
  top.postMessage(JSON.stringify({result, problems}), "*");
});
</script>"""
FRAME = """<!DOCTYPE html><title>frame</title><style>body{margin:0}iframe{border:0;width:%dpx;height:%dpx}</style>
<iframe src="page.html"></iframe><pre id="told"></pre>
<script>addEventListener("message", e => { document.getElementById("told").textContent = e.data; });</script>"""


def run(folder: Path, *arguments: str, dark: bool = False) -> str:
    """What Chromium writes to standard output."""
    profile = folder / "profile"
    assert CHROMIUM
    command = [
        CHROMIUM,
        *FLAGS,
        f"--user-data-dir={profile}",
        f"--blink-settings=preferredColorScheme={0 if dark else 1}",
    ]
    try:
        done = subprocess.run([*command, *arguments], capture_output=True, timeout=60, check=True, text=True)
    finally:
        shutil.rmtree(profile, ignore_errors=True)
    return done.stdout


def ask(folder: Path, page: bytes, script: str, *, width: int = 1280, dark: bool = False) -> Any:
    """What a function with this body gives in the page at this width; it may not cause any message in the console."""
    text = page.decode().replace("<head>", f"<head>{WATCH}", 1).replace("</body>", f"{TELL % script}</body>", 1)
    (folder / "page.html").write_text(text, encoding="utf-8")
    frame = folder / "frame.html"
    frame.write_text(FRAME % (width, 900), encoding="utf-8")
    dom = run(folder, "--dump-dom", frame.as_uri(), dark=dark)
    found = re.search(r'<pre id="told">(.+?)</pre>', dom, re.DOTALL)
    assert found, dom[-2000:]
    told = json.loads(html.unescape(found[1]))
    assert told["problems"] == []
    return told["result"]


def shoot(folder: Path, page: bytes, to: Path, *, width: int, height: int, dark: bool) -> None:
    """Take a picture of the page."""
    (folder / "page.html").write_bytes(page)
    frame = folder / "frame.html"
    frame.write_text(FRAME % (width, height), encoding="utf-8")
    size = f"--window-size={max(width, NARROWEST)},{height}"
    run(folder, f"--screenshot={to}", size, frame.as_uri(), dark=dark)
