// Takes values out of a body by their names, before anything of it is kept. The body may be cut off anywhere, so it is looked through as it
// stands and not parsed as a whole. What cannot be looked through is said, and then nothing of it is kept.

/** What takes the place of a value. */
const marker = '[redacted]';

export interface Redacted {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly count: number;
}

interface Redactable {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly type: string | undefined;
  readonly coding: string | undefined;
}

/** Undefined: what is to be left out cannot be found in it. `names` are in lower case. */
export function redactBody(
  { bytes, type = '', coding = '' }: Redactable,
  names: readonly string[],
): Redacted | undefined {
  if (names.length === 0 || bytes.length === 0) return { bytes, count: 0 };
  if (!/^(?:identity)?$/i.test(coding.trim())) return undefined;
  const [media = '', ...parameters] = type.split(';');
  const charset = parameters.map((one) => one.trim().toLowerCase()).find((one) => one.startsWith('charset='));
  if (charset !== undefined && !/^charset="?(?:utf-8|us-ascii)"?$/.test(charset)) return undefined;
  // Octet for octet, so that what is no UTF-8 stays what it is.
  const text = Buffer.from(bytes).toString('latin1');
  // Letters of two octets, whatever it says: names would not be found.
  if (text.includes('\0')) return undefined;
  const wanted = new Set(names);
  const kind = media.trim().toLowerCase();
  if (kind === 'application/x-www-form-urlencoded') return ofText(redactForm(text, wanted));
  if (kind === 'application/json' || kind.endsWith('+json') || kind === 'application/x-ndjson')
    return ofText(redactJson(text, wanted));
  return undefined;
}

function ofText({ text, count }: { readonly text: string; readonly count: number }): Redacted {
  return { bytes: new Uint8Array(Buffer.from(text, 'latin1')), count };
}

interface RedactedText {
  readonly text: string;
  readonly count: number;
}

function redactForm(text: string, names: ReadonlySet<string>): RedactedText {
  let count = 0;
  const fields = text.split('&').map((field) => {
    const at = field.indexOf('=');
    if (at < 0 || !names.has(formName(field.slice(0, at)))) return field;
    count += 1;
    return `${field.slice(0, at)}=${marker}`;
  });
  return { text: fields.join('&'), count };
}

function formName(text: string): string {
  const bytes = text.replaceAll('+', ' ');
  try {
    return decodeURIComponent(bytes).trim().toLowerCase();
  } catch {
    return bytes.trim().toLowerCase();
  }
}

/** From a name in quotes and its colon on, the value goes: a text, a word, or all between brackets; and what is cut off, to its end. */
function redactJson(text: string, names: ReadonlySet<string>): RedactedText {
  const kept: string[] = [];
  let count = 0;
  let from = 0;
  let at = 0;
  while (at < text.length) {
    if (text[at] !== '"') {
      at += 1;
      continue;
    }
    const end = endOfString(text, at);
    const colon = pastSpace(text, end);
    if (text[colon] !== ':' || !names.has(jsonName(text.slice(at, end)))) {
      at = end;
      continue;
    }
    const start = pastSpace(text, colon + 1);
    if (start >= text.length) break;
    const stop = endOfValue(text, start);
    kept.push(text.slice(from, start), `"${marker}"`);
    count += 1;
    from = stop;
    at = stop;
  }
  return { text: `${kept.join('')}${text.slice(from)}`, count };
}

function jsonName(quoted: string): string {
  const utf8 = Buffer.from(quoted, 'latin1').toString('utf8');
  try {
    return String(JSON.parse(utf8)).toLowerCase();
  } catch {
    return utf8.slice(1, -1).toLowerCase();
  }
}

/** Behind the closing quote, or the end of what is there. */
function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at += 1) {
    if (text[at] === '\\') at += 1;
    else if (text[at] === '"') return at + 1;
  }
  return text.length;
}

function endOfValue(text: string, start: number): number {
  if (text[start] === '"') return endOfString(text, start);
  let depth = 0;
  for (let at = start; at < text.length; at += 1) {
    const one = text[at] ?? '';
    if (one === '"') at = endOfString(text, at) - 1;
    else if (one === '{' || one === '[') depth += 1;
    else if (one === '}' || one === ']') {
      if (depth === 0) return at;
      depth -= 1;
      if (depth === 0) return at + 1;
    } else if (depth === 0 && (one === ',' || /\s/.test(one))) return at;
  }
  return text.length;
}

function pastSpace(text: string, start: number): number {
  let at = start;
  while (at < text.length && /\s/.test(text[at] ?? '')) at += 1;
  return at;
}
