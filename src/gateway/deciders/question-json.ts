// The question to a decider as JSON.

import type { HeaderList } from '../../http/header-list.ts';
import type { DeciderQuestion, QuestionBody, QuestionResponse } from './decider.ts';

/** What stands under `input` for OPA, and is the whole question to a webhook. */
export function questionJson(question: DeciderQuestion): string {
  const { rule, policyVersion, principal, request, body, response } = question;
  const { method, destination, path, query, headers } = request;
  const { scheme, host, port } = destination;
  const { sessionId: id, id: principalId, claims, posture } = principal;
  const members = {
    version: JSON.stringify(1),
    rule: JSON.stringify(rule),
    policy: JSON.stringify(policyVersion),
    session: JSON.stringify({ id, principal: principalId, claims, posture }),
    request: JSON.stringify({
      method,
      scheme,
      host,
      port,
      path,
      query,
      headers: fieldsOf(headers),
    }),
    body: bodyJson(body),
    ...(response === undefined ? {} : { response: responseJson(response) }),
  };
  const written = Object.entries(members).map(([name, text]) => `${JSON.stringify(name)}:${text}`);
  return `{${written.join(',')}}`;
}

/** Own members, whatever their names are. */
function fieldsOf(headers: HeaderList): Readonly<Record<string, readonly string[]>> {
  const fields = Map.groupBy(headers, ([name]) => name.toLowerCase());
  return Object.fromEntries([...fields].map(([name, all]) => [name, all.map(([, value]) => value)]));
}

/** Text, or base64 where it is not UTF-8. A character that the end of an excerpt cuts is left out. */
function responseJson({ status, headers, excerpt, isWhole }: QuestionResponse): string {
  const text = textOf(excerpt, !isWhole);
  const told = text === undefined ? { base64: Buffer.from(excerpt).toString('base64') } : { text };
  return JSON.stringify({
    status,
    headers: fieldsOf(headers),
    excerpt: { whole: isWhole, octets: excerpt.length, ...told },
  });
}

/** JSON stands in it as JSON, text as text, and anything else in base64. */
function bodyJson(body: QuestionBody): string {
  if (body.kind !== 'whole')
    return JSON.stringify({ seen: body.kind === 'none', octets: body.kind === 'none' ? 0 : undefined });
  const { octets, json } = body;
  const common = `"seen":true,"octets":${String(octets.length)}`;
  if (json !== undefined) return `{${common},"json":${json}}`;
  const text = textOf(octets);
  const told = text === undefined ? { base64: octets.toString('base64') } : { text };
  return `{${common},${JSON.stringify(told).slice(1)}`;
}

const decoding = { fatal: true, ignoreBOM: true } as const;
const decoder = new TextDecoder('utf-8', decoding);

/** Undefined where it is not UTF-8. `isCut`: what ends within a character is UTF-8 too, without it. */
export function textOf(octets: Uint8Array, isCut = false): string | undefined {
  try {
    // One that is told of more to come keeps what it has.
    return isCut
      ? new TextDecoder('utf-8', decoding).decode(octets, { stream: true })
      : decoder.decode(octets);
  } catch {
    return undefined;
  }
}
