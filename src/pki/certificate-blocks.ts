// The certificates of a PEM text, in one way through it.

const labels = ['CERTIFICATE', 'X509 CERTIFICATE'] as const;
const dashes = '-----';
const begin = `${dashes}BEGIN `;

/** Every block from its BEGIN to behind its END, as it stands there; what is no whole block is passed over. */
export function certificateBlocks(text: string): readonly string[] {
  const blocks: string[] = [];
  for (let start = text.indexOf(begin); start >= 0;) {
    const label = labels.find((one) => text.startsWith(`${one}${dashes}`, start + begin.length));
    const bodyStart = start + begin.length + (label === undefined ? 0 : label.length + dashes.length);
    const dash = text.indexOf('-', bodyStart);
    if (dash < 0) break;
    const end = `${dashes}END ${label}${dashes}`;
    const isWhole = label !== undefined && dash > bodyStart && text.startsWith(end, dash);
    if (isWhole) blocks.push(text.slice(start, dash + end.length));
    start = text.indexOf(begin, isWhole ? dash + end.length : dash);
  }
  return blocks;
}
