// What a test of growth is made of: pieces that hostile inputs repeat, and what reads them.

export interface GrowthCase {
  readonly pieces: readonly string[];
  /** Reads a text that is made of the pieces, one after the other; what it throws is a refusal. */
  readonly read: (text: string) => unknown;
}

export type GrowthCases = Readonly<Record<string, GrowthCase>>;

export const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1');

/** As a peer sends it who wants its reader to begin anew with each octet. */
export function eachOctet(text: string, push: (octet: Buffer) => unknown): void {
  const bytes = latin1(text);
  for (let at = 0; at < bytes.length; at += 1) push(bytes.subarray(at, at + 1));
}

/** Whole, and octet by octet: a fresh reader each. */
export function bothWays(text: string, open: () => (bytes: Buffer) => unknown): void {
  for (const isWhole of [true, false]) {
    const push = open();
    try {
      if (isWhole) push(latin1(text));
      else eachOctet(text, push);
    } catch {
      // It is refused.
    }
  }
}

/** What is read may be refused: the work counts. */
export function tried(read: () => unknown): void {
  try {
    read();
  } catch {
    // Refused.
  }
}
