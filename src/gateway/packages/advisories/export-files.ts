// The records of exports of OSV on disk: archives, folders of them or of records, and single records.

import { opendirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { ProxyError } from '../../../protocol/error.ts';
import { faultReason } from '../../../protocol/fault-reason.ts';
import { defaultLimits } from '../../../protocol/limits.ts';
import { FileWindow } from '../file-window.ts';
import { UnreadableZip, zipFiles } from '../zip-archive.ts';

export interface ExportedFile {
  /** For people: the path, and the name within an archive. */
  readonly name: string;
  readonly octets: Uint8Array;
}

const isRecord = (name: string): boolean => name.toLowerCase().endsWith('.json');
const isArchive = (name: string): boolean => name.toLowerCase().endsWith('.zip');

/** One after the other, each whole. @throws ProxyError config_invalid for what cannot be read */
export function* exportedFiles(sources: readonly string[]): Generator<ExportedFile> {
  for (const source of sources)
    try {
      // Somebody named it: a link leads where they wanted.
      if (statSync(source).isDirectory()) yield* filesIn(source, 1);
      else yield* filesOf(source);
    } catch (error) {
      throw unreadable(source, error);
    }
}

function* filesIn(folder: string, depth: number): Generator<ExportedFile> {
  if (depth > defaultLimits.advisoryFoldersMax)
    throw unreadable(folder, new Error('there are too many folders inside each other (advisoryFoldersMax)'));
  using entries = opendirSync(folder);
  for (let entry = entries.readSync(); entry !== null; entry = entries.readSync()) {
    const path = join(folder, entry.name);
    // A link could lead out of the folder, and back into it.
    if (entry.isDirectory()) yield* filesIn(path, depth + 1);
    else if (entry.isFile() && (isRecord(entry.name) || isArchive(entry.name))) yield* filesOf(path);
  }
}

function* filesOf(path: string): Generator<ExportedFile> {
  try {
    if (isArchive(path)) yield* filesOfArchive(path);
    else yield { name: path, octets: octetsOf(path) };
  } catch (error) {
    throw unreadable(path, error);
  }
}

function* filesOfArchive(path: string): Generator<ExportedFile> {
  const { advisoryRecordsMax, advisoryRecordBytesMax, advisoryExportBytesMax } = defaultLimits;
  const bounds = {
    filesMax: advisoryRecordsMax,
    fileBytesMax: advisoryRecordBytesMax,
    bytesMax: advisoryExportBytesMax,
  };
  using directory = new FileWindow(path);
  using data = new FileWindow(path);
  for (const { name, octets } of zipFiles({ directory, data }, bounds, isRecord))
    yield { name: `${path}: ${name}`, octets };
}

function octetsOf(path: string): Uint8Array {
  using file = new FileWindow(path);
  if (file.size > defaultLimits.advisoryRecordBytesMax)
    throw new Error('it is too long for a record (advisoryRecordBytesMax)');
  return file.at(0, file.size);
}

function unreadable(path: string, error: unknown): ProxyError {
  if (error instanceof ProxyError) return error;
  const reason = error instanceof UnreadableZip ? `it ${error.message}` : faultReason(error);
  return new ProxyError('config_invalid', `${path} cannot be imported: ${reason}`, { cause: error });
}
