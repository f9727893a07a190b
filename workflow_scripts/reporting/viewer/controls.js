// Controls outside the sample: filters, dialogs, colours.

function showFacets(viewer, counts) {
  FACETS.forEach(({ key }, f) => {
    const total = viewer.filters
      .options(f)
      .reduce((sum, name) => sum + viewer.filters.count(counts, f, name), 0);
    const titles = Object.fromEntries(
      (viewer.store[`${key}s`] ?? []).map((entry) => [entry.name, entry.title ?? entry.name]),
    );
    const options = viewer.filters.options(f).map((name) => {
      return [name, `${titles[name] ?? name} (${counted(viewer.filters.count(counts, f, name))})`];
    });
    fillOptions(
      byId(`facet-${key}`),
      [["", `all (${counted(total)})`], ...options],
      viewer.choice[key] ?? "",
    );
  });
  const used = [...FACETS.map(({ key }) => key), "query"].filter(
    (key) => viewer.choice[key],
  ).length;
  const active = used + (viewer.filters.flipPair(viewer.choice) ? 1 : 0);
  byId("active").textContent = active ? `(${active} on)` : "";
}

function showTally({ store, rows }) {
  const { outcome } = store.generations;
  const right = store.outcomes.indexOf("right");
  const correct = rows.filter((i) => outcome[i] === right).length;
  const listed = `${counted(rows.length)} of ${plural(store.size, "generation")}`;
  byId("count").textContent = `${listed}; ${counted(correct)} right`;
}

function syncControls({ choice }) {
  byId("query").value = choice.query;
  byId("deep").checked = Boolean(choice.deep);
  byId("flip-from").value = choice.from;
  byId("flip-to").value = choice.to;
  byId("flip-kind").value = choice.kind;
  byId("sort").value = choice.sort;
  byId("flips").open ||= Boolean(choice.from && choice.to);
}

function buildControls(viewer) {
  const facets = FACETS.map(({ key, label }) => {
    const select = make("select", { id: `facet-${key}` });
    select.addEventListener("change", () => viewer.choose(key, select.value));
    return make("label", {}, `${label} `, select);
  });
  byId("facets").append(...facets);
  const cells = viewer.filters.cells.map((cell) => viewer.store.cellName(cell));
  const options = [["", "no cell"], ...cells.map((name) => [name, name])];
  const selects = { "flip-from": "from", "flip-to": "to", "flip-kind": "kind", sort: "sort" };
  for (const [id, key] of Object.entries(selects)) {
    fillOptions(byId(id), { kind: FLIP_KINDS, sort: SORTS }[key] ?? options, viewer.choice[key]);
    byId(id).addEventListener("change", (event) => viewer.choose(key, event.target.value));
  }
  let timer = 0;
  byId("query").addEventListener("input", (event) => {
    clearTimeout(timer);
    timer = setTimeout(() => viewer.choose("query", event.target.value), 150);
  });
  byId("deep").addEventListener("change", (event) => viewer.choose("deep", event.target.checked));
  byId("clear").addEventListener("click", () => {
    viewer.choice = noFilters();
    syncControls(viewer);
    viewer.search();
  });
  byId("back").addEventListener("click", () => {
    if (history.state?.pane === "sample") history.back();
    else document.body.dataset.pane = "list";
  });
  byId("help").addEventListener("click", () => byId("keys").showModal());
  byId("theme").addEventListener("click", switchTheme);
  byId("skip").addEventListener("click", (event) => {
    event.preventDefault();
    byId("sample").focus();
  });
}

function buildDialogs(store) {
  const keys = KEYS.map(([key, text]) =>
    make("div", {}, make("dt", {}, make("kbd", {}, key)), make("dd", {}, text)),
  );
  byId("keys")
    .querySelector("dl")
    .append(...keys);
  if (!store.notes.length) return;
  const button = byId("notes");
  button.hidden = false;
  button.textContent = plural(store.notes.length, "note") + " on the data";
  button.addEventListener("click", () => byId("problems").showModal());
  byId("problems")
    .querySelector("ul")
    .append(...store.notes.map((note) => make("li", {}, note)));
}

const isSmall = () => matchMedia("(max-width: 760px)").matches;

const isDark = () => {
  const set = document.documentElement.dataset.theme;
  return set ? set === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
};

function switchTheme() {
  const theme = isDark() ? "light" : "dark";
  document.documentElement.dataset.theme = theme;
  try {
    localStorage.setItem("s1flow-theme", theme);
  } catch {
    // storage may be off for files; the choice then lasts until the page is closed
  }
}

function restoreTheme() {
  try {
    const theme = localStorage.getItem("s1flow-theme");
    if (theme) document.documentElement.dataset.theme = theme;
  } catch {
    // no storage: the system's preference holds
  }
}
