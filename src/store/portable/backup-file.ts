// A store as a file: JSON, a line for the file, one for each table, one for each row, and a last one by which a cut or changed file is told.
// It is the same for every engine.

import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { ProxyError } from '../../protocol/error.ts';
import { faultReason } from '../../protocol/fault-reason.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { batchRowsOf, portableTables } from './portable-tables.ts';
import type { Cell, RowBatch, RowSource, StoreNumbers } from './store-rows.ts';

const format = 'upstreamproxy-store';
const chunkBytes = 256 * 1024;

export interface BackupHead extends StoreNumbers {
  /** When it was made, in milliseconds since the epoch. */
  readonly madeMs: number;
}

/** Makes the file, mode 0600, and writes it through; one that is there is left alone. What fails leaves none. Throws ProxyError `config_invalid`, and what the source does. */
export async function writeBackup(path: string, source: RowSource, madeMs: number): Promise<void> {
  let file: FileHandle;
  try {
    file = await open(path, 'wx', 0o600);
  } catch (error) {
    const isThere = error instanceof Error && 'code' in error && error.code === 'EEXIST';
    throw unwritable(path, `${faultReason(error)}${isThere ? '; name a new file' : ''}`, error);
  }
  const ofSource = new Set<unknown>();
  try {
    await writeLines(
      file,
      linesOf(source, madeMs, (error) => ofSource.add(error)),
    );
    await file.sync();
    await file.close();
  } catch (error) {
    await file.close().catch(() => undefined);
    await rm(path, { force: true });
    throw error instanceof ProxyError || ofSource.has(error)
      ? error
      : unwritable(path, faultReason(error), error);
  }
}

/** `onFault` is told what the source throws. */
async function* linesOf(
  source: RowSource,
  madeMs: number,
  onFault: (error: unknown) => void,
): AsyncGenerator<string> {
  yield JSON.stringify({ format, version: 1, madeMs, ...source.numbers });
  let table = '';
  for await (const batch of telling(source.batches(), onFault)) {
    if (batch.table !== table) yield JSON.stringify({ table: batch.table, columns: batch.columns });
    ({ table } = batch);
    for (const row of batch.rows) yield JSON.stringify(row);
  }
}

async function* telling<T>(all: AsyncIterable<T>, onFault: (error: unknown) => void): AsyncGenerator<T> {
  try {
    yield* all;
  } catch (error) {
    onFault(error);
    throw error;
  }
}

async function writeLines(file: FileHandle, lines: AsyncIterable<string>): Promise<void> {
  const hash = createHash('sha256');
  let [chunk, count] = ['', 0];
  const write = async (): Promise<void> => {
    const bytes = Buffer.from(chunk);
    for (let at = 0; at < bytes.length;) at += (await file.write(bytes, at)).bytesWritten;
    chunk = '';
  };
  for await (const line of lines) {
    if (line.length > defaultLimits.backupLineBytesMax)
      throw new ProxyError(
        'config_invalid',
        'a row of the store is too long for a backup (backupLineBytesMax)',
      );
    hash.update(`${line}\n`);
    chunk += `${line}\n`;
    count += 1;
    if (chunk.length > chunkBytes) await write();
  }
  chunk += `${JSON.stringify({ end: { lines: count, sha256: hash.digest('hex') } })}\n`;
  await write();
}

/** A backup that was found whole. */
export class BackupFile implements AsyncDisposable {
  readonly head: BackupHead;
  readonly #file: FileHandle;
  readonly #path: string;
  readonly #sha256: string;

  private constructor(
    { file, path }: { readonly file: FileHandle; readonly path: string },
    head: BackupHead,
    sha256: string,
  ) {
    this.#file = file;
    this.#path = path;
    this.head = head;
    this.#sha256 = sha256;
  }

