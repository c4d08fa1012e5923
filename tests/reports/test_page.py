"""The page: what it says, that it is one file which needs nothing else, that it is valid HTML for any manifest."""

import copy
import itertools
import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from gatewright.manifest import schema
from gatewright.reports.page import PANELS, Panel, page

from . import samples

html5lib = pytest.importorskip("html5lib", reason="the extra `test` has html5lib")
NAMESPACE = "{http://www.w3.org/1999/xhtml}"
SVG = "{http://www.w3.org/2000/svg}"
MOST = 3_000_000


def parsed(data: bytes) -> Any:
    return html5lib.HTMLParser(strict=True).parse(data)


def text_of(data: bytes) -> str:
    tree = parsed(data.replace(b"<wbr>", b""))
    body = tree.find(f"{NAMESPACE}body")
    for script in body.iter(f"{NAMESPACE}script"):
        script.text = ""
    return re.sub(r"\s+", " ", " ".join(body.itertext()))


DOCUMENTS: dict[str, Callable[[], dict[str, Any]]] = {"chain": samples.chain, "unet": samples.unet}


@pytest.fixture(params=DOCUMENTS)
def document(request: pytest.FixtureRequest) -> dict[str, Any]:
    return DOCUMENTS[request.param]()


def test_the_samples_are_manifests(document: dict[str, Any]) -> None:
    from jsonschema import validate

    validate(document | {"vendor": [VENDOR]}, schema())


def test_it_is_valid_html(document: dict[str, Any]) -> None:
    parsed(page(document))


def test_identifiers_are_unique_and_what_is_referred_to_is_there(document: dict[str, Any]) -> None:
    elements = list(parsed(page(document)).iter())
    ids = [e.get("id") for e in elements if e.get("id")]
    assert len(ids) == len(set(ids))
    referred = [e.get("href")[1:] for e in elements if (e.get("href") or "").startswith("#")]
    for attribute in ("aria-labelledby", "aria-describedby", "for", "data-filter"):
        referred += [name for e in elements if e.get(attribute) for name in e.get(attribute).split()]
    assert referred
    assert not set(referred) - set(ids)


def test_nothing_is_loaded(document: dict[str, Any]) -> None:
    data = page(document).decode()
    assert not re.findall(r"https?:|//[a-z]|@import|url\(", data)
    for element in parsed(data.encode()).iter():
        for attribute in ("src", "href", "action", "data", "srcset", "poster"):
            value = element.get(attribute)
            assert value is None or value.startswith("#") or value == "data:,"


def test_every_control_and_picture_has_a_name(document: dict[str, Any]) -> None:
    tree = parsed(page(document))
    labels = {e.get("for") for e in tree.iter(f"{NAMESPACE}label")}
    inside = {id(field) for label in tree.iter(f"{NAMESPACE}label") for field in label.iter(f"{NAMESPACE}input")}
    for field in tree.iter(f"{NAMESPACE}input"):
        assert field.get("id") in labels or id(field) in inside
    for button in tree.iter(f"{NAMESPACE}button"):
        assert "".join(button.itertext()).strip() or button.get("aria-label")
    pictures = [e for e in tree.iter() if e.tag in (f"{SVG}svg", "svg")]
    assert pictures
    for picture in pictures:
        assert picture.get("aria-label")
        assert picture.get("role") in ("img", "group")
    for region in (e for e in tree.iter() if e.get("tabindex") == "0"):
        assert region.get("role") == "region"
        assert region.get("aria-label")
    for head in tree.iter(f"{NAMESPACE}th"):
        assert head.get("scope") in ("col", "row")


def test_sections_and_headings_are_in_order(document: dict[str, Any]) -> None:
    tree = parsed(page(document))
    ranks = [int(e.tag[-1]) for e in tree.iter() if re.fullmatch(rf"{re.escape(NAMESPACE)}h[1-6]", str(e.tag))]
    assert ranks[0] == 1
    assert ranks.count(1) == 1
    assert all(b - a <= 1 for a, b in itertools.pairwise(ranks))
    assert tree.get("lang") == "en"


def test_same_manifest_same_bytes(document: dict[str, Any]) -> None:
    again = json.loads(json.dumps(document, sort_keys=True))
    assert page(document) == page(copy.deepcopy(document)) == page(again)


def test_a_u_net_of_a_hundred_layers_is_small_enough() -> None:
    document = samples.unet()
    assert len(document["layers"]) >= 100
    assert len(page(document)) < MOST


def test_the_four_questions_are_answered_first() -> None:
    text = text_of(page(samples.chain()))
    at = [
        text.index(q)
        for q in ("Does it compute the right thing?", "Does it fit?", "How fast is it?", "What to change?")
    ]
    assert at == sorted(at)
    assert at[-1] < text.index("Timeline of one inference")
    assert "Exact" in text
    assert "222 k inferences a second" in text
    assert "an array of 8,192 elements is partitioned" in text
    assert "First try --strategy resource." in text


@pytest.mark.parametrize(
    ("lut", "verdict"),
    [((10, 9, 12), "Fits"), ((85, 70, 90), "Barely"), ((90, 70, 110), "May not fit"), ((120, 90, 130), "Probably not"),
     ((150, 120, 190), "Does not fit")],
)  # fmt: skip
def test_whether_it_fits_is_by_the_band(lut: tuple[int, int, int], verdict: str) -> None:
    document = samples.chain()
    entry = dict(zip(("value", "low", "high"), lut, strict=True)) | {
        "unit": "count",
        "kind": "estimated",
        "source": "fit",
    }
    document["cost"]["levels"] = {"synthesis": {"lut": entry}}
    document["cost"]["available"] = {"lut": 100}
    assert verdict in text_of(page(document))


