// The line in front of a chunk (RFC 9112 §7.1): its size, and extensions of a name with or without a token or a quoted string.

const chunkLine =
  /^([0-9a-fA-F]{1,16})(?:;[!#$%&'*+.^_`|~0-9A-Za-z-]+(?:=(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+|"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t\x20-\x7e\x80-\xff])*"))?)*$/;

/** Bytes of the chunk; undefined for a line that is none, and for a size that no number holds exactly. No body is that long. */
export function chunkSize(line: string): number | undefined {
  const size = chunkLine.exec(line)?.[1];
  const bytes = size === undefined ? Number.NaN : Number.parseInt(size, 16);
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}
