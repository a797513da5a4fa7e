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

  const within = (value, last) => Math.min(Math.max(value, 0), last);

  // Row and column of a cell, counted from 0.
  const place = (cell) => [cell.parentNode.sectionRowIndex, cell.cellIndex - 1];

  class Viewer {
    constructor(root) {
      const find = (name) => root.querySelector(name);
      this.sentences = JSON.parse(find("script").textContent);
      this.form = find("form");
      this.choice = this.form.elements;
      [this.box, this.status, this.readout, this.legend, this.texts] =
        [".map", ".status", ".readout", ".legend", ".texts"].map(find);
      this.listen();
      fill(this.choice.sentence, this.sentences.map((sentence, i) => [String(i), sentence.title]), "0");
      this.box.classList.add("plain");
      this.form.hidden = false;
      if (this.sentences.length) this.choose();
      else this.status.textContent = "There are no sentences.";
    }

    listen() {
      this.form.addEventListener("submit", (event) => event.preventDefault());
      this.form.addEventListener("change", (event) => {
        const { numbers, absolute } = this.choice;
        if (event.target === numbers) this.box.classList.toggle("plain", !numbers.checked);
        else if (event.target === absolute) this.colour();
        else this.choose();
      });
      const onCell = (act) => (event) => {
        const cell = event.target.closest(".cell");
        if (cell) act(cell, event);
      };
      for (const kind of ["mouseover", "click"]) this.box.addEventListener(kind, onCell((cell) => this.read(cell)));
      this.box.addEventListener("focusin", onCell((cell) => this.arrive(cell)));
      this.box.addEventListener("keydown", onCell((cell, event) => this.move(cell, event)));
    }

    // Brings the selects and the table in line with what was chosen.
    choose() {
      const { choice } = this;
      const sentence = this.sentences[Number(choice.sentence.value)];
      this.texts.replaceChildren(...sentence.texts.map(([name, text]) => {
        const line = element("div");
        line.append(element("dt", {}, name), element("dd", { dir: "auto" }, text));
        return line;
      }));
      fill(choice.kind, sentence.kinds.map((kind, i) => [String(i), kind.name]), "0");
      this.kind = sentence.kinds[Number(choice.kind.value)];
      const layers = this.kind ? this.kind.layers : [];
      fill(choice.layer, numbered(layers.length, "layer"), String(layers.length - 1));
      this.maps = layers[Number(choice.layer.value)] || [];
      fill(choice.head, [[MEAN, "mean of heads"], ...numbered(this.maps.length, "head")], MEAN);
      for (const name of ["kind", "layer", "head"]) choice[name].disabled = !this.kind;
      this.legend.hidden = !this.kind;
      this.readout.textContent = "";
      if (this.kind) this.draw();
      else {
        this.box.replaceChildren();
        this.status.textContent = "No maps were kept for this sentence.";
      }
    }

    draw() {
      const { kind, layer, head } = this.choice;
      this.weights = head.value === MEAN ? mean(this.maps) : this.maps[Number(head.value)];
      const name = [kind, layer, head].map((select) => select.selectedOptions[0].textContent).join(", ");
      this.status.textContent = `${name}. ${this.kind.note}`;
      this.table = element("table", { role: "grid", "aria-label": name });
      this.table.append(this.heads(), this.rows());
      this.box.replaceChildren(this.table);
      this.colour();
    }

    heads() {
      const line = element("tr");
      line.append(element("td", {}, "key →\nquery ↓"));
      for (const key of this.kind.keys) {
        const cell = element("th", { scope: "col", dir: "auto" });
        cell.append(element("span", {}, key));
        line.append(cell);
      }
      const head = element("thead");
      head.append(line);
      return head;
    }

    rows() {
      const body = element("tbody");
      this.kind.queries.forEach((query, row) => {
        const line = element("tr");
        const head = element("th", { scope: "row", dir: "auto" });
        head.append(element("span", {}, query));
        line.append(head);
        this.kind.keys.forEach((key, column) => {
          // One cell is in the order of the Tab key; the others are reached from it.
          const cell = element("td", { class: "cell", tabindex: row + column ? "-1" : "0", title: this.told(row, column) });
          cell.append(element("span", {}, written(this.weight(row, column))));
          line.append(cell);
        });
        body.append(line);
      });
      return body;
    }

    weight(row, column) {
      return this.weights[row * this.kind.keys.length + column];
    }

    told(row, column) {
      return `${this.kind.queries[row]} → ${this.kind.keys[column]}: ${written(this.weight(row, column))}`;
    }

    colour() {
      if (!this.kind) return;
      const absolute = this.choice.absolute.checked;
      const most = absolute ? PARTS : this.weights.reduce((most, weight) => Math.max(most, weight), 1);
      this.table.querySelectorAll(".cell").forEach((cell, i) => cell.style.setProperty("--share", String((this.weights[i] || 0) / most)));
      this.legend.querySelector(".most").textContent = absolute ? "1" : `${written(most)}, the greatest here`;
    }

    read(cell) {
      const [row, column] = place(cell);
      this.readout.textContent = this.told(row, column);
      this.table.querySelectorAll(".pointed").forEach((head) => head.classList.remove("pointed"));
      this.table.tHead.rows[0].cells[column + 1].classList.add("pointed");
      this.table.tBodies[0].rows[row].cells[0].classList.add("pointed");
    }

    arrive(cell) {
      this.read(cell);
      this.table.querySelectorAll(".cell[tabindex='0']").forEach((other) => other.setAttribute("tabindex", "-1"));
      cell.setAttribute("tabindex", "0");
    }

    move(cell, event) {
      if (event.altKey || event.metaKey) return;
      const [row, column] = place(cell);
      const [lastRow, lastColumn] = [this.kind.queries.length - 1, this.kind.keys.length - 1];
      const to = {
        ArrowUp: [row - 1, column], ArrowDown: [row + 1, column],
        ArrowLeft: [row, column - 1], ArrowRight: [row, column + 1],
        Home: [event.ctrlKey ? 0 : row, 0], End: [event.ctrlKey ? lastRow : row, lastColumn],
      }[event.key];
      if (!to) return;
      event.preventDefault();
      const next = this.table.tBodies[0].rows[within(to[0], lastRow)].cells[within(to[1], lastColumn) + 1];
      // It must not hide behind the heads, which stay in place.
      const corner = this.table.querySelector("thead td");
      this.box.style.scrollPadding = `${corner.offsetHeight + 4}px 4px 4px ${corner.offsetWidth + 4}px`;
      next.focus({ preventScroll: true });
      next.scrollIntoView({ block: "nearest", inline: "nearest" });
    }
  }

  document.querySelectorAll(".attention").forEach((root) => new Viewer(root));
})();
