// A time as registries write it.

const form = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:Z|\+00:00)$/;

/** No registry is older. Some write the beginning of a calendar (1900, 1970, the year 1) where they know no time. */
const earliestMs = Date.UTC(1995, 0, 1);

/** In milliseconds; undefined: nobody can say what it is. */
export function timeOf(text: string): number | undefined {
  const ms = form.test(text) ? Date.parse(text) : Number.NaN;
  return ms >= earliestMs ? ms : undefined;
}
