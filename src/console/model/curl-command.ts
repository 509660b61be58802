// A request as a command for a shell. Whatever the path holds, the shell reads one argument.

import type { AuditEvent } from '../../api/audit-event.ts';
import { urlOf } from './event-facts.ts';

/** What to type in the container to ask the same; header fields and bodies are not recorded. Undefined for what was no request. */
export function curlCommand(event: AuditEvent): string | undefined {
  const url = urlOf(event);
  const { method } = event;
  if (url === undefined || method === undefined || !/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(method))
    return undefined;
  // A path is globbed by curl otherwise, and a method such as HEAD waits for a body.
  const asked = method === 'GET' ? [] : method === 'HEAD' ? ['--head'] : ['--request', quoted(method)];
  return ['curl', '--globoff', ...asked, '--url', quoted(inAscii(url))].join(' ');
}

/** Whatever is no printable ASCII is percent-encoded: nothing in it can be another line or look like other text. */
function inAscii(text: string): string {
  return text.toWellFormed().replaceAll(/[^\x21-\x7e]/gu, (character) => encodeURIComponent(character));
}

function quoted(text: string): string {
  return /^[A-Za-z0-9_./:=@%+-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