  /** Reads all of it once. Throws ProxyError `config_invalid` for what is no backup, is cut, damaged, or could be another user's. */
  static async open(path: string): Promise<BackupFile> {
    const file = await openOwn(path);
    try {
      let head: BackupHead | undefined;
      let sha256: string | undefined;
      for await (const part of parts(file, path)) {
        if ('head' in part) ({ head } = part);
        if ('sha256' in part) ({ sha256 } = part);
      }
      if (head === undefined || sha256 === undefined) throw damaged(path, 'it is empty');
      return new BackupFile({ file, path }, head, sha256);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** Reads it again; what has changed since it was opened is a throw. */
  source(): RowSource {
    const [file, path, sha256] = [this.#file, this.#path, this.#sha256];
    return {
      numbers: this.head,
      batches: () => gathered(sameParts(parts(file, path), sha256, path)),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }
}

/** Another whole backup in its place is none: its head was read before. */
async function* sameParts(all: AsyncIterable<Part>, sha256: string, path: string): AsyncGenerator<Part> {
  for await (const part of all) {
    if ('sha256' in part && part.sha256 !== sha256) throw damaged(path, 'it was changed while it was read');
    yield part;
  }
}

/** Rows of one table, many at a time. */
async function* gathered(all: AsyncIterable<Part>): AsyncGenerator<RowBatch> {
  let held: RowBatch | undefined;
  for await (const part of all) {
    if (!('batch' in part)) continue;
    const { table, columns, rows } = part.batch;
    const known = portableTables.find(({ name }) => name === table);
    const isFull = known === undefined || (held?.rows.length ?? 0) >= batchRowsOf(known);
    if (held !== undefined && (isFull || held.table !== table)) {
      yield held;
      held = undefined;
    }
    held = { table, columns, rows: [...(held?.rows ?? []), ...rows] };
  }
  if (held !== undefined) yield held;
}

type Part = { readonly head: BackupHead } | { readonly batch: RowBatch } | { readonly sha256: string };

async function* parts(file: FileHandle, path: string): AsyncGenerator<Part> {
  const hash = createHash('sha256');
  let count = 0;
  let table: Omit<RowBatch, 'rows'> | undefined;
  const seen = new Set<string>();
  let isWhole = false;
  for await (const line of fileLines(file, path)) {
    if (isWhole) throw damaged(path, 'something follows its end');
    const value = parsed(line, path);
    if (count === 0) yield { head: headOf(value, path) };
    else if (Array.isArray(value)) yield { batch: { ...batchOf(table, value, path) } };
    else if (isEnd(value)) {
      const sha256 = hash.digest('hex');
      if (value.end.lines !== count || value.end.sha256 !== sha256)
        throw damaged(path, 'it is not what was written');
      isWhole = true;
      yield { sha256 };
      continue;
    } else {
      table = tableOf(value, path);
      if (seen.has(table.table)) throw damaged(path, `${table.table} is there twice`);
      seen.add(table.table);
    }
    hash.update(`${line}\n`);
    count += 1;
  }
  if (!isWhole) throw damaged(path, 'its end is missing');
}

async function* fileLines(file: FileHandle, path: string): AsyncGenerator<string> {
  const chunk = Buffer.alloc(chunkBytes);
  let pieces: Buffer[] = [];
  let held = 0;
  for (let position = 0; ;) {
    const { bytesRead } = await file.read(chunk, 0, chunk.length, position);
    if (bytesRead === 0) break;
    position += bytesRead;
    let from = 0;
    for (let at = chunk.indexOf(10); at !== -1 && at < bytesRead; at = chunk.indexOf(10, from)) {
      yield Buffer.concat([...pieces, chunk.subarray(from, at)]).toString();
      [pieces, held, from] = [[], 0, at + 1];
    }
    pieces.push(Buffer.from(chunk.subarray(from, bytesRead)));
    held += bytesRead - from;
    if (held > defaultLimits.backupLineBytesMax)
      throw damaged(path, 'a line is too long (backupLineBytesMax)');
  }
  if (held > 0) throw damaged(path, 'its end is missing');
}

function parsed(line: string, path: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    throw damaged(path, 'a line is no JSON');
  }
}

function headOf(value: unknown, path: string): BackupHead {
  // Looked into, each field by its type.
  const { format: named, version, madeMs, changes, auditSequence } = (value ?? {}) as Record<string, unknown>;
  if (named !== format) throw damaged(path, 'it is no backup of a store');
  if (version !== 1) throw damaged(path, 'a newer program wrote it');
  if (!isCount(madeMs) || !isCount(changes) || !isCount(auditSequence))
    throw damaged(path, 'its first line is not sound');
  return { madeMs, changes, auditSequence };
}

function tableOf(value: unknown, path: string): Omit<RowBatch, 'rows'> {
  // Looked into, each field by its type.
  const { table, columns } = (value ?? {}) as Record<string, unknown>;
  const isKnown = portableTables.some(({ name }) => name === table);
  const names: readonly unknown[] = Array.isArray(columns) ? columns : [];
  if (!isKnown || typeof table !== 'string')
    throw damaged(path, 'it has a table that this program does not know');
  // They become part of a statement.
  const isSound = names.every(
    (name): name is string => typeof name === 'string' && /^[a-z][a-z0-9_]{0,62}$/.test(name),
  );
  if (!isSound || names.length === 0 || new Set(names).size !== names.length)
    throw damaged(path, `the columns of ${table} are not sound`);
  return { table, columns: names };
}

function batchOf(table: Omit<RowBatch, 'rows'> | undefined, row: readonly unknown[], path: string): RowBatch {
  if (table === undefined || row.length !== table.columns.length || !row.every(isCell))
    throw damaged(path, 'a row is not sound');
  return { ...table, rows: [row] };
}

function isCell(value: unknown): value is Cell {
  return (
    value === null || typeof value === 'string' || typeof value === 'boolean' || Number.isSafeInteger(value)
  );
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

function isEnd(
  value: unknown,
): value is { readonly end: { readonly lines: unknown; readonly sha256: unknown } } {
  return (
    typeof value === 'object' &&
    value !== null &&
    'end' in value &&
    typeof value.end === 'object' &&
    value.end !== null
  );
}

async function openOwn(path: string): Promise<FileHandle> {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
  const file = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK).catch((error: unknown) => {
    throw new ProxyError('config_invalid', `cannot read the backup ${path}: ${faultReason(error)}`, {
      cause: error,
    });
  });
  const { mode, uid } = await file.stat();
  const isFile = (mode & constants.S_IFMT) === constants.S_IFREG;
  // Whoever can write it decides which sessions live.
  if (isFile && (mode & 0o022) === 0 && (uid === process.geteuid?.() || uid === 0)) return file;
  await file.close();
  throw new ProxyError(
    'config_invalid',
    `the backup ${path} must be a regular file of your own that nobody else can write`,
  );
}

function unwritable(path: string, reason: string, cause: unknown): ProxyError {
  return new ProxyError('config_invalid', `cannot write ${path}: ${reason}`, { cause });
}

function damaged(path: string, why: string): ProxyError {
  return new ProxyError('config_invalid', `the backup ${path} cannot be used: ${why}`);
}
