"use strict";
const made = (tag, fields, ...inside) => {
  const element = Object.assign(document.createElement(tag), fields);
  element.append(...inside);
  return element;
};
const value = (row, at) => row.cells[at].dataset.key ?? row.cells[at].textContent;
const order = (a, b) => a.localeCompare(b, "en", { numeric: true });

for (const table of document.querySelectorAll("table.live")) {
  const body = table.tBodies[0], rows = [...body.rows], heads = [...table.tHead.rows[0].cells];
  const text = made("input", { type: "search", placeholder: "Filter by text", ariaLabel: "Filter by text" });
  const count = made("output", {});
  const picks = heads.flatMap((head, at) => "choice" in head.dataset ? [pick(head.textContent, at)] : []);
  table.before(made("p", { className: "filter" }, ...picks.map((one) => one.list), text, count));

  function pick(title, at) {
    const values = [...new Set(rows.map((row) => value(row, at)))].sort(order);
    const options = values.map((name) => made("option", { value: name }, name));
    const all = made("option", { value: "" }, `${title}: all`);
    return { at, list: made("select", { ariaLabel: title, onchange: filter }, all, ...options) };
  }
  function filter() {
    const wanted = text.value.trim().toLowerCase();
    for (const row of rows) {
      const chosen = picks.every((one) => !one.list.value || value(row, one.at) === one.list.value);
      row.hidden = !chosen || !row.textContent.toLowerCase().includes(wanted);
    }
    count.textContent = `${rows.filter((row) => !row.hidden).length} of ${rows.length}`;
  }
  function sort(head, at) {
    const next = { none: "ascending", ascending: "descending", descending: "none" }[head.ariaSort ?? "none"];
    for (const other of heads) other.ariaSort = other === head ? next : "none";
    const sign = next === "descending" ? -1 : 1;
    const sorted = next === "none" ? rows : [...rows].sort((a, b) => sign * order(value(a, at), value(b, at)));
    body.append(...sorted);
  }
  text.oninput = filter;
  heads.forEach((head, at) => {
    head.replaceChildren(made("button", { type: "button", onclick: () => sort(head, at) }, head.textContent));
  });
  filter();
}
