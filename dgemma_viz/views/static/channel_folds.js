// Channels of a canvas, such as one for thinking, as stretches of tokens that fold into one mark.

// What is said to the reader is no channel to fold away. `ready`: the channel has begun at this step, and can be folded;
// `due`: it is written and has ended, and hides no difference from another run, so that it is folded by itself.
export function channelFolds({ at, store, differs }) {
  const channels = store.words.channels ?? [];
  return channels.filter(({ outer, spoken }) => outer && !spoken).map(({ number, name, here: [from, to], ended, tokens }) => {
    const here = to - from, count = here === tokens ? `${tokens} tokens` : `${here} of ${tokens} tokens`;
    const written = store.commit.subarray(from, to).every((step) => step <= at);
    const alike = !differs?.subarray(from, to).some(Boolean);
    return {
      key: `channel ${number}`, from, to, words: `${name} · ${count}`, said: `${name}, ${count}, folded`,
      ready: store.commit[from] <= at, due: ended && written && alike,
    };
  });
}
