// Signed notes (golang.org/x/mod/sumdb/note), by which a checksum database signs the head of its tree.

import { Buffer } from 'node:buffer';
import { createHash, createPublicKey, type KeyObject, verify } from 'node:crypto';

/** Who signs: the name of the database is in it. */
export interface NoteKey {
  readonly name: string;
  /** As it is written. */
  readonly text: string;
  /** Of name and key, the first four octets. */
  readonly hash: string;
  readonly key: KeyObject;
}

/** The head of a tree: how many records there are, and the hash of all of them. */
export interface TreeHead {
  readonly size: number;
  readonly hash: Buffer;
}

export interface SignedHead extends TreeHead {
  /** What was signed, with one signature of the key: `openHead` opens it again. */
  readonly note: string;
}

const ed25519 = 1;
/** Before the octets of such a key (RFC 8410 §4). */
const keyPrefix = Buffer.from('302a300506032b6570032100', 'hex');

/** `NAME+HASH+KEY`, as go takes it in GOSUMDB. Undefined: it is none. */
export function noteKey(text: string): NoteKey | undefined {
  const [, name = '', hash = '', base64 = ''] =
    /^([a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?)\+([0-9a-f]{8})\+([A-Za-z0-9+/]{44})$/.exec(text) ?? [];
  const octets = Buffer.from(base64, 'base64');
  if (octets.length !== 33 || octets[0] !== ed25519 || octets.toString('base64') !== base64) return undefined;
  const own = createHash('sha256').update(`${name}\n`).update(octets).digest('hex').slice(0, 8);
  if (own !== hash) return undefined;
  const key = createPublicKey({
    key: Buffer.concat([keyPrefix, octets.subarray(1)]),
    format: 'der',
    type: 'spki',
  });
  return { name, text, hash, key };
}

/** Undefined: nobody signed it by that key, or it is not the head of a tree. */
export function openHead(note: string, by: NoteKey): SignedHead | undefined {
  const at = note.lastIndexOf('\n\n');
  if (at < 0 || !note.endsWith('\n')) return undefined;
  const text = note.slice(0, at + 1);
  const lines = note.slice(at + 2, -1).split('\n');
  // Lines of other keys say nothing. One of this key has to hold.
  const own = lines.flatMap((line) => {
    const octets = signatureIn(line, by);
    return octets === undefined ? [] : [{ line, octets }];
  });
  const signed = Buffer.from(text, 'latin1');
  const [first] = own;
  if (first === undefined || !own.every(({ octets }) => verify(null, signed, by.key, octets)))
    return undefined;
  const head = headIn(text);
  return head && { ...head, note: `${text}\n${first.line}\n` };
}

/** `— NAME BASE64`; the text is octet by octet. */
function signatureIn(line: string, { name, hash }: NoteKey): Buffer | undefined {
  const [dash, signer, base64 = '', ...others] = line.split(' ');
  if (dash !== '\u00e2\u0080\u0094' || signer !== name || others.length > 0) return undefined;
  const octets = Buffer.from(base64, 'base64');
  if (octets.toString('hex', 0, 4) !== hash) return undefined;
  return octets.length === 68 && octets.toString('base64') === base64 ? octets.subarray(4) : Buffer.alloc(0);
}

function headIn(text: string): TreeHead | undefined {
  const [title, size = '', hash = ''] = text.split('\n');
  // Of fewer records than there will be, the numbers of all hashes are exact.
  if (title !== 'go.sum database tree' || !/^(?:0|[1-9]\d{0,11})$/.test(size)) return undefined;
  const octets = Buffer.from(hash, 'base64');
  if (octets.length !== 32 || octets.toString('base64') !== hash) return undefined;
  return { size: Number(size), hash: octets };
}
