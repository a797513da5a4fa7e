// Fills every attention viewer of the page with the map that its selects name. Tokens are written as text, never as markup.
(() => {
  "use strict";
  const PARTS = 10000; // of a weight of 1; see attention.rs
  const MEAN = "mean";

  const element = (name, attributes, text) => {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes || {})) made.setAttribute(key, value);
    if (text !== undefined) made.textContent = text;
    return made;
  };

  // Puts options [value, text] into a select; the value chosen before stays where there is still such an option.
  const fill = (select, options, otherwise) => {
    const before = select.value;
    select.replaceChildren(...options.map(([value, text]) => element("option", { value }, text)));
    const has = (value) => options.some((option) => option[0] === value);
    select.value = has(before) ? before : has(otherwise) ? otherwise : (options[0] || [""])[0];
  };

  const numbered = (count, word) => Array.from({ length: count }, (_, i) => [String(i), `${word} ${i + 1}`]);

  const mean = (maps) => maps[0].map((_, i) => {
    const weights = maps.map((map) => map[i]);
    return weights.includes(null) ? null : weights.reduce((a, b) => a + b, 0) / maps.length;
  });

  const written = (parts) => (parts === null ? "not a number" : (parts / PARTS).toFixed(4));

  const start = (root) => {
    const sentences = JSON.parse(root.querySelector("script").textContent);
    const form = root.querySelector("form");
    const choice = form.elements;
    const [box, status, readout, legend, texts] =
      [".map", ".status", ".readout", ".legend", ".texts"].map((name) => root.querySelector(name));
    let shown = null; // { kind, weights, table }

    const kindNow = () => sentences[Number(choice.sentence.value)].kinds[Number(choice.kind.value)];

    const update = () => {
      const sentence = sentences[Number(choice.sentence.value)];
      texts.replaceChildren(...sentence.texts.map(([name, text]) => {
        const line = element("div");
        line.append(element("dt", {}, name), element("dd", { dir: "auto" }, text));
        return line;
      }));
      fill(choice.kind, sentence.kinds.map((kind, i) => [String(i), kind.name]), "0");
      const kind = kindNow();
      const layers = kind ? kind.layers.length : 0;
      fill(choice.layer, numbered(layers, "layer"), String(layers - 1));
      const heads = kind ? kind.layers[Number(choice.layer.value)].length : 0;
      fill(choice.head, [[MEAN, "mean of heads"], ...numbered(heads, "head")], MEAN);
      draw(kind);
    };

    const draw = (kind) => {
      readout.textContent = "";
      legend.hidden = !kind;
      for (const name of ["kind", "layer", "head"]) choice[name].disabled = !kind;
      if (!kind) {
        box.replaceChildren();
        status.textContent = "No maps were kept for this sentence.";
        return;
      }
      const maps = kind.layers[Number(choice.layer.value)];
      const weights = choice.head.value === MEAN ? mean(maps) : maps[Number(choice.head.value)];
      const text = (select) => select.selectedOptions[0].textContent;
      const name = `${kind.name}, ${text(choice.layer)}, ${text(choice.head)}`;
      status.textContent = `${name}. ${kind.note}`;
      shown = { kind, weights };
      shown.table = table(kind, weights, name);
      box.replaceChildren(shown.table);
      colour();
      // A cell that is reached by keys must not hide behind the heads, which stay in place.
      const corner = shown.table.querySelector("thead td");
      box.style.scrollPadding = `${corner.offsetHeight + 4}px 4px 4px ${corner.offsetWidth + 4}px`;
    };

    const table = (kind, weights, name) => {
      const made = element("table", { role: "grid", "aria-label": name });
      const head = element("tr");
      head.append(element("td", {}, "key →\nquery ↓"));
      for (const key of kind.keys) {
        const cell = element("th", { scope: "col", dir: "auto" });
        cell.append(element("span", {}, key));
        head.append(cell);
      }
      const top = element("thead");
      top.append(head);
      const body = element("tbody");
      kind.queries.forEach((query, row) => {
        const line = element("tr");
        line.append(element("th", { scope: "row", dir: "auto" }, query));
        kind.keys.forEach((key, column) => {
          const weight = written(weights[row * kind.keys.length + column]);
          const cell = element("td", { class: "cell", tabindex: row + column ? "-1" : "0", title: `${query} → ${key}: ${weight}` });
          cell.append(element("span", {}, weight));
          line.append(cell);
        });
        body.append(line);
      });
      made.append(top, body);
      return made;
    };

    const colour = () => {
      const { weights, table } = shown;
      const most = choice.absolute.checked ? PARTS : weights.reduce((most, weight) => Math.max(most, weight), 1);
      table.querySelectorAll(".cell").forEach((cell, i) => cell.style.setProperty("--share", String((weights[i] || 0) / most)));
      legend.querySelector(".most").textContent = choice.absolute.checked ? "1" : `${written(most)}, the greatest here`;
    };

    // Row and column of a cell, counted from 0.
    const place = (cell) => [cell.parentNode.sectionRowIndex, cell.cellIndex - 1];

    const point = (event) => {
      const cell = event.target.closest(".cell");
      if (!cell) return;
      const [row, column] = place(cell);
      const { kind, weights, table } = shown;
      readout.textContent = `${kind.queries[row]} → ${kind.keys[column]}: ${written(weights[row * kind.keys.length + column])}`;
      table.querySelectorAll(".pointed").forEach((head) => head.classList.remove("pointed"));
      table.tHead.rows[0].cells[column + 1].classList.add("pointed");
      table.tBodies[0].rows[row].cells[0].classList.add("pointed");
      if (event.type !== "focusin") return;
      table.querySelectorAll(".cell[tabindex='0']").forEach((other) => other.setAttribute("tabindex", "-1"));
      cell.setAttribute("tabindex", "0");
    };

    const move = (event) => {
      const cell = event.target.closest(".cell");
      if (!cell || event.altKey || event.metaKey) return;
      const [row, column] = place(cell);
      const [lastRow, lastColumn] = [shown.kind.queries.length - 1, shown.kind.keys.length - 1];
      const to = {
        ArrowUp: [row - 1, column], ArrowDown: [row + 1, column],
        ArrowLeft: [row, column - 1], ArrowRight: [row, column + 1],
        Home: [event.ctrlKey ? 0 : row, 0], End: [event.ctrlKey ? lastRow : row, lastColumn],
      }[event.key];
      if (!to) return;
      event.preventDefault();
      const within = (value, last) => Math.min(Math.max(value, 0), last);
      shown.table.tBodies[0].rows[within(to[0], lastRow)].cells[within(to[1], lastColumn) + 1].focus();
    };

    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("change", (event) => {
      if (event.target === choice.numbers) box.classList.toggle("plain", !choice.numbers.checked);
      else if (event.target === choice.absolute) shown && colour();
      else update();
    });
    for (const kind of ["mouseover", "focusin", "click"]) box.addEventListener(kind, point);
    box.addEventListener("keydown", move);

    fill(choice.sentence, sentences.map((sentence, i) => [String(i), sentence.title]), "0");
    box.classList.add("plain");
    form.hidden = false;
    if (sentences.length) update();
    else status.textContent = "There are no sentences.";
  };

  document.querySelectorAll(".attention").forEach(start);
})();
