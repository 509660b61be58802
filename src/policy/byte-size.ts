// Sizes with a unit, as people write them in a policy.

const factors: Readonly<Record<string, number>> = {
  B: 1,
  kB: 1000,
  MB: 1000 ** 2,
  GB: 1000 ** 3,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
};

/** Bytes of `10 MiB`, `500 kB` or a plain number. The schema has checked the form. */
export function parseByteSize(size: number | string): number {
  if (typeof size === 'number') return size;
  const [, count = '0', unit = 'B'] = /^(\d+) ?([A-Za-z]+)$/.exec(size) ?? [];
  return Number(count) * (factors[unit] ?? 1);
}
