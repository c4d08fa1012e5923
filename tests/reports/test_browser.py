"""The page in a real browser: it is no wider than a phone, sorts, filters, can be read in both colour schemes."""

from pathlib import Path

import pytest

from gatewright.reports.page import page

from . import samples
from .browser import CHROMIUM, ask, shoot

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")

UNET = page(samples.unet(depth=2, blocks=2) | {"vendor": [{"level": "hls", "resources": {"lut": 5000}}]})
CHAIN = page(samples.chain())


@pytest.mark.parametrize("width", [360, 390, 768, 1280])
def test_the_page_is_no_wider_than_the_window(tmp_path: Path, width: int) -> None:
    wide = """
      const page = document.documentElement, found = [];
      for (const e of document.querySelectorAll("body *")) {
        if (e.parentElement.closest(".scroll, .picture, .contents")) continue;
        if (e.getBoundingClientRect().right > innerWidth + 0.5) found.push(e.outerHTML.slice(0, 80));
      }
      return [innerWidth, page.scrollWidth, found.slice(0, 5)];
    """
    inner, scroll, found = ask(tmp_path, UNET, wide, width=width)
    assert inner == width
    assert scroll <= width
    assert not found


def test_tables_sort_by_the_heading_that_is_pressed(tmp_path: Path) -> None:
    script = """
      const table = document.getElementById("layers-table"), button = name =>
        [...table.querySelectorAll("thead button")].find(b => b.textContent === name);
      const names = () => [...table.tBodies[0].rows].map(r => r.querySelector("summary").textContent);
      const first = names();
      button("MACs").click(); const most = names(), told = button("MACs").parentElement.ariaSort;
      button("MACs").click(); const least = names();
      button("Layer").click(); const again = names();
      return {first, most, told, least, again};
    """
    got = ask(tmp_path, CHAIN, script)
    assert got["first"] == got["again"] == ["conv1", "relu1", "pool1", "dense"]
    assert got["most"] == ["conv1", "dense", "relu1", "pool1"]
    assert got["told"] == "descending"
    assert got["least"] == ["relu1", "pool1", "dense", "conv1"]


def test_the_filter_keeps_what_has_every_word(tmp_path: Path) -> None:
    script = """
      const field = document.getElementById("layers-table-filter");
      const shown = () => [...document.querySelectorAll("#layers-table tbody tr")].filter(r => !r.hidden).length;
      const type = text => { field.value = text; field.dispatchEvent(new Event("input")); return shown(); };
      const none = type("nothing like it"), two = type("CONV ufixed"), one = type("pool"), every = type("");
      type("dense");
      return {none, two, one, every, count: document.getElementById("layers-table-count").textContent};
    """
    got = ask(tmp_path, CHAIN, script)
    assert got == {"none": 0, "two": 0, "one": 1, "every": 4, "count": "1 of 4"}


def test_one_level_of_counts_is_shown_at_a_time(tmp_path: Path) -> None:
    script = """
      const shown = level => [...document.querySelectorAll(`#layers-table .level-${level}`)].some(e => e.offsetWidth);
      const before = [shown("hls"), shown("synthesis")];
      document.getElementById("level-hls").click();
      return [before, [shown("hls"), shown("synthesis")]];
    """
    assert ask(tmp_path, CHAIN, script) == [[False, True], [True, False]]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_colours_follow_the_system_until_they_are_chosen(tmp_path: Path, dark: bool) -> None:
    script = """
      const paper = () => getComputedStyle(document.body).backgroundColor, seen = [paper()];
      for (const name of ["light", "dark", "auto"]) {
        document.getElementById(`theme-${name}`).click();
        seen.push(paper());
      }
      return seen;
    """
    automatic, light, darker, again = ask(tmp_path, CHAIN, script, dark=dark)
    assert light != darker
    assert automatic == again == (darker if dark else light)


