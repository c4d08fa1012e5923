(() => {
  "use strict";
  const all = (query, within = document) => [...within.querySelectorAll(query)];
  document.documentElement.classList.add("scripted");

  const number = new RegExp("^-?[0-9.]+(e[-+]?[0-9]+)?$");
  const key = (row, column) => {
    const cell = row.children[column], value = cell.dataset.v ?? cell.textContent.trim();
    return number.test(value) ? Number(value) : value.toLowerCase();
  };
  const compare = (a, b) => {
    if (typeof a === typeof b) return a < b ? -1 : a > b ? 1 : 0;
    return typeof a === "number" ? -1 : 1;
  };
  for (const table of all("table.sortable")) {
    const heads = all("thead th", table), body = table.tBodies[0];
    heads.forEach((head, column) => head.querySelector("button")?.addEventListener("click", () => {
      const before = head.getAttribute("aria-sort");
      const first = head.classList.contains("number") ? "descending" : "ascending";
      const order = before === "none" ? first : before === "ascending" ? "descending" : "ascending";
      heads.forEach(other => other.hasAttribute("aria-sort") && other.setAttribute("aria-sort", "none"));
      head.setAttribute("aria-sort", order);
      const sign = order === "ascending" ? 1 : -1;
      const rows = [...body.rows].map((row, place) => ({row, place, value: key(row, column)}));
      rows.sort((a, b) => sign * compare(a.value, b.value) || a.place - b.place);
      body.append(...rows.map(entry => entry.row));
    }));
  }

  for (const field of all("input[data-filter]")) {
    const rows = [...document.getElementById(field.dataset.filter).tBodies[0].rows];
    const texts = rows.map(row => row.textContent.toLowerCase());
    const count = document.getElementById(field.getAttribute("aria-describedby"));
    const apply = () => {
      const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      rows.forEach((row, i) => {
        row.hidden = !words.every(word => texts[i].includes(word));
        shown += !row.hidden;
      });
      count.textContent = words.length ? `${shown} of ${rows.length}` : "";
    };
    field.addEventListener("input", apply);
    addEventListener("hashchange", () => {
      const row = document.getElementById(decodeURIComponent(location.hash.slice(1)));
      if (row?.hidden && rows.includes(row)) { field.value = ""; apply(); row.scrollIntoView(); }
    });
  }

  const picture = document.querySelector(".picture svg");
  if (picture) {
    const width = picture.width.baseVal.value, height = picture.height.baseVal.value, frame = picture.parentElement;
    let scale = 1;
    const show = to => {
      scale = Math.min(Math.max(to, 0.1), 3);
      picture.style.width = `${width * scale}px`;
      picture.style.height = `${height * scale}px`;
    };
    const fit = () => Math.min((frame.clientWidth - 2) / width, (frame.clientHeight - 2) / height);
    const find = document.getElementById("graph-find"), nodes = all(".node", picture);
    find.addEventListener("input", () => {
      const text = find.value.trim().toLowerCase();
      const found = text ? nodes.filter(node => node.querySelector("title").textContent.toLowerCase().includes(text)) : [];
      for (const node of nodes) node.classList.toggle("found", found.includes(node));
      document.getElementById("graph-found").textContent = text ? `${found.length} of ${nodes.length}` : "";
      if (!found.length) return;
      const box = found[0].getBBox();
      frame.scrollTop = (box.y + box.height / 2) * scale - frame.clientHeight / 2;
      frame.scrollLeft = (box.x + box.width / 2) * scale - frame.clientWidth / 2;
    });
    for (const button of all("[data-zoom]")) {
      button.addEventListener("click", () => {
        const how = button.dataset.zoom;
        show(how === "+" ? scale * 1.25 : how === "-" ? scale / 1.25 : how === "fit" ? fit() : 1);
      });
    }
  }

  const store = (name, value) => {
    try { return value === undefined ? localStorage.getItem(name) : localStorage.setItem(name, value); } catch { return null; }
  };
  const chosen = document.getElementById(`theme-${store("gatewright-theme")}`);
  if (chosen) chosen.checked = true;
  for (const radio of all("input[name=theme]")) {
    radio.addEventListener("change", () => store("gatewright-theme", radio.value));
  }
})();
