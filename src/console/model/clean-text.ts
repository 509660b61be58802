// Text of a workload as it may be shown: what would hide, reorder or overwrite other text stands as an escape, and its length is bounded.

/** A piece of a text: as it is, or an escape that stands for a character. */
export interface TextPiece {
  readonly text: string;
  readonly isEscape: boolean;
}

// Control and format characters (bidi overrides and isolates, zero-width characters, tags among them), characters that have no width by default (fillers, selectors of variants), line and paragraph separators,
// surrogates that stand alone, private use, what is not assigned, and spaces that are not the space. Combining marks stack without
// end, so no more than three in a row are kept.
const harmful =
  /[\p{Cc}\p{Cf}\p{DI}\p{Zl}\p{Zp}\p{Cs}\p{Co}\p{Cn}]|(?! )\p{Zs}|(?<=\p{M}{3})\p{M}|[\u115f\u1160\u3164\uffa0\u2800]/gu;

const shownCharactersMax = 400;

/** The pieces of a text, and how many characters of it are left out. */
export function cleanText(
  text: string,
  charactersMax: number = shownCharactersMax,
): { readonly pieces: readonly TextPiece[]; readonly leftOut: number } {
  const kept = text.length > charactersMax ? cutText(text, charactersMax) : text;
  const pieces: TextPiece[] = [];
  let at = 0;
  for (const found of kept.matchAll(harmful)) {
    if (found.index > at) pieces.push({ text: kept.slice(at, found.index), isEscape: false });
    pieces.push({ text: escapeOf(found[0]), isEscape: true });
    at = found.index + found[0].length;
  }
  if (at < kept.length) pieces.push({ text: kept.slice(at), isEscape: false });
  return { pieces, leftOut: text.length - kept.length };
}

/** The same as one text, for labels and titles. */
export function plainText(text: string, charactersMax: number = shownCharactersMax): string {
  const { pieces, leftOut } = cleanText(text, charactersMax);
  const whole = pieces.map((piece) => piece.text).join('');
  return leftOut === 0 ? whole : `${whole}… (${leftOut} characters more)`;
}

/** Never half of a pair of surrogates. */
function cutText(text: string, length: number): string {
  const last = text.charCodeAt(length - 1);
  return text.slice(0, last >= 0xd800 && last <= 0xdbff ? length - 1 : length);
}

function escapeOf(character: string): string {
  const named = names[character];
  if (named !== undefined) return named;
  const code = (character.codePointAt(0) ?? 0).toString(16);
  return code.length <= 4 ? `\\u${code.padStart(4, '0')}` : `\\u{${code}}`;
}

const names: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };
