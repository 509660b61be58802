// The format of curl's test cases (its docs/tests/FILEFORMAT.md): sections with attributes, conditions, and variables. Octets are
// kept as the characters of Latin-1.

import { Buffer } from 'node:buffer';

export interface Part {
  readonly attributes: Readonly<Record<string, string>>;
  readonly text: string;
}

/** Sections as `client/command`. */
export type CurlCase = ReadonlyMap<string, Part>;

export interface CaseContext {
  /** By their names without the percent sign. */
  readonly variables: Readonly<Record<string, string>>;
  readonly features: ReadonlySet<string>;
}

/** Reads a case after its conditions and variables are resolved. @param source Latin-1 */
export function readCase(source: string, context: CaseContext): CurlCase {
  const parts = new Map<string, Part>();
  const lines = preprocess(source, context);
  let section = '';
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at] ?? '';
    const top = /^<(\/?)(info|reply|client|verify)>\s*$/.exec(line);
    if (top !== null) section = top[1] === '' ? (top[2] ?? '') : '';
    const open = /^[ \t]*<([a-z]+[0-9]*)((?:\s[^>]*)?)>\s*$/i.exec(line);
    if (section === '' || top !== null || open === null) continue;
    const [, name = '', attributes = ''] = open;
    const end = lines.findIndex((later, index) => index > at && later.trim() === `</${name}>`);
    if (end === -1) continue;
    const part = { attributes: attributesOf(attributes), text: lines.slice(at + 1, end).join('') };
    // A case may have the same part twice, of which the first counts.
    if (!parts.has(`${section}/${name}`)) parts.set(`${section}/${name}`, part);
    at = end;
  }
  return parts;
}

function attributesOf(text: string): Record<string, string> {
  return Object.fromEntries(
    [...text.matchAll(/([a-z]+)="?([^"\s>]*)"?/gi)].map(([, name = '', value = '']) => [name, value]),
  );
}

/** What a part says once its attributes have worked on it. */
export function textOf(part: Part | undefined): string {
  if (part === undefined) return '';
  let { text } = part;
  const { hex, base64, crlf, nonewline } = part.attributes;
  if (crlf === 'yes') text = withCarriageReturns(text);
  if (hex === 'yes') text = Buffer.from(text.replaceAll(/\s/g, ''), 'hex').toString('latin1');
  if (base64 === 'yes') text = Buffer.from(text, 'base64').toString('latin1');
  return nonewline === 'yes' ? text.replace(/\r?\n$/, '') : text;
}

/** Lines that look like a head get CR LF; the empty line behind them too. */
function withCarriageReturns(text: string): string {
  let wasHead = false;
  return text.replaceAll(/[^\n]*\n|[^\n]+$/g, (line) => {
    const bare = line.replace(/\r*\n$/, '');
    const isHead =
      /^HTTP\/(?:1\.1|1\.0|2|3) [1-5]/.test(bare) ||
      /^(?:GET|POST|PUT|DELETE) \S+ HTTP\/\d/.test(bare) ||
      /^[a-z0-9_-]+: /i.test(bare);
    const takesReturn = isHead || (bare === '' && wasHead);
    wasHead = isHead;
    return takesReturn ? `${bare}\r\n` : line;
  });
}

function preprocess(source: string, { variables, features }: CaseContext): string[] {
  const shown: { readonly outer: boolean; readonly other: boolean }[] = [];
  let shows = true;
  const lines: string[] = [];
  for (const line of source.match(/[^\n]*\n|[^\n]+$/g) ?? []) {
    const condition = /^ *%if (!?)([A-Za-z0-9_-]*)/.exec(line);
    if (condition !== null) {
      const holds = features.has(condition[2] ?? '') !== (condition[1] === '!');
      shown.push({ outer: shows, other: shows && !holds });
      shows &&= holds;
    } else if (/^ *%else/.test(line)) shows = shown.at(-1)?.other ?? true;
    else if (/^ *%endif/.test(line)) shows = shown.pop()?.outer ?? true;
    else if (shows) lines.push(expand(line, variables));
  }
  return lines.flatMap((line) => line.match(/[^\n]*\n|[^\n]+$/g) ?? []);
}

function expand(line: string, variables: Readonly<Record<string, string>>): string {
  if (!line.includes('%')) return line;
  const octets = (text: string): string =>
    text.replaceAll(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return line
    .replaceAll(/%([A-Z][A-Z0-9_-]*)/g, (whole, name: string) => variableOf(name, variables) ?? whole)
    .replaceAll(/%b64\[(.*?)\]b64%/g, (_, text: string) =>
      Buffer.from(octets(text), 'latin1').toString('base64'),
    )
    .replaceAll(/%hex\[(.*?)\]hex%/g, (_, text: string) => octets(text))
    .replaceAll(/%repeat\[(\d+) x (.*?)\]%/g, (_, times: string, text: string) =>
      octets(text).repeat(Number(times)),
    );
}

/** The longest name that is a variable, as what follows may be letters too. */
function variableOf(name: string, variables: Readonly<Record<string, string>>): string | undefined {
  for (let length = name.length; length > 1; length--) {
    const value = variables[name.slice(0, length)];
    if (value !== undefined) return value + name.slice(length);
  }
  return undefined;
}
