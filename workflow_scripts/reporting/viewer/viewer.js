// State of the page: what is listed, which generation is shown, and what stands beside it.

class Viewer {
  constructor(store) {
    this.store = store;
    this.filters = new Filters(store);
    this.choice = noFilters();
    this.selected = -1;
    this.beside = -1;
    this.options = { source: false, rest: false };
    this.rows = [];
    this.hits = null;
    this.searches = 0;
    this.list = new List(byId("list"), store, (i) => this.open(i));
  }

  // ---- lists and filters

  refilter() {
    const { rows, counts } = this.filters.apply(this.choice, this.hits);
    this.rows = rows;
    const pair = this.filters.flipPair(this.choice);
    this.list.show(rows, pair ? (i) => this.store.sibling(i, pair[0]) : () => -1);
    this.list.select(this.selected);
    showFacets(this, counts);
    showTally(this);
  }

  choose(key, value) {
    this.choice = { ...this.choice, [key]: value };
    if (key === "query" || key === "deep") return this.search();
    if (key === "from" || key === "to") this.startFlips();
    this.refilter();
    if (key === "sort") this.selected = -1;
    this.follow();
  }

  // The pair says which cell is listed, so filters on cells would only contradict it.
  startFlips() {
    this.beside = -1;
    if (!this.filters.flipPair(this.choice)) return;
    this.choice = { ...this.choice, method: "", n: "", budget: "" };
  }

  // Keeps the selected generation if it is still listed, else takes the first one.
  follow() {
    if (!this.rows.length) {
      [this.selected, this.beside] = [-1, -1];
      this.show();
    } else this.go(this.rows.includes(this.selected) ? this.selected : this.rows[0]);
  }

  // A link keeps what it names, listed or not.
  async search(linked = false) {
    const turn = ++this.searches;
    const { query, deep } = this.choice;
    const progress = byId("progress");
    progress.textContent = "";
    this.hits = query.trim() ? searchFacts(this.store, query.trim()) : null;
    this.refilter();
    const settle = () => (linked ? this.show() : this.follow());
    if (!this.hits || !deep) return settle();
    let shown = performance.now();
    const report = (share) => {
      progress.textContent = share < 1 ? `Searching texts: ${Math.round(100 * share)} %` : "";
      if (share < 1 && performance.now() - shown < 400) return;
      shown = performance.now();
      this.refilter();
    };
    await searchTexts(this.store, query.trim(), this.hits, report, () => turn !== this.searches);
    if (turn === this.searches) settle();
  }

  // ---- the selected generation

  // From the list. On a small window the sample is a page of its own, which "back" leaves.
  open(i) {
    if (isSmall()) {
      history.replaceState({ pane: "list" }, "", location.hash);
      history.pushState({ pane: "sample" }, "", location.hash);
    }
    document.body.dataset.pane = "sample";
    this.go(i);
  }

  go(i) {
    this.beside = this.counterpart(i);
    this.selected = i;
    this.show();
  }

  // What is shown beside `i`: the flip's first cell, or what stands beside the present generation.
  counterpart(i) {
    const { store, beside, selected } = this;
    const { group, model, sample } = store.generations;
    const pair = this.filters.flipPair(this.choice);
    if (pair && store.cell[i] === pair[1]) return store.sibling(i, pair[0]);
    if (beside < 0) return -1;
    let found = beside;
    if (group[i] !== group[selected]) {
      const inGroup = group[beside] === group[selected];
      const alike = (j) => model[j] === model[beside] && sample[j] === sample[beside];
      found = inGroup ? store.sibling(i, store.cell[beside]) : (store.alike(i).find(alike) ?? -1);
    }
    return found === i ? -1 : found;
  }

  // From the list into the text, for readers without a pointer.
  read() {
    if (this.selected < 0) return;
    this.open(this.selected);
    byId("sample").focus();
  }

  // From a cell that is not listed, the steps go on from its question.
  step(by) {
    const { question } = this.store.generations;
    const asked = question[this.selected];
    let place = this.rows.indexOf(this.selected);
    if (place < 0) place = this.rows.findIndex((i) => question[i] === asked);
    const next = Math.min(this.rows.length - 1, Math.max(0, place + by));
    if (this.rows.length) this.go(this.rows[next]);
  }

