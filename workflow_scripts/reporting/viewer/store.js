// The page's data: an index of all generations, and blocks of texts that are inflated when needed.

const KEPT_BLOCKS = 48;

function bytesOf(base64) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(base64);
  const binary = atob(base64);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

async function inflate(element) {
  const packed = new Blob([bytesOf(element.textContent)]);
  return new Response(packed.stream().pipeThrough(new DecompressionStream("deflate"))).json();
}

// Blocks follow this script in the file, so one may be asked for before it has been parsed.
async function arrived(id) {
  for (;;) {
    const element = document.getElementById(id);
    if (element && (element.nextElementSibling || document.readyState !== "loading"))
      return element;
    if (document.readyState !== "loading") throw new Error(`the file is cut off: no ${id}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

class Store {
  constructor(index) {
    Object.assign(this, index);
    const g = index.generations;
    this.size = g.question.length;
    this.dataset = g.question.map((question) => index.questions.dataset[question]);
    this.cell = g.method.map((method, i) => method * index.budgets.length + g.budget[i]);
    this.members = [];
    this.slot = new Array(this.size);
    g.group.forEach((group, i) => {
      this.members[group] ??= [];
      this.slot[i] = this.members[group].push(i) - 1;
    });
    this.blocks = new Map();
  }

  // One generation's facts, with names instead of numbers.
  row(i) {
    const g = this.generations;
    const question = g.question[i];
    const decoded = (name) => g[name].values[g[name].codes[i]];
    return {
      number: i,
      question,
      group: g.group[i],
      id: this.questions.question_id[question],
      model: this.models[g.model[i]],
      dataset: this.datasets[this.dataset[i]],
      method: this.methods[g.method[i]],
      budget: this.budgets[g.budget[i]],
      outcome: this.outcomes[g.outcome[i]],
      sample: g.sample[i],
      thinking: g.thinking_tokens[i],
      spliced: g.spliced_tokens[i],
      answer: g.answer_tokens[i],
      prompt: g.prompt_tokens[i],
      cap: g.budget_tokens[i],
      n: g.n[i],
      used: g.n_used[i],
      extracted: g.extracted[i],
      sameAs: g.same_as[i],
      loop: g.loop[i] === 1,
      answerCut: g.answer_cut[i] === 1,
      end: decoded("end"),
      extraction: decoded("extraction"),
      rule: decoded("rule"),
      flags: decoded("flags"),
    };
  }

  // The generation of a cell (method and budget) for the same question, model and sample, or -1.
  sibling(i, cell) {
    const found = this.members[this.generations.group[i]].find((j) => this.cell[j] === cell);
    return found ?? -1;
  }

  // The same cell of the same question under every model and sample, `i` included.
  alike(i) {
    const { question } = this.generations;
    this.byCell ??= Map.groupBy(
      question.map((_, j) => j),
      (j) => question[j] * this.methods.length * this.budgets.length + this.cell[j],
    );
    return this.byCell.get(question[i] * this.methods.length * this.budgets.length + this.cell[i]);
  }

  cellName(cell) {
    const width = this.budgets.length;
    return `${this.methods[Math.floor(cell / width)].name}/${this.budgets[cell % width]}`;
  }

  blockOf(group) {
    let low = 0;
    let high = this.firsts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.firsts[middle] <= group) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  // All groups of a block; the most recently used blocks stay inflated.
  async block(number) {
    const held = this.blocks.get(number) ?? arrived(`block-${number}`).then(inflate);
    this.blocks.delete(number);
    this.blocks.set(number, held);
    if (this.blocks.size > KEPT_BLOCKS) this.blocks.delete(this.blocks.keys().next().value);
    return held;
  }

  async texts(group) {
    const number = this.blockOf(group);
    const groups = await this.block(number);
    return unfold(groups[group - this.firsts[number]]);
  }
}

// Chains are stored as what each adds to the one before it.
function unfold(group) {
  if (!group.whole) {
    let before = "";
    group.whole = group.chains.map(([shared, rest]) => (before = before.slice(0, shared) + rest));
  }
  return group;
}

function thinkingOf(texts, slot) {
  const [chain, length] = texts.thinking[slot];
  return texts.whole[chain].slice(0, length);
}
