// The framing of Redis (RESP), as far as both sides have it in common: lines, lengths, and commands that we write.

/** `*`, `$` and such with a number behind them: no such line is longer. */
export const headLineBytesMax = 32;
/** As a server has it for those who have not logged in: no more arguments, and none longer, where a command is held whole. */
export const loginArgumentsMax = 10;
export const loginArgumentBytesMax = 16_384;
/** A command as a line of words, which people and health checks write. */
export const inlineBytesMax = 4_096;

export const octet = {
  newline: 0x0a,
  return: 0x0d,
  dollar: 0x24,
  minus: 0x2d,
  star: 0x2a,
} as const;

/**
 * The number of such a line, in the one form that it has: no sign but that of -1, no zero in front. Servers differ in how they read others.
 *
 * @param line without its end
 */
export function headNumber(line: string): number | undefined {
  if (!/^(?:0|-1|[1-9][0-9]{0,9})$/.test(line)) return undefined;
  const number = Number(line);
  return number > 0x7fff_ffff ? undefined : number;
}

/** A command as clients send it. */
export function commandOf(words: readonly (string | Uint8Array)[]): Uint8Array {
  const parts = words.flatMap((word) => {
    const bytes = typeof word === 'string' ? Buffer.from(word, 'utf8') : word;
    return [Buffer.from(`$${String(bytes.length)}\r\n`), bytes, Buffer.from('\r\n')];
  });
  return Buffer.concat([Buffer.from(`*${String(words.length)}\r\n`), ...parts]);
}

/** An error as servers send it. */
export function errorReply(code: 'ERR' | 'NOPERM', message: string): Uint8Array {
  return Buffer.from(`-${code} ${message.replaceAll(/[\r\n]/g, ' ')}\r\n`);
}
