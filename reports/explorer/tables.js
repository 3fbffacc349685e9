// The table of what is shown, which says what the charts say to those who cannot see them.
"use strict";

function element(name, text, className = "") {
  const made = document.createElement(name);
  made.textContent = text;
  made.className = className;
  return made;
}

/** `rows` of {texts, by column, and state, of what is not as it should be}. */
gradwire.tabulate = (table, columns, rows) => {
  const head = document.createElement("tr");
  head.append(...columns.map((column) => Object.assign(element("th", column), { scope: "col" })));
  table.tHead.replaceChildren(head);
  table.tBodies[0].replaceChildren(...rows.map(({ texts, state }) => {
    const row = document.createElement("tr");
    if (state) row.dataset.state = state;
    row.append(...columns.map((column) => element("td", texts[column] ?? "", column)));
    return row;
  }));
};

/** Rows of plain values as a CSV file's text. */
gradwire.csv = (rows) => {
  // A spreadsheet takes what begins like a formula for one, unless an apostrophe stands before it
  const field = (value) => `"${String(value).replace(/"/g, '""').replace(/^(?=[=+@\-][^0-9.])/, "'")}"`;
  return rows.map((row) => row.map(field).join(",")).join("\r\n") + "\r\n";
};
