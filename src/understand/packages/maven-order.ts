// Versions of Maven, as its ComparableVersion orders them.

import { compareText } from './digit-order.ts';

/** `digits` are without zeros at the front; `rank` is in the order of qualifiers. */
type Item =
  | { readonly kind: 'number'; readonly digits: string }
  | { readonly kind: 'text'; readonly rank: string }
  | { readonly kind: 'list'; readonly items: Item[] };
type ListItem = Extract<Item, { kind: 'list' }>;

export const isMavenVersion = (text: string): boolean => /^[A-Za-z0-9_][A-Za-z0-9_.+~-]*$/.test(text);

const qualifiers = ['alpha', 'beta', 'milestone', 'rc', 'snapshot', '', 'sp'];
const aliases: Readonly<Record<string, string>> = { ga: '', final: '', release: '', cr: 'rc' };
const short: Readonly<Record<string, string>> = { a: 'alpha', b: 'beta', m: 'milestone' };

/** Known qualifiers in their order; the others behind them, by their text. */
function rankOf(text: string): string {
  const at = qualifiers.indexOf(text);
  return at < 0 ? `${String(qualifiers.length)}-${text}` : String(at);
}
const release = rankOf('');

const newList = (): ListItem => ({ kind: 'list', items: [] });
const number = (digits: string): Item => ({ kind: 'number', digits: digits.replace(/^0+/, '') });

function text(written: string, isBeforeDigit: boolean): Item {
  const long = isBeforeDigit ? (short[written] ?? written) : written;
  return { kind: 'text', rank: rankOf(aliases[long] ?? long) };
}

/** `.` divides items of a list; `-`, and a change from digits to letters or back, begins a list within it. */
export function readMaven(version: string): ListItem {
  const written = version.toLowerCase();
  const root = newList();
  const lists = [root];
  let list = root;
  const begin = (): void => {
    const inner = newList();
    list.items.push(inner);
    lists.push(inner);
    list = inner;
  };
  const add = (part: string, next: string | undefined): void => {
    if (/^\d/.test(part)) {
      list.items.push(number(part));
      return;
    }
    const isBeforeDigit = next !== undefined && /^\d/.test(next);
    // Text behind a dot counts as behind a dash, at the end and before digits.
    if (list.items.length > 0 && (next === undefined || isBeforeDigit)) begin();
    list.items.push(text(part, isBeforeDigit));
  };
  const parts = written.match(/\d+|[^\d.-]+|[.-]/g) ?? [];
  let isOpen = true;
  for (const [i, part] of parts.entries()) {
    const next = parts[i + 1];
    if (part === '.' || part === '-') {
      if (isOpen) list.items.push(number('0'));
      if (part === '-') begin();
      isOpen = true;
      continue;
    }
    isOpen = false;
    add(part, next);
    if (next !== undefined && next !== '.' && next !== '-') begin();
  }
  for (const one of lists.toReversed()) normalize(one);
  return root;
}

/** Zeros and releases at the end, and before lists at the end, say nothing. */
function normalize({ items }: ListItem): void {
  for (let i = items.length - 1; i >= 0; i--) {
    const item = items[i];
    if (item === undefined) continue;
    if (isNull(item)) items.splice(i, 1);
    else if (item.kind !== 'list') break;
  }
}

function isNull(item: Item): boolean {
  if (item.kind === 'number') return item.digits === '';
  return item.kind === 'text' ? item.rank === release : item.items.length === 0;
}

/** Of two that were read. */
export function compareMaven(a: ListItem, b: ListItem): number {
  for (let i = 0; i < Math.max(a.items.length, b.items.length); i++) {
    const order = compareItems(a.items[i], b.items[i]);
    if (order !== 0) return order;
  }
  return 0;
}

const compareNumbers = (a: string, b: string): number => a.length - b.length || compareText(a, b);

function compareItems(a: Item | undefined, b: Item | undefined): number {
  if (a === undefined) return b === undefined ? 0 : -toNothing(b);
  if (b === undefined) return toNothing(a);
  if (a.kind === 'number') return b.kind === 'number' ? compareNumbers(a.digits, b.digits) : 1;
  if (b.kind === 'number') return -1;
  if (a.kind === 'text') return b.kind === 'text' ? compareText(a.rank, b.rank) : -1;
  return b.kind === 'text' ? 1 : compareMaven(a, b);
}

/** An item where the other version has none. */
function toNothing(item: Item): number {
  if (item.kind === 'number') return item.digits === '' ? 0 : 1;
  if (item.kind === 'text') return compareText(item.rank, release);
  for (const one of item.items) {
    const order = toNothing(one);
    if (order !== 0) return order;
  }
  return 0;
}
