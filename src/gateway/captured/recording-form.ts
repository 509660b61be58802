// How the recording of a shell is at rest: lines of asciicast (version 2) in pieces, each sealed for its own place, with its length before
// it. The last one says that it is the last.

import { isUtf8 } from 'node:buffer';
import { setImmediate } from 'node:timers/promises';
import { openOctets, sealOctets } from '../../system/sealed-octets.ts';

export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

/** Which of the two outputs of the shell, or what was sent to it. */
export type RecordedKind = 'output' | 'error' | 'input';

export interface ReadRecording {
  readonly text: string;
  /** Its last piece is there, and each before it. */
  readonly isWhole: boolean;
  /** Of the pieces, as they are kept. */
  readonly bytes: number;
}

const lengthBytes = 4;
const piecesPerTurn = 256;

export function sealPiece(key: Uint8Array, id: string, piece: Piece): Buffer {
  const sealed = sealOctets(key, Buffer.from(piece.text), purposeOf(id, piece));
  const length = Buffer.alloc(lengthBytes);
  length.writeUInt32BE(sealed.length);
  return Buffer.concat([length, sealed]);
}

interface Piece {
  /** How many are before it. */
  readonly number: number;
  readonly isLast: boolean;
  readonly text: string;
}

/** As far as it goes: what was cut off, changed, or moved ends it. In turns with everything else: a shell can show octet by octet. */
export async function readPieces(key: Uint8Array, id: string, kept: Buffer): Promise<ReadRecording> {
  const texts: string[] = [];
  let [at, isWhole] = [0, false];
  while (!isWhole && at + lengthBytes <= kept.length) {
    const end = at + lengthBytes + kept.readUInt32BE(at);
    if (end > kept.length) break;
    const sealed = kept.subarray(at + lengthBytes, end);
    const number = texts.length;
    const open = (isLast: boolean): Buffer | undefined =>
      openOctets(key, sealed, purposeOf(id, { number, isLast }));
    const piece = open(false);
    const last = piece === undefined ? open(true) : undefined;
    isWhole = last !== undefined;
    const opened = piece ?? last;
    if (opened === undefined) break;
    texts.push(opened.toString());
    at = end;
    if (number % piecesPerTurn === 0) await setImmediate();
  }
  return { text: texts.join(''), isWhole: isWhole && at === kept.length, bytes: at };
}

function purposeOf(id: string, { number, isLast }: Omit<Piece, 'text'>): string {
  return `upstreamproxy recording of ${id}, piece ${number}${isLast ? ', the last' : ''}`;
}

/** @param nowMs when it begins */
export function headLine({ columns, rows }: TerminalSize, nowMs: number): string {
  return line({ version: 2, width: columns, height: rows, timestamp: Math.floor(nowMs / 1000) });
}

/** Octets that are not UTF-8 a text cannot have: where there are some, all stand in a line of their own behind it, which players leave out. */
export function eventLines(atMs: number, kind: RecordedKind, octets: Buffer): string {
  const code = kind === 'input' ? 'i' : 'o';
  const text = line([atMs / 1000, code, octets.toString('utf8')]);
  return isUtf8(octets) ? text : text + line([atMs / 1000, 'b', `${code} ${octets.toString('base64')}`]);
}

export function sizeLine(atMs: number, { columns, rows }: TerminalSize): string {
  return line([atMs / 1000, 'r', `${columns}x${rows}`]);
}

/** In ASCII without what a terminal acts upon: whoever prints it sees the lines, and a player what they stand for. */
function line(value: unknown): string {
  const ascii = JSON.stringify(value).replaceAll(
    /[^\x20-\x7e]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return `${ascii}\n`;
}
