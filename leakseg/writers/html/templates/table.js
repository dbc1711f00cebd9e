"use strict";
(() => {
  const table = document.getElementById("cases");
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const value = (row, key) => (key === "case" ? row.dataset.case : Number(row.dataset[key]));
  for (const head of table.querySelectorAll("th[data-key]")) {
    head.querySelector("button").addEventListener("click", () => {
      const key = head.dataset.key;
      const before = head.getAttribute("aria-sort");
      // Numbers first show their largest, names and ranks their first.
      const usual = key === "case" || key === "rank" ? "ascending" : "descending";
      const order = before ? (before === "ascending" ? "descending" : "ascending") : usual;
      for (const other of table.querySelectorAll("th[aria-sort]")) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", order);
      const sign = order === "ascending" ? 1 : -1;
      rows.sort((one, two) => {
        const a = value(one, key), b = value(two, key);
        const by = typeof a === "string" ? a.localeCompare(b, undefined, { numeric: true }) : a - b;
        return sign * by || one.dataset.rank - two.dataset.rank;
      });
      body.append(...rows);
    });
  }
  const [type, level, review, search] = ["type", "level", "review", "search"].map((id) => document.getElementById(id));
  const filter = () => {
    let shown = 0;
    for (const row of rows) {
      const types = row.dataset.types.split(" ").filter(Boolean);
      const fits = (!type.value || (type.value === "-" ? !types.length : types.includes(type.value))) &&
        (!level.value || row.dataset.levels.split(" ").includes(level.value)) &&
        (!review.checked || row.dataset.review === "1") &&
        row.dataset.case.toLowerCase().includes(search.value.toLowerCase());
      row.hidden = !fits;
      shown += fits ? 1 : 0;
    }
    document.getElementById("shown").textContent = `${shown} shown`;
  };
  for (const control of [type, level, review, search]) control.addEventListener("input", filter);
})();
