// Named values, and who wants to hear of their changes: what is looked at, in a page without Jupyter's model.

export function createModel(values) {
  const listeners = {};
  const set = (name, value) => {
    if (values[name] === value) return;
    values[name] = value;
    for (const act of [...(listeners[`change:${name}`] ?? [])]) act();
  };
  return {
    get: (name) => values[name],
    set,
    put: (changes) => Object.entries(changes).forEach(([name, value]) => set(name, value)),
    on: (event, act) => (listeners[event] ??= []).push(act),
    off: (event, act) => (listeners[event] = (listeners[event] ?? []).filter((other) => other !== act)),
  };
}
