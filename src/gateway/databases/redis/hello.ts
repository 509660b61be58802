// HELLO, by which a client says which form of the protocol it speaks, and may log in along with that.

/** The command without its log-in; undefined: it has an option that is not known. @param words the whole command, its name first */
export function withoutLogin(words: readonly Uint8Array[]): readonly Uint8Array[] | undefined {
  const kept = words.slice(0, 2);
  for (let i = 2; i < words.length;) {
    const option = Buffer.from(words[i] ?? [])
      .toString('latin1')
      .toUpperCase();
    const values = option === 'AUTH' ? 2 : option === 'SETNAME' ? 1 : undefined;
    if (values === undefined || i + values >= words.length) return undefined;
    if (option !== 'AUTH') kept.push(...words.slice(i, i + 1 + values));
    i += 1 + values;
  }
  return kept;
}
