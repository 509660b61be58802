// A request of the admin API, read: which operation, with what. Everything is checked before an operation sees it.

import type { IncomingMessage } from 'node:http';
import type { z } from 'zod';
import type { AdminRoute } from '../../api/admin/route.ts';
import { type AdminOperation, adminRoutes } from '../../api/admin/routes.ts';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';

export interface Routed {
  readonly operation: AdminOperation;
  readonly route: AdminRoute;
  /** The segment in braces of its path, decoded; empty where there is none. */
  readonly id: string;
  readonly search: URLSearchParams;
}

const idCharactersMax = 200;

// The keys of the table are the operations; Object.entries forgets that.
const routes = (Object.entries(adminRoutes) as [AdminOperation, AdminRoute][]).map(([operation, route]) => ({
  operation,
  route,
  segments: route.path.split('/'),
}));

/** @throws ProxyError operation_unknown, method_refused */
export function routeOf(method: string, target: string): Routed {
  const [path = '', query = ''] = splitOnce(target, '?');
  const segments = path.split('/');
  // Fixed paths first: `follow` is no id.
  const fitting = routes
    .filter((one) => fits(one.segments, segments))
    .toSorted((a, b) => braces(a.route.path) - braces(b.route.path));
  const [best] = fitting;
  if (best === undefined) throw new ProxyError('operation_unknown', 'the admin API has no such path');
  const same = fitting.filter(({ route }) => route.path === best.route.path);
  const found = same.find(({ route }) => route.method === method);
  if (found === undefined) {
    const known = same.map(({ route }) => route.method).join(' and ');
    throw new ProxyError('method_refused', `the admin API takes ${known} there, not ${method.slice(0, 32)}`);
  }
  const at = found.segments.findIndex((part) => part.startsWith('{'));
  return {
    operation: found.operation,
    route: found.route,
    id: at < 0 ? '' : decoded(segments[at] ?? ''),
    search: new URLSearchParams(query),
  };
}

function splitOnce(text: string, by: string): readonly string[] {
  const at = text.indexOf(by);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}

function braces(path: string): number {
  return path.includes('{') ? 1 : 0;
}

function fits(pattern: readonly string[], segments: readonly string[]): boolean {
  return (
    pattern.length === segments.length &&
    pattern.every((part, i) => (part.startsWith('{') ? segments[i] !== '' : part === segments[i]))
  );
}

function decoded(segment: string): string {
  try {
    const text = decodeURIComponent(segment);
    if (text.length <= idCharactersMax) return text;
  } catch {
    // Told below.
  }
  throw new ProxyError('operation_unknown', 'there is nothing of that id');
}

/** The query as its schema says. @throws ProxyError usage */
export function readQuery(search: URLSearchParams, schema: z.ZodType | undefined): unknown {
  const names = new Set<string>();
  for (const name of search.keys()) {
    if (names.has(name)) throw new ProxyError('usage', `${shown(name)} stands twice in the query`);
    names.add(name);
  }
  const values = Object.fromEntries(search);
  if (schema === undefined) {
    const [first] = names;
    if (first !== undefined) throw new ProxyError('usage', `it takes no ${shown(first)} in the query`);
    return {};
  }
  return checked(values, schema, 'the query');
}

/** The body as its schema says. @throws ProxyError usage, body_too_large, request_malformed */
export async function readBody(
  request: IncomingMessage,
  schema: z.ZodType | undefined,
  limit: 'adminBodyBytesMax' | 'linkBodyBytesMax' = 'adminBodyBytesMax',
): Promise<unknown> {
  const text = await bodyText(request, limit);
  if (schema === undefined) {
    if (text !== '') throw new ProxyError('usage', 'it takes no body');
    return {};
  }
  const type = request.headers['content-type'] ?? '';
  if (!/^application\/json(?:\s*;|$)/i.test(type))
    throw new ProxyError('usage', 'send a body of JSON with Content-Type: application/json');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new ProxyError('usage', 'the body is not JSON');
  }
  return checked(value, schema, 'the body');
}

async function bodyText(
  request: IncomingMessage,
  limit: 'adminBodyBytesMax' | 'linkBodyBytesMax',
): Promise<string> {
  const max = defaultLimits[limit];
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of request as AsyncIterable<Buffer>) {
    bytes += piece.length;
    if (bytes > max)
      throw new ProxyError('body_too_large', `the body is longer than ${max} bytes (${limit})`, { limit });
    pieces.push(piece);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(pieces));
  } catch {
    throw new ProxyError('request_malformed', 'the body is not UTF-8');
  }
}

function checked(value: unknown, schema: z.ZodType, what: string): unknown {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  if (issue?.code === 'unrecognized_keys')
    throw new ProxyError('usage', `${what} takes no ${shown(issue.keys[0] ?? '')}`);
  const place = issue?.path.map(String).join('.') ?? '';
  throw new ProxyError(
    'usage',
    `${place === '' ? what : shown(place)}: ${issue?.message ?? 'is not as expected'}`,
  );
}

/** A name that somebody sent, as part of a sentence. */
function shown(name: string): string {
  return JSON.stringify(name.slice(0, 100));
}
