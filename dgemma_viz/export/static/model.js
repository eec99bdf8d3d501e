// Stands in for Jupyter's model: named values, and who wants to hear of their changes.

export function createModel(values) {
  const listeners = {};
  return {
    get: (name) => values[name],
    set(name, value) {
      if (values[name] === value) return;
      values[name] = value;
      for (const act of [...(listeners[`change:${name}`] ?? [])]) act();
    },
    on: (event, act) => (listeners[event] ??= []).push(act),
    off: (event, act) => (listeners[event] = (listeners[event] ?? []).filter((other) => other !== act)),
    save_changes() {},
    send() {},
  };
}
