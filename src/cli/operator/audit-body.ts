// `upstreamproxy audit body`: what a rule had kept of the bodies of an exchange, or of a shell.

import { recordingText } from '../../api/recording-text.ts';
import { ProxyError } from '../../protocol/error.ts';
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
  const { request, response, recording } = await backend.bodies(ID);
  if (options.cast) process.stdout.write(castOf(recording));
  else if (options.json) process.stdout.write(jsonLine({ request, response, recording }));
  else if (recording !== undefined) process.stdout.write(recordingOf(recording));
  else process.stdout.write(textOf('request', request) + textOf('response', response));
  return 0;
}

/** In ASCII already. @throws ProxyError usage */
function castOf(recording: ShownBodies['recording']): string {
  if (recording === undefined)
    throw new ProxyError('usage', 'that event is not of a shell that was recorded');
  return recording.cast;
}

function recordingOf({ cast, bytes, whole }: NonNullable<ShownBodies['recording']>): string {
  const lines = recordingText(cast).split('\n').map(harmlessText);
  return `recording: ${bytes} bytes${whole ? '' : ', cut off'}\n${lines.join('\n')}\n`;
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
