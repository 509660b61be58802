// What of heads has to arrive: all but what belongs to one connection (RFC 9110 §7.6.1, RFC 9112 §6), which a proxy makes anew.

/** In lower case. */
const ofOneConnection = new Set([
  'connection',
  'content-length',
  'expect',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'via',
]);

/** Name in lower case and value of each field that is passed on; the order of names does not count (RFC 9110 §5.3), that of values does. */
export function comparableFields(lines: readonly string[]): readonly string[] {
  return lines
    .map((line) => {
      const colon = line.indexOf(':');
      return { name: line.slice(0, colon).trim().toLowerCase(), value: line.slice(colon + 1).trim() };
    })
    .filter(({ name }) => !ofOneConnection.has(name))
    .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
    .map(({ name, value }) => `${name}: ${value}`);
}

const head = /HTTP\/(?:1\.[01]|2) (\d{3})[^\r\n]*\r*\n((?:[^\r\n]+\r*\n)*)(?:\r*\n|$)/g;

/**
 * A text that curl wrote, in which each head of a response has its status and its fields in one form. The 100 is left out: each
 * side of a proxy says its own.
 */
export function comparableHeads(text: string): string {
  return text.replaceAll(head, (_, status: string, fields: string) => {
    if (status === '100') return '';
    const lines = fields.split(/\r*\n/).filter((line) => line !== '');
    return [`HTTP ${status}`, ...comparableFields(lines), '', ''].join('\n');
  });
}
