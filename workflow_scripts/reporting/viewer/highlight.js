// Matches of the search inside the shown texts, painted without touching the document.

const MOST_MATCHES = 2000;
let matches = [];
let currentMatch = -1;

function markMatches(root, query) {
  matches = [];
  currentMatch = -1;
  if (!window.Highlight) return;
  CSS.highlights.clear();
  if (!query) return;
  const wanted = folded(query);
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  for (
    let node = walker.nextNode();
    node && matches.length < MOST_MATCHES;
    node = walker.nextNode()
  ) {
    if (node.parentElement.closest(".passage, code")) matches.push(...rangesIn(node, wanted));
  }
  CSS.highlights.set("found", new Highlight(...matches));
}

function rangesIn(node, wanted) {
  const text = folded(node.data);
  const found = [];
  if (text.length !== node.data.length) return found; // letters whose lower case is longer
  for (let at = text.indexOf(wanted); at >= 0; at = text.indexOf(wanted, at + wanted.length)) {
    const range = new Range();
    range.setStart(node, at);
    range.setEnd(node, at + wanted.length);
    found.push(range);
  }
  return found;
}

// Scrolls to the next match and paints it apart; returns "3 of 7", or "" without matches.
function nextMatch(scroller) {
  if (!matches.length) return "";
  currentMatch = (currentMatch + 1) % matches.length;
  const range = matches[currentMatch];
  range.startContainer.parentElement.scrollIntoView({ block: "center" });
  const { top } = range.getBoundingClientRect();
  scroller.scrollBy(0, top - scroller.getBoundingClientRect().top - scroller.clientHeight / 3);
  CSS.highlights.set("current", new Highlight(range));
  return `${currentMatch + 1} of ${matches.length}`;
}
