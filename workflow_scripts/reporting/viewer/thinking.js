// Running text: formulas, authors, cut points, and the place where two cells part.

// `splices`: [[start, stop]]; `cuts`: [{at, node(inside)}]; `banners`: [{at, node}], blocks
// between chunks; `limit`: where the cell ends, text after it is the rest of the chain.
function renderText(text, { splices = [], cuts = [], banners = [], limit, formulas = true } = {}) {
  limit ??= text.length;
  const solid = [limit, ...banners.map((banner) => banner.at)];
  const regions = splices.map(([start, stop], k) => ({ start, stop, number: k + 1 }));
  if (formulas) {
    const free = (f) =>
      !solid.some((at) => f.start < at && at < f.stop) &&
      !splices.some(([start, stop]) => start < f.stop && f.start < stop);
    regions.push(...findMath(text).filter(free));
  }
  regions.sort((a, b) => a.start - b.start);
  const empty = regions.filter((region) => region.start === region.stop);
  const nothing = empty.map((region) => ({
    at: region.start,
    node: () => spliceElement(region, "nothing", true),
  }));
  const marks = [...cuts.map((cut) => moved(cut, regions)), ...nothing].sort((a, b) => a.at - b.at);
  const body = make("div", { class: "passage", dir: "auto" });
  for (const [start, stop] of chunks(text, solid)) {
    body.append(...banners.filter((banner) => banner.at === start).map((banner) => banner.node));
    const beyond = start >= limit && limit < text.length;
    const chunk = make("div", { class: beyond ? "chunk beyond" : "chunk" });
    fillChunk(chunk, text, start, stop, regions, marks);
    trim(chunk, start === 0);
    body.append(chunk);
    nearby.observe(chunk);
  }
  const last = banners.filter((banner) => text && banner.at === text.length);
  body.append(...last.map((banner) => banner.node));
  return body;
}

// A formula is shown whole, so a cut inside it is marked at its end and says so.
function moved(cut, regions) {
  const around = regions.find((r) => r.tex !== undefined && r.start < cut.at && cut.at < r.stop);
  return around ? { ...cut, at: around.stop, inside: true } : cut;
}

// Paragraphs, also split at the positions in `solid`.
function chunks(text, solid) {
  const starts = new Set([0, ...solid.filter((at) => at > 0 && at < text.length)]);
  for (const { index, 0: gap } of text.matchAll(/\n[ \t]*\n\s*/g)) {
    if (index + gap.length < text.length) starts.add(index + gap.length);
  }
  const sorted = [...starts].sort((a, b) => a - b);
  return sorted.map((start, i) => [start, sorted[i + 1] ?? text.length]);
}

// The gap between paragraphs is a margin; a gap of many lines is counted instead of shown.
function trim(chunk, first) {
  if (first && chunk.firstChild instanceof Text)
    chunk.firstChild.data = chunk.firstChild.data.replace(/^\n+/, "");
  const end = chunk.lastChild;
  if (!(end instanceof Text)) return;
  const kept = end.data.trimEnd();
  const lines = end.data.slice(kept.length).split("\n").length - 2;
  end.data = kept;
  if (lines > 3) chunk.append(make("span", { class: "gap" }, ` (${counted(lines)} blank lines)`));
}

// Takes what lies before `stop` from the front of `regions` and `marks`.
function fillChunk(chunk, text, start, stop, regions, marks) {
  let at = start;
  while (at < stop) {
    while (marks.length && marks[0].at <= at) chunk.append(markNode(marks.shift()));
    while (regions.length && regions[0].stop <= at) regions.shift();
    const region = regions[0];
    const ends = [stop, marks[0]?.at ?? stop];
    if (!region || region.start > at) {
      const end = Math.min(...ends, region?.start ?? stop);
      chunk.append(text.slice(at, end));
      at = end;
    } else if (region.tex !== undefined) {
      chunk.append(formulaElement(text.slice(at, region.stop), region.tex, region.display));
      at = region.stop;
    } else {
      const end = Math.min(...ends, region.stop);
      chunk.append(spliceElement(region, text.slice(at, end), at === region.start));
      at = end;
    }
  }
  if (stop === text.length) chunk.append(...marks.splice(0).map(markNode));
}

const markNode = (mark) => mark.node(Boolean(mark.inside));

function spliceElement(region, part, first) {
  const note = `Spliced in by the method, not written by the model (${region.number})`;
  const label = make("span", { class: "who", "aria-hidden": "true" }, `+${region.number}`);
  const spoken = make("span", { class: "quiet" }, `[spliced ${region.number}] `);
  return make("mark", { class: "spliced", title: note }, ...(first ? [label, spoken] : []), part);
}

// A text that was cut inside a character ends in a mark that its continuation does not have.
function begun(text) {
  let length = text.length;
  while (text[length - 1] === "\ufffd") length--;
  return text.slice(0, length);
}

// Two cells of one question are cuts of one chain if they say so or one text begins the other.
function sameChain(store, texts, i, j) {
  const [a, b] = [store.slot[i], store.slot[j]];
  if (texts.family[a] === texts.family[b]) return true;
  const [short, long] = [thinkingOf(texts, a), thinkingOf(texts, b)].sort(
    (x, y) => x.length - y.length,
  );
  return begun(short) !== "" && long.startsWith(begun(short));
}

// Cut points of all cells whose thinking begins the given text, by position.
function cutPoints(store, texts, group, whole, current) {
  const places = new Map();
  store.members[group].forEach((i, slot) => {
    const own = begun(thinkingOf(texts, slot));
    if (i === current || !whole.startsWith(own) || !sameChain(store, texts, i, current)) return;
    places.set(own.length, [...(places.get(own.length) ?? []), i]);
  });
  return [...places].map(([at, cells]) => ({ at, cells }));
}

function cutNode(store, cells, inside, href) {
  const rows = cells.map((i) => store.row(i));
  const forced = rows.filter((row) => row.end !== "natural");
  const shown = forced.length ? forced : rows;
  const budgets = [...new Set(shown.map((row) => row.budget))];
  const names = rows.map((row) => `${row.method.name}/${row.budget}`).join(", ");
  const tokens = plural(shown[0].thinking, "token");
  const what = forced.length
    ? `Cut after ${tokens}`
    : `Thinking ended by the model after ${tokens}`;
  const where = inside ? " (inside the formula before this mark)" : "";
  const shownText = forced.length ? `\u2702 ${budgets.join(" \u00b7 ")}` : "\u25a0 end";
  const label = `${what}${where}: ${names}`;
  return make(
    "a",
    {
      class: forced.length ? "cut" : "cut ended",
      href: href(cells[0]),
      title: label,
      "aria-label": `${shownText}: ${label}`,
    },
    shownText,
  );
}
