// Reads the audit's JSON lines.

import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';

import type { AuditEvent } from '../../api/audit-event.ts';
import { readAuditEvent } from '../../api/read-audit-event.ts';
import { ProxyError } from '../../protocol/error.ts';
import { faultReason } from '../../protocol/fault-reason.ts';

/**
 * The events of a JSON-lines file in order. A last line that is not finished is left out: the gateway may be
 * writing it. Throws `config_invalid` for a file that is not there or not an audit.
 */
export async function* readAuditFile(path: string): AsyncGenerator<AuditEvent> {
  const input = createReadStream(path, { encoding: 'utf8' });
  let broken: number | undefined;
  let number = 0;
  try {
    for await (const line of createInterface({ input, crlfDelay: Infinity })) {
      number += 1;
      if (line === '') continue;
      if (broken !== undefined) throw notAnAudit(path, broken);
      const event = parseEvent(line);
      if (event === undefined) broken = number;
      else yield event;
    }
  } catch (error) {
    if (error instanceof ProxyError) throw error;
    throw new ProxyError('config_invalid', `cannot read the audit ${path}: ${faultReason(error)}`, {
      cause: error,
    });
  } finally {
    input.destroy();
  }
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
