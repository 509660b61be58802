// Which sequences of pieces are canonical paths that the gateway does not refuse: what `canonicalPath` gives back as it is.

import type { Machine } from './machine.ts';
import type { PathToken } from './path-token.ts';
import { decodeStep } from './reading-step.ts';

/** Of a name between slashes, plain or encoded: nothing yet, one dot, two, or something else. */
type Name = 'empty' | '.' | '..' | 'other';

/** What a path has come to, from its first slash on. */
interface State {
  /** Octets of UTF-8 that have to follow, and the bounds of the first of them. */
  readonly following: number;
  readonly low: number;
  readonly high: number;
  readonly name: Name;
  /** A parameter has begun: the name is over. */
  readonly isCut: boolean;
  /** An encoded slash stands in front, in the same segment. */
  readonly isBehindEncoded: boolean;
  /** By the reading that decodes everything: what waits there, and the name as it is read so. */
  readonly pending: ReturnType<typeof decodeStep>['pending'];
  readonly deep: 'slash' | '.' | '..' | 'other';
}

const first: State = {
  following: 0,
  low: 0x80,
  high: 0xbf,
  name: 'empty',
  isCut: false,
  isBehindEncoded: false,
  pending: '',
  deep: 'slash',
};
const deepest = { octets: 2, slashes: 2 } as const;

export const canonicalMachine: Machine<State | 'nothing'> = {
  start: 'nothing',
  step(state, token) {
    if (state === 'nothing') return token.text === '/' ? first : undefined;
    return stepOf(state, token);
  },
  key: (state) => (state === 'nothing' ? state : Object.values(state).join()),
};

/** Whether a path may end in this state of the machine. */
export function mayEnd(state: State | 'nothing'): boolean {
  if (state === 'nothing') return false;
  const { following, name, isBehindEncoded, pending, deep } = state;
  if (following > 0 || isDots(name) || (name === 'empty' && isBehindEncoded)) return false;
  // What waits is text behind the name.
  return pending !== '' || !isDots(deep);
}

function stepOf(state: State, token: PathToken): State | undefined {
  const utf8 = utf8Step(state, token);
  const name = utf8 === undefined ? undefined : nameStep(state, token);
  const deep = name === undefined ? undefined : deepStep(state, token);
  return utf8 === undefined || name === undefined || deep === undefined
    ? undefined
    : { ...first, ...utf8, ...name, ...deep };
}

function utf8Step(
  { following, low, high }: State,
  { octet, isEncoded }: PathToken,
): Pick<State, 'following' | 'low' | 'high'> | undefined {
  const usual = { low: 0x80, high: 0xbf };
  if (!isEncoded || octet < 0x80) return following > 0 ? undefined : { following, ...usual };
  if (following > 0) return octet < low || octet > high ? undefined : { following: following - 1, ...usual };
  if (octet < 0xc2 || octet > 0xf4) return undefined;
  const more = octet < 0xe0 ? 1 : octet < 0xf0 ? 2 : 3;
  if (octet === 0xe0) return { following: more, low: 0xa0, high: 0xbf };
  if (octet === 0xed) return { following: more, low: 0x80, high: 0x9f };
  if (octet === 0xf0) return { following: more, low: 0x90, high: 0xbf };
  if (octet === 0xf4) return { following: more, low: 0x80, high: 0x8f };
  return { following: more, ...usual };
}

type NameState = Pick<State, 'name' | 'isCut' | 'isBehindEncoded'>;

/** No name is one or two dots, and none beside an encoded slash is empty. */
function nameStep({ name, isCut, isBehindEncoded }: State, token: PathToken): NameState | undefined {
  const isEncodedSlash = token.text === '%2F';
  if (token.text === '/' || isEncodedSlash) {
    if (isDots(name) || (name === 'empty' && (isEncodedSlash || isBehindEncoded))) return undefined;
    return { name: 'empty', isCut: false, isBehindEncoded: isEncodedSlash };
  }
  if (isCut || token.text === ';' || token.text === '%3B') return { name, isCut: true, isBehindEncoded };
  return { name: longer(name, token.text), isCut, isBehindEncoded };
}

function longer(name: Name, text: string): Name {
  if (text !== '.') return 'other';
  return name === 'empty' ? '.' : name === '.' ? '..' : 'other';
}

/** The same where everything is decoded: no dot segment up to what some leave out, no control and no backslash. */
function deepStep(state: State, token: PathToken): Pick<State, 'pending' | 'deep'> | undefined {
  const { pending, out } = decodeStep(state.pending, token, deepest);
  const wasTwice = state.pending.length > 3 && !out.startsWith(state.pending);
  if (wasTwice && /^%(?:[01].|7F|5C)$/.test(out)) return undefined;
  let { deep } = state;
  for (const char of out) {
    if (isDots(deep) && '/;?#'.includes(char)) return undefined;
    if (char === '/') deep = 'slash';
    else if (char === '.' && deep === 'slash') deep = '.';
    else deep = char === '.' && deep === '.' ? '..' : 'other';
  }
  return { pending, deep };
}

function isDots(name: string): boolean {
  return name === '.' || name === '..';
}
