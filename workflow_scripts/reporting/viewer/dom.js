// Building the document. Texts of models and data reach it only through text nodes.

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "onclick") element.addEventListener("click", value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child != null));
  return element;
}

const byId = (id) => document.getElementById(id);
const NUMBERS = new Intl.NumberFormat("en");
const counted = (n) => (n === null ? "\u2013" : NUMBERS.format(n)); // null: nobody counted
const plural = (n, word) => `${counted(n)} ${word}${n === 1 ? "" : "s"}`;

function fillOptions(select, options, value) {
  select.replaceChildren(...options.map(([key, text]) => make("option", { value: key }, text)));
  select.value = value;
}

const GLYPHS = { right: "\u2713", wrong: "\u2717", "no answer": "\u2205", "not graded": "?" };
const outcomeClass = (outcome) => `is-${outcome.replace(" ", "-")}`;

function verdictMark(outcome) {
  return make(
    "span",
    { class: `mark ${outcomeClass(outcome)}`, role: "img", "aria-label": outcome, title: outcome },
    GLYPHS[outcome],
  );
}

function verdictBadge(outcome) {
  return make("span", { class: `badge ${outcomeClass(outcome)}` }, `${GLYPHS[outcome]} ${outcome}`);
}

// Replaces a container's contents; focus stays on the control of the same name.
function redraw(container, ...contents) {
  const held = document.activeElement;
  if (held === container || !container.contains(held))
    return container.replaceChildren(...contents);
  const name = controlName(held);
  container.replaceChildren(...contents);
  const controls = [...container.querySelectorAll(held.tagName)];
  (controls.find((control) => controlName(control) === name) ?? container).focus({
    preventScroll: true,
  });
}

const controlName = (element) =>
  element.tagName === "SELECT" ? "" : (element.getAttribute("aria-label") ?? element.textContent);