CONTRAST = """
  const parse = c => (c.match(/[\\d.]+/g) || []).map(Number);
  const light = ([r, g, b]) => { const f = v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    return 0.2126 * f(r) + 0.7152 * f(g) + 0.0722 * f(b); };
  const ratio = (a, b) => {
    const [x, y] = [light(a), light(b)].sort((p, q) => q - p);
    return (x + 0.05) / (y + 0.05);
  };
  const behind = e => { for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor);
    if (c.length === 3 || c[3] > 0) return c; } return [255, 255, 255]; };
  const found = [];
  let count = 0;
  for (const e of document.querySelectorAll("body *")) {
    const own = [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
    if (!own || e.closest("script, style, title, .hidden") || !e.getClientRects().length) continue;
    const style = getComputedStyle(e), svg = e.closest("svg");
    const box = svg && e.parentElement.querySelector(":scope > rect");
    const front = parse(svg ? style.fill : style.color), back = box ? parse(getComputedStyle(box).fill) : behind(e);
    count += 1;
    if (ratio(front, back) < 4.5) found.push([e.outerHTML.slice(0, 90), ratio(front, back).toFixed(2)]);
  }
  return [count, found];
"""


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_every_text_stands_out(tmp_path: Path, dark: bool) -> None:
    """WCAG 2.2, 1.4.3: at least 4.5 to 1."""
    count, found = ask(tmp_path, UNET, CONTRAST, dark=dark)
    assert count > 300
    assert not found


def test_the_keyboard_reaches_every_control_and_shows_where_it_is(tmp_path: Path) -> None:
    script = """
      const lost = [], every = document.querySelectorAll("a[href], button, input, [tabindex='0']");
      for (const e of every) {
        if (!e.getClientRects().length || e.closest(".needs-script")?.hidden) continue;
        e.focus();
        if (document.activeElement !== e) lost.push(e.outerHTML.slice(0, 80));
      }
      return [every.length, lost];
    """
    count, lost = ask(tmp_path, UNET, script)
    assert count > 30
    assert not lost


def test_what_a_layer_of_the_picture_leads_to_is_shown_although_it_was_filtered(tmp_path: Path) -> None:
    script = """
      const field = document.getElementById("layers-table-filter");
      field.value = "dense"; field.dispatchEvent(new Event("input"));
      const link = document.querySelector(".graph a"), row = document.querySelector(link.getAttribute("href"));
      const before = row.hidden;
      location.hash = link.getAttribute("href"); dispatchEvent(new HashChangeEvent("hashchange"));
      return [before, row.hidden];
    """
    assert ask(tmp_path, CHAIN, script) == [True, False]


def test_a_layer_is_found_in_the_picture(tmp_path: Path) -> None:
    script = """
      const field = document.getElementById("graph-find"), frame = document.querySelector(".picture");
      field.value = "UP0_conv1_relu"; field.dispatchEvent(new Event("input"));
      const found = [...document.querySelectorAll(".graph .found")], box = found[0].getBoundingClientRect();
      const shown = frame.getBoundingClientRect();
      const inside = box.top >= shown.top && box.bottom <= shown.bottom;
      field.value = ""; field.dispatchEvent(new Event("input"));
      return [found.length, inside, frame.scrollTop > 0, document.querySelectorAll(".graph .found").length];
    """
    assert ask(tmp_path, UNET, script) == [1, True, True, 0]


def test_it_can_be_read_without_scripts(tmp_path: Path) -> None:
    """What only scripts make work is hidden then."""
    bare = CHAIN[: CHAIN.rindex(b"<script>")] + b"</body></html>"
    script = """
      const shown = e => e.getClientRects().length > 0;
      const useless = [...document.querySelectorAll(".needs-script")].some(shown);
      return [useless, document.querySelectorAll("tbody tr").length];
    """
    useless, rows = ask(tmp_path, bare, script)
    assert not useless
    assert rows > 20


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_pictures_are_taken(tmp_path: Path, request: pytest.FixtureRequest, width: int, dark: bool) -> None:
    kept = request.config.getoption("--screenshots")
    folder = Path(kept or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"report-{width}-{'dark' if dark else 'light'}.png"
    shoot(tmp_path, UNET, file, width=width, height=2400, dark=dark)
    assert file.read_bytes()[:4] == b"\x89PNG"
    assert file.stat().st_size > 50_000
