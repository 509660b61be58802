// How origins may read one canonical path: docs/reference/policy.md has the table. Nobody reads a path in a way that is
// not in it, as far as servers are known; what is judged by a path is judged in all of them.

import { codesText, writeEncoded } from './codes-text.ts';
import { isUnreserved, octetAt } from './percent-octet.ts';

/** One way to read a path. In every one what comes first is decoded, then cut, then merged. */
export interface PathReading {
  /** How often octets are decoded that are no slash. */
  readonly octets: 0 | 1 | 2;
  /** How often slashes are. */
  readonly slashes: 0 | 1 | 2;
  /** Whether what follows a decoded `?` or `#` is left out. */
  readonly endsAtMark: boolean;
  /** Whether parameters (`;v=1`) are left out, and whether they are looked for before or after decoding. */
  readonly parameters: 'kept' | 'cutBefore' | 'cutAfter';
  readonly mergesSlashes: boolean;
  /** Tells one reading from another. */
  readonly key: number;
}

/** What a path has that is read in more than one way; bits of a set. */
const reserved = 1;
const slash = 2;
const twice = 4;
const slashTwice = 8;
const parameter = 16;
const parameterEncoded = 32;
const emptySegment = 64;
const mark = 128;

/** Octets that may stand plain as well as encoded, so that both mean the same to an origin that decodes. */
const isReserved = new Uint8Array(256);
for (const char of "!$&'()*+,;=:@/?#") isReserved[char.charCodeAt(0)] = 1;

/** The path as it is written. */
export const asWritten: PathReading = {
  octets: 0,
  slashes: 0,
  endsAtMark: false,
  parameters: 'kept',
  mergesSlashes: false,
  key: 0,
};

/** What makes the readings of a canonical path differ; 0 if all origins read it alike. */
export function pathFeatures(path: string): number {
  const hasSeveral = path.includes('%') || path.includes(';') || path.includes('//');
  return hasSeveral ? scanFeatures(path) : 0;
}

function scanFeatures(path: string): number {
  let features = 0;
  let before = 0;
  for (let at = 0; at < path.length; at++) {
    const code = path.charCodeAt(at);
    if (code === slashCode && before === slashCode) features |= emptySegment;
    else if (code === semicolonCode) features |= parameter | (before === slashCode ? emptySegment : 0);
    else if (code === percentCode) {
      const octet = octetAt(path, at + 1);
      if (octet === percentCode) features |= featuresOfTwice(octetAt(path, at + 3), before);
      else if (octet !== undefined && isReserved[octet] === 1) features |= featuresOf(octet, before);
      if (octet !== undefined) at += 2;
      // Decoded, it is one: what follows may leave an empty segment behind it.
      before = octet === slashCode ? slashCode : 0;
      continue;
    }
    before = code;
  }
  return features;
}

const percentCode = 0x25;
const slashCode = 0x2f;
const semicolonCode = 0x3b;

/** `before`: the character in front, 0 for none that matters. */
function featuresOf(octet: number, before: number): number {
  if (octet === 0x2f) return slash;
  if (octet === 0x3f || octet === 0x23) return reserved | mark;
  if (octet === 0x3b) return reserved | parameterEncoded | (before === slashCode ? emptySegment : 0);
  return reserved;
}

function featuresOfTwice(octet: number | undefined, before: number): number {
  if (octet === undefined) return 0;
  if (octet === 0x2f) return twice | slashTwice | emptySegment;
  if (isReserved[octet] !== 1) return twice;
  return twice | (featuresOf(octet, before) & ~reserved);
}

/** What the readings of a path, or of two things that are compared, can be. The first is the path as it is written. */
export function readingsFor(features: number): readonly PathReading[] {
  if (features === 0) return plain;
  let known = readings[features];
  if (known === undefined) {
    known = combine(features);
    readings[features] = known;
  }
  return known;
}

const plain: readonly PathReading[] = [asWritten];
/** By features: at most 256 lists. */
const readings: (readonly PathReading[] | undefined)[] = [];

type Levels = readonly [octets: 0 | 1 | 2, slashes: 0 | 1 | 2];

function combine(features: number): readonly PathReading[] {
  const has = (feature: number): boolean => (features & feature) !== 0;
  const levels: Levels[] = [[0, 0]];
  if (has(slash)) levels.push([0, 1]);
  if (has(reserved)) levels.push([1, 0]);
  if (has(reserved) && has(slash)) levels.push([1, 1]);
  if (has(twice)) levels.push([2, 2]);
  if (has(slash) && has(slashTwice)) levels.push([2, 1]);
  if (has(twice) && (has(slash) || has(slashTwice))) levels.push([2, 0]);
  const cutsOf = ([octets, slashes]: Levels): readonly PathReading['parameters'][] => {
    // What is decoded may end a parameter, or be one.
    const isPlainOne = has(parameter) && (octets > 0 || slashes > 0);
    const isAfter = isPlainOne || (has(parameterEncoded) && octets > 0);
    return [
      'kept',
      ...(has(parameter) ? ['cutBefore' as const] : []),
      ...(isAfter ? ['cutAfter' as const] : []),
    ];
  };
  const all: PathReading[] = [];
  for (const [octets, slashes] of levels)
    for (const endsAtMark of has(mark) && octets > 0 ? [false, true] : [false])
      for (const parameters of cutsOf([octets, slashes]))
        for (const mergesSlashes of has(emptySegment) ? [false, true] : [false])
          all.push({
            octets,
            slashes,
            endsAtMark,
            parameters,
            mergesSlashes,
            key: keyOf({ octets, slashes, endsAtMark, parameters, mergesSlashes }),
          });
  return all;
}

