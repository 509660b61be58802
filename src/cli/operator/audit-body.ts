// `upstreamproxy audit body`: what a rule had kept of the bodies of an exchange.

import type { auditDefinition } from '../commands/audit-definition.ts';
import type { Input } from '../definition/command-definition.ts';
import { harmlessText, jsonLine, printableText } from '../terminal/text-table.ts';
import type { ShownBodies } from './operator-backend.ts';
import { openOperatorBackend } from './operator-place.ts';

export async function bodyCommand({
  arguments: { ID },
  options,
}: Input<(typeof auditDefinition)['actions'][3]>): Promise<number> {
  // Looking writes an event.
  await using backend = await openOperatorBackend(options, 'write');
  const { request, response } = await backend.bodies(ID);
  if (options.json) process.stdout.write(jsonLine({ request, response }));
  else process.stdout.write(textOf('request', request) + textOf('response', response));
  return 0;
}

function textOf(name: string, body: ShownBodies['request']): string {
  if (body === undefined) return `${name}: none is kept\n`;
  const { type = 'no type', coding, bytes, whole, redacted, text, base64, note } = body;
  const facts = [
    printableText(type),
    ...(coding === undefined ? [] : [printableText(coding)]),
    `${bytes} bytes${whole ? '' : ', cut off'}`,
    ...(redacted === 0 ? [] : [`${redacted} values left out`]),
  ];
  const lines = (text ?? base64 ?? '').split('\n').map(harmlessText);
  const noted = note === undefined ? '' : `${harmlessText(note)}\n`;
  return `${name}: ${facts.join(', ')}\n${noted}${lines.join('\n')}\n`;
}
