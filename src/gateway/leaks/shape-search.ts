// Searches a text that comes in pieces for well-known shapes of secrets, without regular expressions: an automaton finds the beginnings,
// and a bit for each shape says whether all that followed was of its alphabet. As many steps for each octet, but where one is found.

import { Buffer } from 'node:buffer';
import { buildAutomaton, classesOf } from '../scrub/automaton.ts';
import { alphabets, type KnownShape, knownShapes } from './known-shapes.ts';

export interface FoundShape {
  readonly name: string;
  /** Behind its last octet, in the piece. */
  readonly end: number;
  /** Its beginning and as much of its alphabet as makes it one. */
  readonly text: string;
}

const wordBits = 31;

interface ShapeTable {
  readonly shapes: readonly KnownShape[];
  readonly classes: Uint8Array;
  readonly next: Int32Array;
  readonly finalRow: number;
  readonly width: number;
  readonly forms: Uint32Array;
  readonly lengths: Uint32Array;
  /** By the number of a beginning, less 1: its shape. */
  readonly shapeOf: readonly number[];
  /** A word of bits by octet for each 31 shapes: whether the octet is of the alphabet. */
  readonly members: readonly Int32Array[];
  readonly longestText: number;
}

function buildShapeTable(shapes: readonly KnownShape[]): ShapeTable {
  const starts = shapes.flatMap((one, shape) => one.starts.map((start) => ({ start, shape })));
  const forms = starts.map(({ start }) => Buffer.from(start));
  const classes = classesOf(forms);
  const automaton = buildAutomaton(forms, classes);
  const members = Array.from({ length: Math.ceil(shapes.length / wordBits) }, () => new Int32Array(256));
  for (const [shape, { alphabet }] of shapes.entries()) {
    const word = members[Math.floor(shape / wordBits)];
    for (const octet of Buffer.from(alphabets[alphabet]))
      if (word !== undefined) word[octet] = (word[octet] ?? 0) | (1 << (shape % wordBits));
  }
  const lengthMax = (shape: KnownShape): number =>
    shape.count + Math.max(...shape.starts.map(({ length }) => length));
  return {
    shapes,
    classes: classes.classOf,
    next: automaton.next,
    finalRow: automaton.finalRow,
    width: automaton.width,
    forms: automaton.forms,
    lengths: automaton.lengths,
    shapeOf: starts.map(({ shape }) => shape),
    members,
    longestText: Math.max(...shapes.map(lengthMax)),
  };
}

const table = buildShapeTable(knownShapes);

/** What a shape can be long, with what is before it. */
const shapeWindowBytes = table.longestText + 2;

/** One of several of a shape that overlap: what the first one needs to be whole, the others are within. */
interface Run {
  readonly startAt: number;
  readonly dueAt: number;
}

export class ShapeSearch {
  /** Octets that came before this piece. */
  #before = 0;
  #row = 0;
  readonly #active = new Int32Array(table.members.length);
  readonly #runs: (Run | undefined)[] = table.shapes.map(() => undefined);
  #nextDueAt = Number.POSITIVE_INFINITY;
  /** The last octets of earlier pieces. */
  #tail: Buffer = Buffer.alloc(0);

  run(piece: Uint8Array): readonly FoundShape[] {
    const { classes, next, finalRow, members } = table;
    const active = this.#active;
    const found: FoundShape[] = [];
    let row = this.#row;
    let isActive = active.some((word) => word !== 0);
    for (let at = 0; at < piece.length; at += 1) {
      // Typed arrays, asked for what they have: octets are below 256, and rows and classes come out of the table itself.
      const octet = piece[at] as number;
      if (isActive) {
        let left = 0;
        for (let word = 0; word < members.length; word += 1)
          left |= active[word] = (active[word] as number) & (members[word]?.[octet] as number);
        isActive = left !== 0;
        if (isActive && this.#before + at + 1 >= this.#nextDueAt) this.#complete(piece, at + 1, found);
      }
      row = next[row + (classes[octet] as number)] as number;
      if (row >= finalRow) isActive = this.#begin(piece, at + 1, row) || isActive;
    }
    this.#row = row;
    this.#keepTail(piece);
    return found;
  }

  #begin(piece: Uint8Array, end: number, row: number): boolean {
    const state = row / table.width;
    const shape = table.shapeOf[(table.forms[state] ?? 1) - 1] ?? 0;
    const known = table.shapes[shape];
    const [word, bit] = [Math.floor(shape / wordBits), 1 << (shape % wordBits)];
    if (known === undefined || ((this.#active[word] ?? 0) & bit) !== 0) return false;
    const length = table.lengths[state] ?? 0;
    if (known.standsAlone === true && !this.#standsAlone(piece, end - length)) return false;
    const endAt = this.#before + end;
    this.#runs[shape] = { startAt: endAt - length, dueAt: endAt + known.count };
    this.#active[word] = (this.#active[word] ?? 0) | bit;
    this.#nextDueAt = Math.min(this.#nextDueAt, endAt + known.count);
    return true;
  }

  /** What is due here and still goes on is found. */
  #complete(piece: Uint8Array, end: number, found: FoundShape[]): void {
    const at = this.#before + end;
    let nextDueAt = Number.POSITIVE_INFINITY;
    for (const [shape, run] of this.#runs.entries()) {
      const [word, bit] = [Math.floor(shape / wordBits), 1 << (shape % wordBits)];
      if (run === undefined || ((this.#active[word] ?? 0) & bit) === 0) continue;
      if (run.dueAt > at) nextDueAt = Math.min(nextDueAt, run.dueAt);
      else {
        const text = this.#textBefore(piece, end, at - run.startAt);
        found.push({ name: table.shapes[shape]?.name ?? '', end, text });
        this.#active[word] = (this.#active[word] ?? 0) & ~bit;
      }
    }
    this.#nextDueAt = nextDueAt;
  }

  /** Whether no letter or digit is before it; one behind a backslash is an escape. */
  #standsAlone(piece: Uint8Array, start: number): boolean {
    if (!isWord(this.#octetAt(piece, start - 1))) return true;
    return this.#octetAt(piece, start - 2) === 0x5c;
  }

  #octetAt(piece: Uint8Array, at: number): number {
    return (at >= 0 ? piece[at] : this.#tail[this.#tail.length + at]) ?? 0;
  }

  #textBefore(piece: Uint8Array, end: number, length: number): string {
    const octets = Array.from({ length }, (_, i) => this.#octetAt(piece, end - length + i));
    return Buffer.from(octets).toString('latin1');
  }

  #keepTail(piece: Uint8Array): void {
    this.#before += piece.length;
    const own = piece.subarray(Math.max(0, piece.length - shapeWindowBytes));
    const kept = this.#tail.subarray(Math.max(0, this.#tail.length + own.length - shapeWindowBytes));
    this.#tail = Buffer.concat([kept, own]);
  }
}

function isWord(octet: number): boolean {
  return (
    (octet >= 0x61 && octet <= 0x7a) ||
    (octet >= 0x41 && octet <= 0x5a) ||
    (octet >= 0x30 && octet <= 0x39) ||
    octet === 0x5f
  );
}