def test_one_resource_that_cannot_fit_decides() -> None:
    document = samples.chain()
    document["cost"]["levels"] = {
        "synthesis": {"lut": samples.figure(90, 0.5), "dsp": samples.figure(120)},
    }
    document["cost"]["available"] = {"lut": 100, "dsp": 100}
    text = text_of(page(document))
    assert "Does not fit" in text
    assert "Fullest: DSP with 120 % of the 100" in text


def test_what_the_tool_reports_is_compared_with_the_board_where_it_is_known() -> None:
    text = text_of(page(samples.chain() | {"vendor": [VENDOR]}))
    assert "Fullest: LUT with 2.8 % of the 53,200 on pynq-z2, after logic synthesis, as vivado reports it." in text


def test_levels_are_never_mixed() -> None:
    """What is compared with the board is what remains after logic synthesis, each level has its own block."""
    document = samples.chain()
    text = text_of(page(document))
    assert "after logic synthesis" in text
    del document["cost"]["levels"]["synthesis"]
    other = text_of(page(document))
    assert ", HLS report." in other
    assert "What is left when the logic is optimised" in text
    assert "What is left when the logic is optimised" not in other


def without(document: dict[str, Any], *path: str) -> dict[str, Any]:
    entry = document
    for key in path[:-1]:
        entry = entry[key]
    del entry[path[-1]]
    return document


COST = samples.chain()["cost"]
PARTS = [
    ("cost",),
    ("notes",),
    *(("cost", part) for part in COST),
    *(("cost", "stream", part) for part in COST["stream"]),
]


@pytest.mark.parametrize("path", PARTS, ids="/".join)
def test_any_part_may_be_absent(path: tuple[str, ...]) -> None:
    parsed(page(without(samples.chain(), *path)))


@pytest.mark.parametrize("part", sorted(COST["layers"][0].keys() - {"name"}))
def test_any_part_of_a_layers_cost_may_be_absent(part: str) -> None:
    document = samples.chain()
    for entry in document["cost"]["layers"]:
        del entry[part]
    parsed(page(document))


def test_a_design_without_a_cost_says_so() -> None:
    document = samples.chain() | {"cost": {}}
    text = text_of(page(document))
    assert "There is no estimate of resources for this design." in text
    assert "There is no estimate of time for this design." in text
    assert "conv1_quantize" in text


HOSTILE = [
    "a\x00\x1b[31m\x85\ufffe",
    "<script>alert(1)</script>",
    "\"'><img src=x onerror=alert(1)>",
    "a&b</svg></table>",
    "名前 - ‮ x",
    "{{ 7*7 }}",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_names_are_only_names(name: str) -> None:
    plain = samples.chain()
    plain["vendor"] = [VENDOR]
    document = json.loads(json.dumps(plain).replace('"conv1', json.dumps(name, ensure_ascii=False)[:-1]))
    document |= {"board": name, "notes": [name], "created_from": {"model": name, "sha256": None, "frontend": name}}
    tree, expected = parsed(page(document)), parsed(page(plain))
    assert [e.tag for e in tree.iter()] != []
    for tag in ("script", "img", "table"):
        assert len(list(tree.iter(NAMESPACE + tag))) == len(list(expected.iter(NAMESPACE + tag)))
    shown = re.sub("[\x00\x1b\x85\ufffe]", "\N{REPLACEMENT CHARACTER}", name)
    assert shown in "".join(tree.find(f"{NAMESPACE}body").find(f".//{NAMESPACE}h1").itertext())


VENDOR = {
    "level": "synthesis", "tool": "vivado", "version": "2020.1", "file": "conv1.rpt",
    "resources": {"lut": {"value": 1500, "unit": "count", "kind": "vendor", "source": "report"}},
    "layers": {"conv1": {"lut": 140, "ff": 90}, "gone": {"lut": 1}},
}  # fmt: skip


def test_reports_of_vendors_stand_beside_the_estimates() -> None:
    text = text_of(page(samples.chain() | {"vendor": [VENDOR]}))
    assert "Reports of the vendor's tools" in text
    assert "1,500" in text
    assert "conv1 LUT 140 112 89.6 to 143" in text
    assert "Layer by layer" in text


def test_a_network_without_layers_has_a_page() -> None:
    document = samples.chain() | {"layers": [], "cost": {}, "outputs": []}
    assert "Does it compute the right thing?" in text_of(page(document))


def test_every_figure_has_its_kind_and_source() -> None:
    document = samples.chain()
    tree = parsed(page(document))
    titles = [e.get("title") for e in tree.iter(f"{NAMESPACE}span") if e.get("class") == "figure"]
    assert len(titles) > 40
    assert all(re.search(r"; (exact|estimated|simulated): \w+", title) for title in titles)
    assert "fit on 1,204 designs" in text_of(page(document))


def test_a_back_end_adds_a_panel() -> None:
    def arena(document: Any) -> Panel | None:
        return Panel("arena", "Arena over time", "<p>64 KiB</p>", 250)

    text = text_of(page(samples.chain(), (*PANELS, arena)))
    assert text.index("Resources against the board") > text.index("64 KiB") > text.index("Timeline of one inference")


def test_a_failed_verification_is_told_first() -> None:
    first = {"layer": "conv1", "vector": 3, "index": [0, 1], "expected": 5, "got": 6}
    failed = {"status": "failed", "engine": "C simulation", "vectors": 512, "mismatches": 7, "first_mismatch": first}
    text = text_of(page(samples.chain() | {"verification": failed}))
    assert "7 values differ from the integer graph on 512 vectors" in text
    assert "layer conv1, vector 3, index [0, 1]: expected 5, got 6" in text
