// Which borders a body has, by its type.

import { noBorders, type Borders } from './borders.ts';
import { CodedPartGuard, hasParts } from './coded-part-guard.ts';
import { EnvelopeBorders, envelopeFormOf } from './envelope-borders.ts';
import { EventBorders, lineBorders } from './line-borders.ts';

/** What a response of this type is let go at; `host` is for messages. */
export function bordersOf(contentType: string, host: string): Borders {
  const type = contentType.split(';', 1)[0]?.trim().toLowerCase() ?? '';
  if (type === 'text/event-stream') return new EventBorders();
  const envelope = envelopeFormOf(type, host);
  if (envelope !== undefined) return new EnvelopeBorders(envelope, host);
  if (hasParts(type)) return new CodedPartGuard(host);
  return isLineText(type) ? lineBorders : noBorders;
}

const lineTypes: ReadonlySet<string> = new Set([
  'application/json',
  'application/x-ndjson',
  'application/ndjson',
  'application/jsonl',
  'application/x-jsonlines',
  'application/json-seq',
  'application/xml',
  'application/javascript',
  'application/x-javascript',
  'application/ecmascript',
]);

function isLineText(type: string): boolean {
  return (
    lineTypes.has(type) ||
    ['text/', 'application/stream+json'].some((start) => type.startsWith(start)) ||
    ['+json', '+xml', '+json-seq'].some((end) => type.endsWith(end))
  );
}
