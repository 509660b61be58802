// The canonical path and its readings as slow code says them, string by string: what the code that serves is compared with.

import { encodeOctet, isUnreserved, octetAt } from '../../../src/http/percent-octet.ts';
import { asWritten, type PathReading } from '../../../src/http/path-reading.ts';

export class Fault extends Error {}

const reserved = 1;
const slash = 2;
const twice = 4;
const slashTwice = 8;
const parameter = 16;
const parameterEncoded = 32;
const emptySegment = 64;
const mark = 128;

/** Octets that may stand plain as well as encoded, so that both mean the same to an origin that decodes. */
const reservedOctets: ReadonlySet<number> = new Set([..."!$&'()*+,;=:@/?#"].map((c) => c.charCodeAt(0)));

const deepest: PathReading = { ...asWritten, octets: 2, slashes: 2, key: -1 };

export function modelPath(path: string): string {
  const out: string[] = [];
  const segments = path.slice(1).split('/');
  for (const [index, raw] of segments.entries()) {
    const segment = canonicalSegment(raw);
    const last = index === segments.length - 1;
    if (segment === '..') {
      if (out.pop() === '') throw new Fault('".." stands behind an empty segment');
      if (last) out.push('');
    } else if (segment === '.') {
      if (last) out.push('');
    } else {
      out.push(segment);
    }
  }
  const canonical = `/${out.join('/')}`;
  const fault = modelHiddenFault(canonical);
  if (fault !== undefined) throw new Fault(fault);
  return canonical;
}

/** Decodes what is unreserved, encodes what may not stand plain, refuses what origins read differently. */
function canonicalSegment(raw: string): string {
  const segment = raw.replace(/%(..?)?|[^A-Za-z0-9._~!$&'()*+,;=:@-]/gs, (found) => {
    if (!found.startsWith('%')) return encodePlain(found);
    const hex = found.slice(1);
    if (!/^[0-9A-Fa-f]{2}$/.test(hex)) throw new Fault('a percent sign has to be followed by two hex digits');
    return canonicalByte(Number.parseInt(hex, 16));
  });
  if (!isWellFormed(segment)) throw new Fault('its encoded bytes are not well-formed UTF-8');
  refuseHiddenDots(segment);
  return segment;
}

function encodePlain(character: string): string {
  if (character === '\\') throw new Fault('a backslash is a separator to some origins');
  return encodeOctet(character.charCodeAt(0));
}

function canonicalByte(byte: number): string {
  if (byte < 0x20 || byte === 0x7f) throw new Fault('it has an encoded control character');
  if (byte === 0x5c) throw new Fault('an encoded backslash is a separator to some origins');
  return isUnreserved(byte) ? String.fromCharCode(byte) : encodeOctet(byte);
}

/** Dot segments that only some origins see: behind an encoded slash or before a path parameter. */
function refuseHiddenDots(segment: string): void {
  const pieces = segment.split('%2F').map((piece) => ({ piece, name: piece.split(/;|%3B/)[0] }));
  for (const { piece, name } of pieces) {
    const isDots = name === '.' || name === '..';
    if (isDots && (pieces.length > 1 || name !== piece)) throw new Fault('a dot segment is hidden in it');
    if (name === '' && pieces.length > 1) throw new Fault('an encoded slash stands beside an empty name');
  }
}

const continuation = '%[89AB][0-9A-F]';
/** Every way in which bytes above 0x7F may follow each other (RFC 3629 §4), in upper-case percent-encoding. */
const wellFormedRun = new RegExp(
  [
    `%(?:C[2-9A-F]|D[0-9A-F])${continuation}`,
    `%E0%[AB][0-9A-F]${continuation}`,
    `%E[1-9A-CEF](?:${continuation}){2}`,
    `%ED%[89][0-9A-F]${continuation}`,
    `%F0%[9AB][0-9A-F](?:${continuation}){2}`,
    `%F[1-3](?:${continuation}){3}`,
    `%F4%8[0-9A-F](?:${continuation}){2}`,
  ].join('|'),
  'g',
);

/** No byte above 0x7F is left once every well-formed run is taken out. */
function isWellFormed(segment: string): boolean {
  return !/%[89A-F]/.test(segment) || !/%[89A-F]/.test(segment.replace(wellFormedRun, ''));
}

/** What makes the readings of a canonical path differ; 0 if all origins read it alike. */
export function modelFeatures(path: string): number {
  let features = path.includes('//') ? emptySegment : 0;
  for (let at = path.indexOf(';'); at >= 0; at = path.indexOf(';', at + 1)) {
    features |= parameter;
    if (isBehindSlash(path, at)) features |= emptySegment;
  }
  for (let at = path.indexOf('%'); at >= 0; at = path.indexOf('%', at + 3)) {
    const octet = octetAt(path, at + 1);
    if (octet === 0x25) features |= featuresOfTwice(octetAt(path, at + 3), isBehindSlash(path, at));
    else if (octet !== undefined && reservedOctets.has(octet))
      features |= featuresOf(octet, isBehindSlash(path, at));
  }
  return features;
}