function keyOf(reading: Omit<PathReading, 'key'>): number {
  const cut = { kept: 0, cutBefore: 1, cutAfter: 2 }[reading.parameters];
  const flags = (reading.endsAtMark ? 2 : 0) + (reading.mergesSlashes ? 1 : 0);
  return ((reading.octets * 3 + reading.slashes) * 3 + cut) * 4 + flags;
}

/**
 * A canonical path, or a piece of a pattern for such paths, as an origin reads it, and in canonical form again: octets
 * that never stand plain stay encoded, so that no two readings are one text.
 */
export function readPath(path: string, reading: PathReading): string {
  if (reading.key === asWritten.key) return path;
  const { octets, slashes, endsAtMark, parameters, mergesSlashes } = reading;
  let text = parameters === 'cutBefore' ? withoutParameters(path) : path;
  if (octets > 0 || slashes > 0) text = decoded(text, octets, slashes);
  if (endsAtMark) text = untilMark(text);
  if (parameters === 'cutAfter') text = withoutParameters(text);
  return mergesSlashes ? withMergedSlashes(text) : text;
}

/** The reading that sees every octet and every border between names. */
const deepest: PathReading = { ...asWritten, octets: 2, slashes: 2, key: -1 };

/** Why some reading of the path must not reach an origin: it has a dot segment, a backslash or a control octet. */
export function hiddenFault(path: string): string | undefined {
  const features = pathFeatures(path);
  if (features === 0) return undefined;
  const text = readPath(path, deepest);
  if ((features & twice) !== 0) {
    if (text.includes('%5C')) return 'a backslash that was encoded twice is a separator to some origins';
    if (text.includes('%0') || text.includes('%1') || text.includes('%7F'))
      return 'it has a control character that was encoded twice';
  }
  return hasDotSegment(text) ? 'a dot segment is hidden in it' : undefined;
}

/** A name of one or two dots, up to what some origins leave out. */
function hasDotSegment(text: string): boolean {
  for (let at = text.indexOf('/.'); at >= 0; at = text.indexOf('/.', at + 2)) {
    const end = text[at + 2] === '.' ? at + 3 : at + 2;
    const next = text[end];
    if (next === undefined || next === '/' || next === ';' || next === '?' || next === '#') return true;
  }
  return false;
}

/** Decodes so often what may stand plain. */
function decoded(text: string, octets: number, slashes: number): string {
  if (!text.includes('%')) return text;
  const out = new Uint16Array(text.length);
  let length = 0;
  for (let at = 0; at < text.length;) {
    const code = text.charCodeAt(at);
    const octet = code === percentCode ? octetAt(text, at + 1) : undefined;
    const inner = octet === percentCode ? octetAt(text, at + 3) : undefined;
    const isTwice = inner !== undefined && (octets > 1 || slashes > 1);
    const read = isTwice ? inner : octet;
    const isPlain = read === slashCode ? slashes >= (isTwice ? 2 : 1) : octets >= 1;
    if (read === undefined || (!isPlain && !isTwice)) {
      out[length++] = code;
      at += 1;
      continue;
    }
    if (isPlain && mayStandPlain(read)) out[length++] = read;
    else length = writeEncoded(out, length, read);
    at += isTwice ? 5 : 3;
  }
  return codesText(out, length);
}

function mayStandPlain(octet: number): boolean {
  return isReserved[octet] === 1 || isUnreserved(octet);
}

function untilMark(text: string): string {
  const [question, hash] = [text.indexOf('?'), text.indexOf('#')];
  if (question < 0 && hash < 0) return text;
  return text.slice(0, question < 0 ? hash : hash < 0 ? question : Math.min(question, hash));
}

/** Each `;` and what follows it up to the next slash. */
function withoutParameters(text: string): string {
  let isCut = false;
  return filtered(text, (code) => {
    if (code === semicolonCode) isCut = true;
    else if (code === slashCode) isCut = false;
    return !isCut;
  });
}

function withMergedSlashes(text: string): string {
  let before = 0;
  return filtered(text, (code) => {
    const isFirst = code !== slashCode || before !== slashCode;
    before = code;
    return isFirst;
  });
}

/** The characters that are kept. */
function filtered(text: string, isKept: (code: number) => boolean): string {
  const out = new Uint16Array(text.length);
  let length = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (isKept(code)) out[length++] = code;
  }
  return length === text.length ? text : codesText(out, length);
}
