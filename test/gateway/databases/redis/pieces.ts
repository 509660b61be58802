// The same octets in whatever pieces they come.

import fc from 'fast-check';

export const cuts = fc.array(fc.nat(), { maxLength: 12 });

export function inPieces(bytes: Uint8Array, where: readonly number[]): readonly Uint8Array[] {
  const places = [0, ...where.map((cut) => cut % (bytes.length + 1)), bytes.length].toSorted((a, b) => a - b);
  return places.slice(1).map((end, i) => bytes.subarray(places[i], end));
}
