// Streamlit's own words in the reader's language: names that a screen reader says, and texts.
// `rules`: [forms, said]; a form is a text in which {name} stands for anything, `said` what is said
// instead. Forms are Streamlit's own words and those of the other languages, so that a page that
// changes its language changes them, too. Only attributes and texts are written, no element.
(rules, language) => {
  document.documentElement.lang = language;
  window.vaxsimWords?.disconnect();

  const names = ["aria-label", "aria-valuetext", "placeholder", "title"];
  const apart = ".vx, style, script, code, pre, [role=option][data-key], [data-testid=stIconMaterial]";
  const pattern = form => new RegExp(
    (form.endsWith(".") ? "" : "^") + // a sentence may come after "Error: "
    form.replace(/[.*+?^$()|[\]\\]/g, "\\$&").replace(/\{(\w+)\}/g, "(?<$1>.*)") + "$"
  );
  const known = rules.flatMap(([forms, said]) => forms.map(form => [pattern(form), said]));

  const saying = text => {
    for (const [form, said] of known) {
      text = text.replace(form, (...found) => {
        const parts = found.at(-1);
        return said.replace(/\{(\w+)\}/g, (_, name) => parts[name]);
      });
    }
    return text;
  };
  const say = (text, write) => {
    const said = text && saying(text);
    if (said && said !== text) write(said);
  };
  const ofElement = element => {
    if (element.closest(apart)) return;
    for (const name of names) {
      say(element.getAttribute(name), said => element.setAttribute(name, said));
    }
  };
  const ofText = node => {
    if (!node.parentElement?.closest(apart)) say(node.data, said => { node.data = said; });
  };
  const below = node => {
    if (node.nodeType === Node.TEXT_NODE) return ofText(node);
    if (node.nodeType !== Node.ELEMENT_NODE || node.closest(apart)) return;
    ofElement(node);
    node.childNodes.forEach(below);
  };

  below(document.body);
  window.vaxsimWords = new MutationObserver(changes => {
    for (const change of changes) {
      if (change.type === "childList") change.addedNodes.forEach(below);
      else if (change.type === "attributes") ofElement(change.target);
      else ofText(change.target);
    }
  });
  window.vaxsimWords.observe(document.body, {
    subtree: true, childList: true, characterData: true, attributes: true, attributeFilter: names,
  });
}
