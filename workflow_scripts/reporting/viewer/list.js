// The list of generations: only the rows near the window exist in the document.

const ROW_HEIGHT = 64;

class List {
  constructor(element, store, choose) {
    this.element = element;
    this.store = store;
    this.choose = choose;
    this.rows = [];
    this.selected = -1;
    this.before = () => -1;
    this.space = make("div", { class: "space", role: "presentation" });
    element.append(this.space);
    element.addEventListener("scroll", () => this.draw());
    new ResizeObserver(() => this.draw()).observe(element);
    element.addEventListener("click", (event) => {
      const option = event.target.closest("[role=option]");
      if (option) choose(Number(option.dataset.row));
    });
  }

  // `before(i)` is the generation that row i is compared with, or -1: its verdict is shown first.
  show(rows, before) {
    this.rows = rows;
    this.before = before;
    this.space.style.height = `${rows.length * ROW_HEIGHT}px`;
    this.draw();
  }

  // Marks a generation as the current one and scrolls it into view if it is listed.
  select(i) {
    this.selected = i;
    const place = this.rows.indexOf(i);
    const { scrollTop, clientHeight } = this.element;
    const top = place * ROW_HEIGHT;
    if (
      place >= 0 &&
      clientHeight &&
      (top < scrollTop || top + ROW_HEIGHT > scrollTop + clientHeight)
    ) {
      this.element.scrollTop = Math.max(0, top - clientHeight / 2 + ROW_HEIGHT / 2);
    }
    this.draw();
  }

  draw() {
    const first = Math.max(0, Math.floor(this.element.scrollTop / ROW_HEIGHT) - 4);
    const last = Math.min(
      this.rows.length,
      first + Math.ceil(this.element.clientHeight / ROW_HEIGHT) + 8,
    );
    const items = [];
    for (let place = first; place < last; place++) items.push(this.item(place));
    this.space.replaceChildren(...items);
    const current = this.rows.indexOf(this.selected);
    if (current >= first && current < last)
      this.element.setAttribute("aria-activedescendant", "current-row");
    else this.element.removeAttribute("aria-activedescendant");
  }

  marks(row) {
    const before = this.before(row.number);
    if (before < 0) return verdictMark(row.outcome);
    const was = verdictMark(this.store.row(before).outcome);
    return make("span", { class: "flip" }, was, "\u2192", verdictMark(row.outcome));
  }

  item(place) {
    const row = this.store.row(this.rows[place]);
    const current = row.number === this.selected;
    const { questions } = this.store;
    const asked = (
      questions.prompt[row.question] ?? "(question not in the benchmark tables)"
    ).slice(0, 160);
    const sample = row.sample ? ` #${row.sample}` : "";
    const cell = `${row.method.name}/${row.budget}${sample}`;
    return make(
      "div",
      {
        role: "option",
        class: "item",
        style: `top:${place * ROW_HEIGHT}px`,
        id: current ? "current-row" : null,
        "data-row": row.number,
        "aria-selected": String(current),
        "aria-setsize": this.rows.length,
        "aria-posinset": place + 1,
      },
      this.marks(row),
      make("span", { class: "asked", dir: "auto" }, asked),
      make(
        "span",
        { class: "where" },
        `${cell} \u00b7 ${row.model.title} \u00b7 ${row.dataset.title}`,
      ),
      make("span", { class: "tokens" }, counted(row.thinking)),
    );
  }
}
