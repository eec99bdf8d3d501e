// Reads the frame of one place: what is shown of one canvas of one sample, in one run or in both (views/contents.py).

const ALIGNMENT = 4;

const KINDS = { f4: Float32Array, i4: Int32Array };

// The same values with every array in place of where it stands: `{ values, shape }` (Records.keep()).
function withArrays(value, part) {
  if (value === null || typeof value !== "object") return value;
  if (value.at && value.dtype) return { values: new KINDS[value.dtype](part(value.at).slice().buffer), shape: value.shape };
  if (Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, withArrays(one, part)]));
}

// `frame`: an ArrayBuffer, or a view on one that begins anywhere.
export function readPlace(frame) {
  const bytes = frame instanceof ArrayBuffer ? new Uint8Array(frame) : new Uint8Array(frame.buffer, frame.byteOffset, frame.byteLength);
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  const place = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
  const begin = 4 + Math.ceil(length / ALIGNMENT) * ALIGNMENT;
  const part = ([from, to]) => bytes.subarray(begin + from, begin + to);
  const runs = place.runs.map((run) => run && { ...run, data: part(run.data), differing: part(run.differing) });
  const insides = place.insides?.map((one) => withArrays(one, part));
  return { ...place, runs, insides, size: bytes.length };
}

// The places that were looked at, newest last, up to so many bytes; `fetch(canvas, sample)` promises a frame.
export function createPlaces(fetch, most = 128 * 2 ** 20) {
  const known = new Map();

  function place(canvas, sample) {
    const key = `${canvas},${sample}`, found = known.get(key) ?? load(key, canvas, sample);
    known.delete(key);
    known.set(key, found);
    return found.promise;
  }
  function load(key, canvas, sample) {
    const entry = { size: 0 };
    entry.promise = Promise.resolve(fetch(canvas, sample)).then(readPlace);
    entry.promise.then(({ size }) => ((entry.size = size), forget()), () => known.get(key) === entry && known.delete(key));
    return entry;
  }
  function forget() {
    let total = [...known.values()].reduce((sum, { size }) => sum + size, 0);
    for (const [key, { size }] of known) {
      if (total <= most || known.size < 2) return;
      known.delete(key);
      total -= size;
    }
  }
  return { place };
}
