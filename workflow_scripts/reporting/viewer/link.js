// Deep links. `model`, `dataset`, `method`, `budget`, `id` (and `sample`) name a generation; `with`
// names the cell beside it; keys that start with `f.` are the filters, and `f=all` says there are none.
// A link without filters shows the cell that it names.

const FILTER_KEYS = [
  ...FACETS.map(({ key }) => key),
  "query",
  "deep",
  "from",
  "to",
  "kind",
  "sort",
];
const CELL_KEYS = ["model", "dataset", "method", "budget"];

function formatLink(store, { selected, beside, choice }) {
  const parts = new URLSearchParams();
  if (selected >= 0) nameGeneration(parts, store.row(selected), "");
  if (selected >= 0 && beside >= 0) {
    const other = store.row(beside);
    parts.set("with", `${other.method.name}/${other.budget}`);
    if (other.model !== store.row(selected).model) parts.set("with.model", other.model.name);
  }
  const plain = noFilters();
  const set = FILTER_KEYS.filter((key) => choice[key] && choice[key] !== plain[key]);
  for (const key of set) parts.set(`f.${key}`, String(choice[key]));
  if (!set.length) parts.set("f", "all");
  return `#${parts.toString().replaceAll("%2F", "/")}`;
}

function nameGeneration(parts, row) {
  parts.set("model", row.model.name);
  parts.set("dataset", row.dataset.name);
  parts.set("method", row.method.name);
  parts.set("budget", row.budget);
  parts.set("id", row.id);
  if (row.sample) parts.set("sample", row.sample);
}

function linkTo(store, i, choice) {
  return formatLink(store, { selected: i, beside: -1, choice });
}

function parseLink(hash, store) {
  const parts = new URLSearchParams(hash.replace(/^#/, ""));
  const choice = noFilters();
  const explicit = [...parts.keys()].some((key) => key === "f" || key.startsWith("f."));
  for (const key of FILTER_KEYS) {
    const value = parts.get(`f.${key}`);
    if (value !== null) choice[key] = key === "deep" ? value === "true" : value;
  }
  if (!explicit) for (const key of CELL_KEYS) if (parts.has(key)) choice[key] = parts.get(key);
  const selected = parts.has("id") ? findGeneration(store, parts) : -1;
  const missing = parts.has("id") && selected < 0 ? describe(parts) : "";
  return {
    choice,
    selected,
    missing,
    beside: selected < 0 ? -1 : findBeside(store, selected, parts),
  };
}

// The generation that a link names; parts that the link leaves out match anything.
function findGeneration(store, parts) {
  const sample = Number(parts.get("sample") ?? 0);
  for (let i = 0; i < store.size; i++) {
    const row = () => store.row(i);
    if (store.questions.question_id[store.generations.question[i]] !== parts.get("id")) continue;
    if (store.generations.sample[i] !== sample) continue;
    const { model, dataset, method, budget } = row();
    const named = { model: model.name, dataset: dataset.name, method: method.name, budget };
    if (CELL_KEYS.every((key) => !parts.has(key) || parts.get(key) === named[key])) return i;
  }
  return -1;
}

function findBeside(store, selected, parts) {
  if (!parts.has("with")) return -1;
  const [method, budget] = parts.get("with").split("/");
  const row = store.row(selected);
  const wanted = new URLSearchParams();
  const model = { name: parts.get("with.model") ?? row.model.name };
  nameGeneration(wanted, { ...row, model, method: { name: method }, budget });
  return findGeneration(store, wanted);
}

const describe = (parts) =>
  ["model", "dataset", "method", "budget", "id", "sample"]
    .filter((key) => parts.has(key))
    .map((key) => `${key} ${parts.get(key)}`)
    .join(", ");
