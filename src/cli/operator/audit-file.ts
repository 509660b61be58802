// Reads the audit's JSON lines.

import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';

import type { AuditEvent } from '../../api/audit-event.ts';
import { readAuditEvent } from '../../api/read-audit-event.ts';
import { ProxyError } from '../../protocol/error.ts';
import { faultReason } from '../../protocol/fault-reason.ts';
import { recordBytesMax } from '../../protocol/spool-record.ts';

const chunkBytes = 64 * 1024;

/**
 * The events of a JSON-lines file in order. A last line that is not finished is left out: the gateway may be
 * writing it. Throws `config_invalid` for a file that is not there or not an audit, and when `signal` aborts; with one
 * it must be a regular file, for a pipe would be waited for.
 */
export async function* readAuditFile(path: string, signal?: AbortSignal): AsyncGenerator<AuditEvent> {
  let broken: number | undefined;
  let number = 0;
  for await (const line of linesOf(path, signal)) {
    number += 1;
    if (line.trim() === '') continue;
    if (broken !== undefined) throw notAnAudit(path, broken);
    const event = line.length > recordBytesMax ? undefined : parseEvent(line);
    if (event === undefined) broken = number;
    else yield event;
  }
}

/** No line is longer than any event by more than a piece of the file: what is longer comes in parts, and no part is an event. */
async function* linesOf(path: string, signal: AbortSignal | undefined): AsyncGenerator<string> {
  let rest = '';
  try {
    await using file = await open(
      path,
      constants.O_RDONLY | (signal === undefined ? 0 : constants.O_NONBLOCK),
    );
    if (signal !== undefined && !(await file.stat()).isFile()) throw notRegular(path);
    for await (const text of textOf(file, signal)) {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      yield* lines;
      if (rest.length <= recordBytesMax) continue;
      yield rest;
      rest = '';
    }
  } catch (error) {
    if (error instanceof ProxyError) throw error;
    throw new ProxyError('config_invalid', `cannot read the audit ${path}: ${faultReason(error)}`, {
      cause: error,
    });
  }
  yield rest;
}

async function* textOf(file: FileHandle, signal: AbortSignal | undefined): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  const chunk = Buffer.alloc(chunkBytes);
  for (;;) {
    signal?.throwIfAborted();
    const { bytesRead } = await file.read(chunk, 0, chunk.length, null);
    if (bytesRead === 0) return;
    yield decoder.decode(chunk.subarray(0, bytesRead), { stream: true });
  }
}

function notRegular(path: string): ProxyError {
  return new ProxyError('config_invalid', `cannot read the audit ${path}: it is not a regular file`);
}

function notAnAudit(path: string, line: number): ProxyError {
  return new ProxyError(
    'config_invalid',
    `${path}:${line} is not an audit event; name the JSON-lines file of a gateway`,
  );
}

function parseEvent(line: string): AuditEvent | undefined {
  try {
    return readAuditEvent(JSON.parse(line));
  } catch {
    return undefined;
  }
}