  // Another cell of the same question: along the budgets of a method, or along the methods.
  stepCell(by, along) {
    if (this.selected < 0) return;
    const { method, budget } = this.store.generations;
    const moving = along === "budget" ? budget : method;
    const fixed = along === "budget" ? method : budget;
    const members = this.store.members[this.store.generations.group[this.selected]]
      .filter((j) => fixed[j] === fixed[this.selected])
      .sort((a, b) => moving[a] - moving[b]);
    const next = members[members.indexOf(this.selected) + by];
    if (next !== undefined) this.go(next);
  }

  compare(j) {
    this.beside = j === this.selected ? -1 : j;
    this.show();
  }

  async toggleCompare() {
    if (this.beside >= 0 || this.selected < 0) return this.compare(-1);
    const { store, selected } = this;
    const texts = await store.texts(store.generations.group[selected]);
    const kin = store.members[store.generations.group[selected]].filter(
      (j) => j !== selected && sameChain(store, texts, selected, j),
    );
    const before = kin.filter((j) => j < selected);
    this.compare(before.at(-1) ?? kin[0] ?? -1);
  }

  async show() {
    const { store, selected, beside } = this;
    this.list.select(selected);
    const main = byId("sample");
    history.replaceState(history.state, "", formatLink(store, this));
    if (selected < 0) {
      main.replaceChildren(make("p", { class: "empty" }, "No generation matches."));
      return;
    }
    const groups = [selected, beside].map((i) => (i < 0 ? -1 : store.generations.group[i]));
    const [texts, besideTexts] = await Promise.all(
      groups.map((g) => (g < 0 ? null : store.texts(g))),
    );
    if (selected !== this.selected || beside !== this.beside) return;
    const place = this.rows.indexOf(selected);
    const query = this.choice.query.trim();
    const shown = { store, query, i: selected, texts, beside, besideTexts };
    const around = { place, total: this.rows.length, options: this.options };
    const article = renderSample({ ...shown, ...around, actions: this.actions() });
    const stays = main.dataset.shown === String(selected);
    redraw(main, article);
    markMatches(article, query);
    main.dataset.shown = selected;
    main.dataset.beside = beside;
    if (!stays) main.scrollTop = 0;
  }

  actions() {
    return {
      step: (by) => this.step(by),
      go: (i) => this.go(i),
      compare: (j) => this.compare(j),
      copyLink: () => this.copyLink(),
      nextMark: () => this.nextMark(),
      nextMatch: () => this.nextMatch(),
      toggleSource: () => this.toggle("source"),
      toggleRest: () => this.toggle("rest"),
      href: (i) => linkTo(this.store, i, this.choice),
    };
  }

  toggle(option) {
    this.options[option] = !this.options[option];
    this.show();
  }

  async copyLink() {
    const progress = byId("progress");
    try {
      await navigator.clipboard.writeText(location.href);
      progress.textContent = "Link copied";
    } catch {
      progress.textContent = "The link is in the address bar";
    }
  }

  nextMark() {
    const main = byId("sample");
    const marks = [...main.querySelectorAll(".passage .spliced, .passage .cut, .banner")];
    const top = main.getBoundingClientRect().top + 90;
    const next = marks.find((mark) => mark.getBoundingClientRect().top > top + 4) ?? marks[0];
    next?.scrollIntoView({ block: "start" });
    main.scrollBy(0, -80);
  }

  nextMatch() {
    const place = nextMatch(byId("sample"));
    byId("progress").textContent = place ? `Match ${place}` : "No match in the texts shown";
  }

  // ---- links

  restore() {
    const { choice, selected, beside, missing } = parseLink(location.hash, this.store);
    this.choice = choice;
    this.hits = choice.query ? searchFacts(this.store, choice.query) : null;
    syncControls(this);
    this.refilter();
    byId("progress").textContent = missing ? `There is no generation for ${missing}` : "";
    this.selected = selected >= 0 ? selected : (this.rows[0] ?? -1);
    this.beside = beside;
    document.body.dataset.pane = history.state?.pane ?? (selected >= 0 ? "sample" : "list");
    const shown = this.show();
    if (choice.query && choice.deep) this.search(true);
    return shown;
  }
}
