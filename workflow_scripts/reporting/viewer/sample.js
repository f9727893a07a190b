// One generation: its question, the cells around it, and its texts, alone or beside another.

// `view`: the generation `i` with its `texts`, the one `beside` it or -1, the search's `query`, the
// `place` of `i` among `total` listed rows, the reader's `options`, and the `actions` of controls.
function renderSample(view) {
  const { store, i } = view;
  const row = store.row(i);
  const other = view.beside >= 0 ? store.row(view.beside) : null;
  const columns = [column(view, row, view.texts, other && view.besideTexts, other)];
  if (other) columns.push(column(view, other, view.besideTexts, view.texts, row));
  if (other && other.thinking < row.thinking) columns.reverse(); // what came before stands left
  const article = make(
    "article",
    { "aria-labelledby": "sample-title" },
    heading(view, row),
    make(
      "div",
      { class: "overview" },
      make("div", {}, questionSection(view, row), other ? null : factsList(store, row)),
      siblingSection(view, row),
    ),
    toolbar(view, row),
    legend(row.spliced + (other?.spliced ?? 0) > 0),
    make("div", { class: other ? "columns two" : "columns" }, ...columns),
  );
  return article;
}

function legend(spliced) {
  return make(
    "p",
    { class: "legend" },
    make("span", { class: "model-text" }, "written by the model"),
    spliced ? make("mark", { class: "spliced" }, "spliced in by the method") : null,
    make("span", { class: "cut" }, "\u2702 cut point of a budget"),
    make("span", { class: "cut ended" }, "\u25a0 thinking ended by the model"),
  );
}

function heading(view, row) {
  const { actions, place, total } = view;
  const where =
    place >= 0 ? `${counted(place + 1)} of ${counted(total)} listed` : "not in the list";
  return make(
    "header",
    { class: "heading" },
    make("h2", { id: "sample-title", tabindex: "-1" }, `${row.dataset.title}, question ${row.id}`),
    make(
      "p",
      { class: "where" },
      `${row.model.title} \u00b7 ${row.method.name}/${row.budget} \u00b7 ${where}`,
    ),
    make(
      "div",
      { class: "buttons" },
      make("button", { type: "button", onclick: () => actions.step(-1) }, "\u2191 Previous"),
      make("button", { type: "button", onclick: () => actions.step(1) }, "\u2193 Next"),
      make("button", { type: "button", onclick: actions.copyLink }, "Copy link"),
    ),
  );
}

function questionSection({ store, options }, row) {
  const { prompt, category } = store.questions;
  const asked = prompt[row.question];
  const kind = category[row.question] ? ` (${category[row.question]})` : "";
  const body =
    asked === null
      ? make("p", {}, "This question is in no benchmark table.")
      : renderText(asked, { formulas: !options.source });
  const { added } = row.method;
  const note = added
    ? make("p", { class: "added" }, "Added by the method: ", make("q", {}, added))
    : null;
  return make("section", { class: "question" }, make("h3", {}, `Question${kind}`), body, note);
}

// All cells of the question as a table of verdicts: every cell is one click away.
function siblingSection(view, row) {
  const { store, i } = view;
  const members = store.members[row.group];
  const budgets = store.budgets.filter((budget) =>
    members.some((j) => store.row(j).budget === budget),
  );
  const used = store.methods.filter((method) =>
    members.some((j) => store.row(j).method === method),
  );
  const head = make("tr", {}, make("td"), ...budgets.map((b) => make("th", { scope: "col" }, b)));
  const body = used.map((method) => {
    const cells = budgets.map((budget) => {
      const j = members.find(
        (k) => store.row(k).method === method && store.row(k).budget === budget,
      );
      return make("td", {}, j === undefined ? null : cellButton(view, j));
    });
    return make("tr", {}, make("th", { scope: "row" }, method.name), ...cells);
  });
  const table = make(
    "table",
    { class: "grid" },
    make("thead", {}, head),
    make("tbody", {}, ...body),
  );
  return make(
    "section",
    { class: "siblings" },
    make("h3", {}, "Verdicts of all cells on this question"),
    make("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "Cells" }, table),
    alternatives(view, i),
  );
}

function cellButton(view, j) {
  const { store, i, beside, actions } = view;
  const row = store.row(j);
  const state = j === i ? "true" : null;
  const name = `${row.method.name}/${row.budget}: ${row.outcome}${j === beside ? ", shown beside" : ""}`;
  return make(
    "button",
    {
      type: "button",
      class: `cell ${outcomeClass(row.outcome)}${j === beside ? " beside" : ""}`,
      "aria-label": name,
      "aria-current": state,
      title: name,
      onclick: (event) => (event.shiftKey ? actions.compare(j) : actions.go(j)),
    },
    GLYPHS[row.outcome],
  );
}

// The same cell under other models, and other samples of the same cell.
function alternatives(view, i) {
  const { store, actions } = view;
  const row = store.row(i);
  const same = store.alike(i);
  if (same.length < 2) return null;
  const buttons = same.map((j) => {
    const other = store.row(j);
    const sample = same.some((k) => k !== j && store.row(k).model === other.model);
    const name = sample ? `${other.model.title}, sample ${other.sample}` : other.model.title;
    return make(
      "button",
      { type: "button", "aria-current": j === i ? "true" : null, onclick: () => actions.go(j) },
      verdictMark(other.outcome),
      ` ${name}`,
    );
  });
  const label = `${row.method.name}/${row.budget} on this question by`;
  return make("p", { class: "alike" }, make("span", {}, label), ...buttons);
}

function toolbar(view, row) {
  const { actions, options } = view;
  const toggle = (text, pressed, onclick) =>
    make("button", { type: "button", "aria-pressed": String(pressed), onclick }, text);
  const select = make("select", {});
  select.append(make("option", { value: "-1" }, "nothing"), ...compareGroups(view, row));
  select.value = String(view.beside);
  select.addEventListener("change", () => actions.compare(Number(select.value)));
  return make(
    "div",
    { class: "toolbar", role: "toolbar", "aria-label": "How the texts are shown" },
    make("label", {}, "Compare with ", select),
    toggle("LaTeX source", options.source, actions.toggleSource),
    toggle("Rest of the chain", options.rest, actions.toggleRest),
    make("button", { type: "button", onclick: actions.nextMark }, "Next mark"),
    view.query
      ? make("button", { type: "button", onclick: actions.nextMatch }, "Next match")
      : null,
  );
}

function compareGroups(view, row) {
  const { store, i, texts } = view;
  const members = store.members[row.group].filter((j) => j !== i);
  const kin = members.filter((j) => sameChain(store, texts, i, j));
  const groups = [
    ["Cells of the same chain", kin],
    ["Other chains of this question", members.filter((j) => !kin.includes(j))],
    ["The same cell, other model or sample", store.alike(i).filter((j) => j !== i)],
  ];
  const option = (j) => {
    const other = store.row(j);
    const model = other.group === row.group ? "" : ` \u00b7 ${other.model.title} #${other.sample}`;
    const name = `${GLYPHS[other.outcome]} ${other.method.name}/${other.budget}${model}`;
    return make("option", { value: j }, name);
  };
  return groups
    .filter(([, cells]) => cells.length)
    .map(([label, cells]) => make("optgroup", { label }, ...cells.map(option)));
}
