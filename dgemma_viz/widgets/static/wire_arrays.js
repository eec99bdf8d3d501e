// Unpacks the arrays of a figure that crossed as bytes (see wire_arrays.py), and leaves all else as it is.

const NUMBERS = { float32: Float32Array, float64: Float64Array };
const PLACES = { uint8: Uint8Array, uint16: Uint16Array, uint32: Uint32Array };

// The bytes begin anywhere in a message, a typed array does not.
const typed = (kind, { buffer, byteOffset, byteLength }) => new kind(buffer.slice(byteOffset, byteOffset + byteLength));

// Rows of rows of ..., plain arrays all: Plotly finds the value under the pointer in no others.
function shaped(values, shape, first = 0, size = values.length) {
  if (shape.length < 2) return values.slice(first, first + size);
  const each = size / shape[0];
  return Array.from({ length: shape[0] }, (_, n) => shaped(values, shape.slice(1), first + n * each, each));
}

// Blanks are null, as in JSON.
const array = {
  numbers: ({ dtype, shape, values }) =>
    shaped(Array.from(typed(NUMBERS[dtype], values), (value) => (Number.isFinite(value) ? value : null)), shape),
  texts: ({ dtype, shape, values, distinct }) =>
    shaped(Array.from(typed(PLACES[dtype], values), (place) => distinct[place]), shape),
};

export function unpacked(value) {
  if (Array.isArray(value)) return value.map(unpacked);
  if (value?.constructor !== Object) return value;
  if (value.wire in array) return array[value.wire](value);
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, unpacked(inner)]));
}
