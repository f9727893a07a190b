// Which generations are listed: one choice per facet, flips between two cells, and a text search.

const FACETS = [
  { key: "model", label: "Model", value: (s, i) => s.models[s.generations.model[i]].name },
  { key: "dataset", label: "Dataset", value: (s, i) => s.datasets[s.dataset[i]].name },
  { key: "method", label: "Method", value: (s, i) => s.methods[s.generations.method[i]].name },
  { key: "n", label: "n (continuations)", value: (s, i) => String(s.generations.n[i]) },
  { key: "budget", label: "Budget", value: (s, i) => s.budgets[s.generations.budget[i]] },
  { key: "verdict", label: "Verdict", value: (s, i) => s.outcomes[s.generations.outcome[i]] },
  { key: "end", label: "End", value: (s, i) => endOf(s, i) },
  { key: "loop", label: "Loop", value: (s, i) => (s.generations.loop[i] ? "loop" : "no loop") },
];

const FLIP_KINDS = [
  ["any", "right and wrong differ"],
  ["lost", "right to wrong"],
  ["won", "wrong to right"],
];

const SORTS = [
  ["study", "by cell, then question"],
  ["question", "by question, then cell"],
  ["longest", "longest thinking first"],
  ["shortest", "shortest thinking first"],
];

const endOf = (store, i) => store.generations.end.values[store.generations.end.codes[i]];

const noFilters = () => ({ query: "", deep: false, from: "", to: "", kind: "any", sort: "study" });

class Filters {
  constructor(store) {
    this.store = store;
    this.values = FACETS.map(({ value }) => {
      const names = [];
      const numbers = new Map();
      const codes = Int32Array.from({ length: store.size }, (_, i) => {
        const name = value(store, i);
        if (!numbers.has(name)) numbers.set(name, names.push(name) - 1);
        return numbers.get(name);
      });
      return { names, numbers, codes };
    });
    this.cells = [...new Set(store.cell)].sort((a, b) => a - b);
    this.cellByName = new Map(this.cells.map((cell) => [store.cellName(cell), cell]));
  }

  // Values of a facet in the order of the study.
  options(facet) {
    const order = {
      model: this.store.models.map((model) => model.name),
      dataset: this.store.datasets.map((dataset) => dataset.name),
      method: this.store.methods.map((method) => method.name),
      budget: this.store.budgets,
      verdict: this.store.outcomes,
    }[FACETS[facet].key];
    const { names } = this.values[facet];
    if (order) return order.filter((name) => names.includes(name));
    return [...names].sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
  }

  // Rows that pass everything, and for each facet how many rows each of its values would leave.
  apply(choice, hits) {
    const { size } = this.store;
    const wanted = FACETS.map(({ key }, f) => {
      if (!choice[key]) return -1;
      return this.values[f].numbers.get(choice[key]) ?? -2;
    });
    const counts = this.values.map(({ names }) => new Int32Array(names.length));
    const rows = [];
    const flipped = this.flipTest(choice);
    for (let i = 0; i < size; i++) {
      if ((hits && !hits[i]) || (flipped && !flipped(i))) continue;
      let failed = 0;
      let where = -1;
      for (let f = 0; f < wanted.length && failed < 2; f++) {
        if (wanted[f] !== -1 && this.values[f].codes[i] !== wanted[f]) {
          failed++;
          where = f;
        }
      }
      if (failed === 0) {
        rows.push(i);
        for (let f = 0; f < counts.length; f++) counts[f][this.values[f].codes[i]]++;
      } else if (failed === 1) counts[where][this.values[where].codes[i]]++;
    }
    return { rows: this.sorted(rows, choice.sort), counts };
  }

  count(counts, facet, name) {
    return counts[facet][this.values[facet].numbers.get(name)];
  }

  flipPair(choice) {
    const from = this.cellByName.get(choice.from);
    const to = this.cellByName.get(choice.to);
    return from === undefined || to === undefined || from === to ? null : [from, to];
  }

  // Rows of the second cell whose verdict differs from the first cell's on the same question.
  flipTest(choice) {
    const pair = this.flipPair(choice);
    if (!pair) return null;
    const { store } = this;
    const { outcome } = store.generations;
    const right = store.outcomes.indexOf("right");
    const ungraded = store.outcomes.indexOf("not graded");
    return (i) => {
      if (store.cell[i] !== pair[1]) return false;
      const before = store.sibling(i, pair[0]);
      if (before < 0 || outcome[before] === ungraded || outcome[i] === ungraded) return false;
      const was = outcome[before] === right;
      const is = outcome[i] === right;
      return was !== is && (choice.kind === "any" || (choice.kind === "won") === is);
    };
  }

  sorted(rows, sort) {
    const { question, thinking_tokens: tokens } = this.store.generations;
    if (sort === "question") return rows.sort((a, b) => question[a] - question[b] || a - b);
    if (sort === "longest") return rows.sort((a, b) => tokens[b] - tokens[a] || a - b);
    if (sort === "shortest") return rows.sort((a, b) => tokens[a] - tokens[b] || a - b);
    return rows;
  }
}
