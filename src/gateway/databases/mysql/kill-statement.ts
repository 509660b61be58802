// `KILL` as clients say it by themselves, to end what another connection of theirs runs: a statement of one number. It is the one
// statement that is looked at, since the number in it is of the gateway.

/** Nothing longer is such a statement; of a longer one so much says whether it begins as one. */
export const killBytesMax = 256;

export type KillStatement =
  /** What goes before the number of the server. */
  | { readonly kind: 'kill'; readonly before: string; readonly id: number }
  /** KILL of another form, such as of all connections of a user. */
  | { readonly kind: 'other' };

/** @param text as much as was held @param isWhole @returns undefined where it is another statement */
export function readKill(text: Uint8Array, isWhole: boolean): KillStatement | undefined {
  const [, first, ...words] = ` ${Buffer.from(text).toString('latin1')}`.split(/[ \t\n\v\f\r]+/);
  // A comment, a bracket or a semicolon may stand directly behind it.
  if (first === undefined || !/^kill(?:[^a-z0-9_$\x80-\xff]|$)/i.test(first)) return undefined;
  if (!isWhole || first.length !== 4) return { kind: 'other' };
  const said = words.filter((word) => word !== '' && word !== ';');
  const number = said.at(-1)?.replace(/;$/, '') ?? '';
  const before = said.slice(0, -1).map((word) => word.toUpperCase());
  const isKnown = /^(?:(?:HARD|SOFT) )?(?:(?:CONNECTION|QUERY) )?$/.test(
    before.map((word) => `${word} `).join(''),
  );
  if (!isKnown || !/^[0-9]{1,10}$/.test(number)) return { kind: 'other' };
  return { kind: 'kill', before: ['KILL', ...before].join(' '), id: Number(number) };
}