/** Plain, or encoded, which some decode before they look. */
function isBehindSlash(path: string, at: number): boolean {
  return path[at - 1] === '/' || path.slice(Math.max(0, at - 3), at) === '%2F';
}

function featuresOf(octet: number, isBehind: boolean): number {
  if (octet === 0x2f) return slash;
  if (octet === 0x3f || octet === 0x23) return reserved | mark;
  if (octet === 0x3b) return reserved | parameterEncoded | (isBehind ? emptySegment : 0);
  return reserved;
}

function featuresOfTwice(octet: number | undefined, isBehind: boolean): number {
  if (octet === undefined) return 0;
  if (octet === 0x2f) return twice | slashTwice | emptySegment;
  if (!reservedOctets.has(octet)) return twice;
  return twice | (featuresOf(octet, isBehind) & ~reserved);
}

export function modelReading(path: string, reading: PathReading): string {
  if (reading.key === asWritten.key) return path;
  const { octets, slashes, endsAtMark, parameters, mergesSlashes } = reading;
  let text = parameters === 'cutBefore' ? withoutParameters(path) : path;
  if (octets > 0 || slashes > 0) text = decoded(text, octets, slashes);
  if (endsAtMark) text = untilMark(text);
  if (parameters === 'cutAfter') text = withoutParameters(text);
  return mergesSlashes ? withMergedSlashes(text) : text;
}

/** Why some reading of the path must not reach an origin: it has a dot segment, a backslash or a control octet. */
function modelHiddenFault(path: string): string | undefined {
  const features = modelFeatures(path);
  if (features === 0) return undefined;
  const text = modelReading(path, deepest);
  if ((features & twice) !== 0) {
    if (text.includes('%5C')) return 'a backslash that was encoded twice is a separator to some origins';
    if (text.includes('%0') || text.includes('%1') || text.includes('%7F'))
      return 'it has a control character that was encoded twice';
  }
  for (const segment of text.split('/')) {
    const name = segment.slice(0, nameEnd(segment));
    if (name === '.' || name === '..') return 'a dot segment is hidden in it';
  }
  return undefined;
}

/** Where what some origins leave out begins. */
function nameEnd(segment: string): number {
  for (let at = 0; at < segment.length; at++) {
    const char = segment[at];
    if (char === ';' || char === '?' || char === '#') return at;
  }
  return segment.length;
}

/** Decodes so often what may stand plain. */
function decoded(text: string, octets: number, slashes: number): string {
  let out = '';
  let from = 0;
  for (let at = text.indexOf('%'); at >= 0; at = text.indexOf('%', Math.max(from, at + 1))) {
    let octet = octetAt(text, at + 1);
    let length = 3;
    const inner = octet === 0x25 ? octetAt(text, at + 3) : undefined;
    const isTwice = inner !== undefined && (octets > 1 || slashes > 1);
    if (isTwice) {
      octet = inner;
      length = 5;
    }
    const isPlain = octet === 0x2f ? slashes >= (isTwice ? 2 : 1) : octets >= 1;
    if (octet === undefined || (!isPlain && !isTwice)) continue;
    out +=
      text.slice(from, at) +
      (isPlain && mayStandPlain(octet) ? String.fromCharCode(octet) : encodeOctet(octet));
    from = at + length;
  }
  return from === 0 ? text : out + text.slice(from);
}

function mayStandPlain(octet: number): boolean {
  return reservedOctets.has(octet) || isUnreserved(octet);
}

function untilMark(text: string): string {
  const [question, hash] = [text.indexOf('?'), text.indexOf('#')];
  if (question < 0 && hash < 0) return text;
  return text.slice(0, question < 0 ? hash : hash < 0 ? question : Math.min(question, hash));
}

/** Each `;` and what follows it up to the next slash. */
function withoutParameters(text: string): string {
  let out = '';
  let from = 0;
  for (let at = text.indexOf(';'); at >= 0; at = text.indexOf(';', from)) {
    out += text.slice(from, at);
    const next = text.indexOf('/', at);
    if (next < 0) return out;
    from = next;
  }
  return out + text.slice(from);
}

function withMergedSlashes(text: string): string {
  let out = '';
  let from = 0;
  for (let at = text.indexOf('//'); at >= 0; at = text.indexOf('//', from)) {
    out += text.slice(from, at + 1);
    from = at + 1;
    while (text[from] === '/') from += 1;
  }
  return out + text.slice(from);
}
