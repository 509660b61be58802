// The line by which what this program places is known as its own, whoever says so.

/** What comment signs stand before. */
const ownNote = 'Written by upstreamproxy for one session; removed when it ends.';

const markLine = `# ${ownNote}\n`;

/** A text with the mark before it, for files in which a line with # is a comment. Of PEM that is everything between blocks. */
export function marked(text: string): string {
  return markLine + text;
}

export function isMarked(content: Uint8Array | string): boolean {
  return typeof content === 'string'
    ? content.startsWith(markLine)
    : Buffer.from(content.subarray(0, markLine.length)).equals(Buffer.from(markLine));
}
